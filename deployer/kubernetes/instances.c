#include "config.h"

#include "deployer/kubernetes/instances.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct instance *instances_find(struct instances *all, const char *uid)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].pod.uid, uid) == 0)
            return &all->v[i];
    return NULL;
}

struct instance *instances_take(struct instances *all, const json_t *doc)
{
    struct instance *i;
    struct pod p;

    if (pod_read(doc, &p, NULL) < 0)
        return NULL;
    i = instances_find(all, p.uid);
    if (p.process[0] == '\0' || (i == NULL && all->n >= INSTANCES_MAX)) {
        pod_release(&p);
        return NULL;
    }
    if (i != NULL) {
        pod_release(&i->pod);
        i->pod = p;
        return i;
    }
    all->v = xrealloc_n(all->v, all->n + 1, sizeof(*all->v));
    i = &all->v[all->n++];
    *i = (struct instance) { .pod = p };
    return i;
}

void instances_drop(struct instances *all, struct instance *i)
{
    pod_release(&i->pod);
    *i = all->v[--all->n];
}

static int by_stay(const void *a, const void *b)
{
    const struct pod *p = &((const struct instance *) a)->pod,
                     *q = &((const struct instance *) b)->pod;

    if (p->deleting != q->deleting)
        return p->deleting - q->deleting;
    if (p->created_at != q->created_at)
        return p->created_at < q->created_at ? -1 : 1;
    return strcmp(p->name, q->name);
}

static int by_number(const void *a, const void *b)
{
    const struct instance *p = a, *q = b;
    int rc = strcmp(p->pod.process, q->pod.process);

    return rc != 0 ? rc : (p->number > q->number) - (p->number < q->number);
}

static int lowest_free(const struct instances *all, const char *process)
{
    for (int number = 1;; number++) {
        bool taken = false;

        for (size_t i = 0; i < all->n && !taken; i++)
            taken = all->v[i].number == number && strcmp(all->v[i].pod.process, process) == 0;
        if (!taken)
            return number;
    }
}

void instances_number(struct instances *all)
{
    if (all->n == 0)
        return;
    qsort(all->v, all->n, sizeof(*all->v), by_stay);
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].number == 0)
            all->v[i].number = lowest_free(all, all->v[i].pod.process);
    qsort(all->v, all->n, sizeof(*all->v), by_number);
}

char *instance_name(const struct instance *i)
{
    return xasprintf("%s.%d", i->pod.process, i->number);
}

void instances_release(struct instances *all)
{
    for (size_t i = 0; i < all->n; i++)
        pod_release(&all->v[i].pod);
    free(all->v);
    all->v = NULL;
    all->n = 0;
}
