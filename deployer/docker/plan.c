#include "config.h"

#include "deployer/docker/plan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_web(const char *process)
{
    return strcmp(process, PROCESS_WEB) == 0;
}

/* True for a container that can go on as an instance of want. */
static bool serves(const struct container *c, const struct plan_want *want)
{
    return !c->retired && c->state != CONTAINER_GONE && c->number >= 1 && strcmp(c->process, want->process) == 0 &&
           strcmp(c->template, want->template) == 0;
}

static bool is_in_set(const struct container *c, int set)
{
    return is_web(c->process) && c->set == set;
}

/* The set for web: the live one where it has such containers already, else another that has (a release goes
 * on where its worker was cut off), else the live one where all of it is gone (requests wait for it), else one
 * without any container, else the one whose newest container is the oldest: it drained the longest. */
static int set_choose(const struct plan_want *want, const struct containers *have, int live_set, bool again)
{
    int64_t newest[SETS] = { 0 }, best = INT64_MAX;
    int matches[SETS] = { 0 }, found = -1;

    for (size_t i = 0; i < have->n; i++) {
        const struct container *c = &have->v[i];

        if (!is_web(c->process) || c->set < 0 || c->set >= SETS)
            continue;
        if (c->created_at >= newest[c->set])
            newest[c->set] = c->created_at + 1; /* 0: the set is free */
        if (!again && serves(c, want))
            matches[c->set]++;
    }
    if (live_set >= 0 && matches[live_set] > 0)
        return live_set;
    for (int s = 0; s < SETS; s++)
        if (matches[s] > 0 && (found < 0 || matches[s] > matches[found]))
            found = s;
    if (found >= 0)
        return found;
    if (live_set >= 0 && newest[live_set] == 0)
        return live_set;
    for (int s = 0; s < SETS; s++) {
        if (s != live_set && newest[s] < best) {
            best = newest[s];
            found = s;
        }
    }
    return found;
}

/* Marks what of `have` serves as an instance of want, and adds what is missing. */
static void process_plan(const struct plan_want *want, const struct containers *have, bool again, int set,
                         struct plan *p)
{
    cleanup_free bool *filled = xcalloc((size_t) want->count + 1, sizeof(*filled));

    for (size_t i = 0; !again && i < have->n; i++) {
        const struct container *c = &have->v[i];

        if (!serves(c, want) || c->number > want->count || filled[c->number] ||
            (is_web(want->process) && c->set != set))
            continue;
        filled[c->number] = true;
        p->what[i] = c->state == CONTAINER_CREATED || c->state == CONTAINER_EXITED ? PLAN_START : PLAN_KEEP;
    }
    for (int number = 1; number <= want->count; number++) {
        if (filled[number])
            continue;
        p->make = xrealloc_n(p->make, p->n_make + 1, sizeof(*p->make));
        p->make[p->n_make++] = (struct plan_new) { want->process, want->template, number };
    }
}

/* A web container that holds an address which a new one needs is in the way. */
static void evict(const struct containers *have, struct plan *p)
{
    for (size_t i = 0; i < have->n; i++) {
        if (!is_in_set(&have->v[i], p->set) || p->what[i] == PLAN_KEEP || p->what[i] == PLAN_START)
            continue;
        for (size_t k = 0; k < p->n_make; k++)
            if (is_web(p->make[k].process) && p->make[k].number == have->v[i].number)
                p->what[i] = PLAN_EVICT;
    }
}

int plan_make(const struct plan_want *want, size_t n, const struct containers *have, int live_set, const char *again,
              struct plan *ret, struct err *err)
{
    struct plan p = { .set = -1 };

    for (size_t i = 0; i < n; i++)
        if (is_web(want[i].process) && want[i].count > SET_SIZE)
            return err_set(err, ERR_FAILED, "web=%d is more than the %d instances that the Docker target runs of an "
                           "app's web", want[i].count, SET_SIZE);
    p.what = xcalloc(have->n + 1, sizeof(*p.what));
    for (size_t i = 0; i < have->n; i++)
        p.what[i] = have->v[i].retired || strcmp(have->v[i].process, PROCESS_RELEASE) == 0 ? PLAN_LEAVE : PLAN_RETIRE;
    for (size_t i = 0; i < n; i++) {
        bool fresh = again != NULL && (again[0] == '\0' || strcmp(again, want[i].process) == 0);

        if (want[i].count <= 0)
            continue;
        if (is_web(want[i].process))
            p.set = set_choose(&want[i], have, live_set, fresh);
        process_plan(&want[i], have, fresh, p.set, &p);
    }
    if (p.set >= 0)
        evict(have, &p);
    *ret = p;
    return 0;
}

void plan_release(struct plan *p)
{
    free(p->what);
    free(p->make);
    memset(p, 0, sizeof(*p));
}

bool plan_is_done(const struct plan *p, const struct containers *have)
{
    for (size_t i = 0; i < have->n; i++)
        if (p->what[i] != PLAN_KEEP && p->what[i] != PLAN_LEAVE)
            return false;
    return p->n_make == 0;
}
