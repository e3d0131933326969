#include "config.h"

#include "deployer/target.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct target_ops *const targets[] = { &target_kubernetes };

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

void target_applied_release(struct target_applied *a)
{
    free(a->manifests);
    free(a->url);
    memset(a, 0, sizeof(*a));
}
