/* What has to happen so that an app's containers are those of a release: wanted against observed. Pure.
 *
 * A web container has one of a set's addresses: set S, number N has the N-th. The router sends requests to one set,
 * the live one; a release whose web containers differ gets another set, which becomes live as a whole. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_PLAN_H
#define SLIPWAY_DEPLOYER_DOCKER_PLAN_H

#include "base/err.h"
#include "deployer/docker/container.h"

#define SETS 4       /* releases of one app that may serve or drain at a time */
#define SET_SIZE 31  /* web containers of one release; SETS * SET_SIZE addresses are half of a /24 */

/* A process that a release has. */
struct plan_want {
    const char *process;
    int count;
    char template[TEMPLATE_SIZE];
};

enum plan_do {
    PLAN_KEEP,               /* runs, or restarts by itself */
    PLAN_START,              /* is there and stopped */
    PLAN_RETIRE,             /* is of no use, once the wanted ones serve */
    PLAN_EVICT,              /* is in the way, out of service, and has had its time */
    PLAN_LEAVE,              /* out of service already, or not a process of the app */
};

struct plan_new { const char *process, *template; int number; };

struct plan {
    enum plan_do *what;      /* of each container of the list, in its order */
    struct plan_new *make;
    size_t n_make;
    int set;                 /* of web; -1: web has no instance */
};

/* live_set: the set that the router sends requests to. again (may be NULL): the process that gets new containers
 * whatever it has, "" for all (a restart). ERR_FAILED where a process has more instances than there is room for.
 * Strings are borrowed from want. Release with plan_release. */
int plan_make(const struct plan_want *want, size_t n, const struct containers *have, int live_set, const char *again,
              struct plan *ret, struct err *err);
void plan_release(struct plan *p);

/* True where nothing has to be made, started or retired. */
bool plan_is_done(const struct plan *p, const struct containers *have);

#endif
