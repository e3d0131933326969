#include "config.h"

#include "deployer/target.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_LINE_MAX (8 * 1024) /* of one line that is shown to the pusher */

const struct target_ops *const target_all[] = { &target_docker, &target_kubernetes, NULL };

const char *target_trait_text(enum target_trait t)
{
    static const char *const texts[TRAITS] = {
        [TRAIT_MACHINES] = "Processes on several machines",
        [TRAIT_ADDRESS] = "An address for `web`",
        [TRAIT_DOMAINS] = "Own host names (`domains:add`)",
        [TRAIT_HTTPS] = "HTTPS",
        [TRAIT_ROLLOUT] = "Releases without a failed request",
        [TRAIT_RESTART] = "Processes come back after a crash or a reboot",
        [TRAIT_COMMAND] = "The release command",
        [TRAIT_LOGS] = "`logs`",
        [TRAIT_ROUTER] = "What comes to the app's address (`logs -p router`)",
        [TRAIT_RUN] = "One-off commands (`run`, `run:detached`)",
        [TRAIT_EXEC] = "`enter`",
        [TRAIT_CHECKS] = "Health checks (`healthchecks` in app.json)",
        [TRAIT_CRON] = "Scheduled tasks (`cron` in app.json)",
        [TRAIT_LIMITS] = "Limits of CPU and memory ([release])",
        [TRAIT_REQUESTS] = "Reserved CPU and memory ([release])",
        [TRAIT_PIDS] = "A limit of processes and threads",
        [TRAIT_READ_ONLY] = "A read-only root file system",
        [TRAIT_MAINTENANCE] = "A maintenance page (`maintenance:on`)",
    };

    return texts[t];
}

const struct target_ops *target_find(const char *name)
{
    for (const struct target_ops *const *t = target_all; *t != NULL; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}

void target_plan_add(json_t *all, const char *kind, const char *name, json_t *before, json_t *after, const char *note)
{
    if (note == NULL && ((before == NULL && after == NULL) || json_equal(before, after))) {
        json_decref(before);
        json_decref(after);
        return;
    }
    json_array_append_new(all, json_pack("{s:s, s:s, s:o, s:o, s:s?}", "kind", kind, "name", name,
                                         "before", before != NULL ? before : json_null(),
                                         "after", after != NULL ? after : json_null(), "note", note));
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
    (void) text_clean(&b, line, n, true);
    c->say(c->say_arg, buf_str(&b));
}
