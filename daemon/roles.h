/* The table of roles: what each is called, which user it runs as, and what may be started by hand. */
#ifndef SLIPWAY_DAEMON_ROLES_H
#define SLIPWAY_DAEMON_ROLES_H

#include "base/conf.h"
#include "base/err.h"
#include "base/spawn.h"

#include <stdbool.h>
#include <sys/types.h>

#define GROUP_ALL "slipway"               /* of every role: the database, logs, wake files, sockets */
#define GROUP_REGISTRY "slipway-registry" /* of those that may read the build registry's credential */
#define USER_GIT "slipway-git"
#define USER_BUILD "slipway-build"
#define USER_DEPLOY "slipway-deploy"
#define USER_ROUTER "slipway-router"      /* Caddy, on the docker target */

#define ROLE_FD 3 /* where a role finds the socket that it was given */

struct role_row {
    const char *name;
    const char *user;      /* each has a group of the same name */
    bool registry;         /* in GROUP_REGISTRY */
    bool engine;           /* may use the Docker socket's group */
    bool at_start;         /* the supervisor starts it and keeps it running */
    bool bind_ports;       /* may bind ports below 1024 */
    bool (*needed)(const struct conf *c); /* of those: only where this says so; NULL: always */
    const char *socket;    /* in the state folder: the supervisor listens on it, and the role gets it as ROLE_FD */
    int (*run)(const struct conf *c); /* returns the exit code */
};

/* Ended by a row whose name is NULL. */
extern const struct role_row roles[];

const struct role_row *role_find(const char *name);

/* Who a role is on this machine. */
struct role_ids {
    uid_t uid;
    gid_t gid;
    gid_t groups[SPAWN_GROUPS_MAX];
    size_t n_groups;
};

/* Looks the row's user and groups up; ERR_FAILED says to run `slipway init` where one is missing. */
int role_ids(const struct conf *c, const struct role_row *r, struct role_ids *ret, struct err *err);

/* Fills s for starting a role: program, user (only as root), limits. argv and env are the caller's. */
int role_spawn(const struct conf *c, const struct role_row *r, struct spawn *s, struct err *err);

/* What a role's files are not open for. Repositories have the builder's group, for reading only. */
mode_t role_umask(const struct role_row *r);

/* Listens on the role's socket (base/ipc.h), which belongs to the role's user. The caller closes it. */
int role_listen(const struct conf *c, const struct role_row *r, struct err *err);

/* Becomes the role's user in this process; only as root. */
int role_become(const struct conf *c, const struct role_row *r, struct err *err);

/* What a role's process does: prepares itself (signals, umask, no core dumps), reads the configuration
 * and runs it. Returns the exit code. */
int role_main(const char *name, const char *config);

/* Sets up logging as the configuration says. */
void role_log(const char *name, const struct conf *c);

#endif
