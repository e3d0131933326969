#include "config.h"

#include "deployer/target.h"

#include "base/mem.h"
#include "deployer/text.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_LINE_MAX (8 * 1024) /* of one line that is shown to the pusher */

static const struct target_ops *const targets[] = { &target_kubernetes, &target_docker };

const struct target_ops *target_find(const char *name)
{
    for (size_t i = 0; i < countof(targets); i++)
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    return NULL;
}

void target_instance_release(struct target_instance *i)
{
    free(i->name);
    free(i->id);
    free(i->process);
    free(i->state);
    free(i->reason);
    memset(i, 0, sizeof(*i));
}

void target_one_off_release(struct target_one_off *o)
{
    free(o->name);
    free(o->command);
    free(o->user);
    free(o->state);
    free(o->reason);
    memset(o, 0, sizeof(*o));
}

void target_applied_release(struct target_applied *a)
{
    free(a->manifests);
    free(a->url);
    memset(a, 0, sizeof(*a));
}

void target_say_output(const struct target_call *c, const char *line, size_t n)
{
    cleanup_buf struct buf b;

    buf_init(&b, OUTPUT_LINE_MAX);
    (void) buf_addstr(&b, "       ");
    text_clean(&b, line, n);
    c->say(c->say_arg, buf_str(&b));
}
