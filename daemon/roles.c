#include "config.h"

#include "daemon/roles.h"

#include "base/ipc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/role.h"
#include "builder/builder.h"
#include "daemon/check.h"
#include "deployer/deployer.h"
#include "deployer/docker/reconcile.h"
#include "deployer/docker/router.h"
#include "deployer/stream.h"
#include "gateway/gateway.h"
#include "sql/migrate.h"
#include "sql/seal.h"
#include "sql/store.h"
#include "sql/tables.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int listener_run(const struct conf *c)
{
    return listener_main(c, ROLE_FD);
}

static int session_run(const struct conf *c)
{
    return session_main(c, ROLE_FD);
}

static int archive_run(const struct conf *c)
{
    return archive_main(c, ARCHIVE_RESULT_FD);
}

static int image_run(const struct conf *c)
{
    return image_archive_main(c, ARCHIVE_RESULT_FD);
}

static int deployer_run(const struct conf *c)
{
    return deployer_main(c, ROLE_FD);
}

static int stream_run(const struct conf *c)
{
    return stream_main(c, ROLE_FD);
}

/* In a process of its own, so that the supervisor never opens the database. */
static int migrate_run(const struct conf *c)
{
    struct store *s = NULL;
    struct err err = ERR_INIT;

    /* Only init makes a database: an empty one in the place of a lost one would forget every app. */
    if (store_open_any(c->state, true, &s, &err) == 0) {
        store_close(s);
        if (seal_keys_check(c->state, &err) == 0 && store_migrate(c->state, &err) == 0 && store_open(c->state, false, &s, &err) == 0) {
            int rc = targets_fill(s, conf_target(c), &err);

            store_close(s);
            if (rc == 0)
                return 0;
        }
    }
    log_error("%s", err.msg);
    return (int) err.code;
}

static bool reconcile_needed(const struct conf *c)
{
    return conf_target_check(c, "docker", NULL) == 0;
}

static bool router_needed(const struct conf *c)
{
    return reconcile_needed(c) && c->router_start;
}

const struct role_row roles[] = {
    { .name = "listener", .user = USER_GIT, .at_start = true, .run = listener_run },
    { .name = "session", .user = USER_GIT, .run = session_run },
    { .name = "archive", .user = USER_GIT, .run = archive_run },
    { .name = "image", .user = USER_GIT, .run = image_run },
    { .name = "builder", .user = USER_BUILD, .registry = true, .engine = true, .at_start = true,
      .run = builder_main },
    { .name = "build", .user = USER_BUILD, .registry = true, .engine = true, .run = build_worker_main },
    { .name = "deployer", .user = USER_DEPLOY, .registry = true, .at_start = true,
      .socket = "run/deployer.sock", .run = deployer_run },
    { .name = "release", .user = USER_DEPLOY, .registry = true, .run = release_worker_main },
    { .name = "stream", .user = USER_DEPLOY, .registry = true, .run = stream_run },
    { .name = "reconcile", .user = USER_DEPLOY, .registry = true, .at_start = true, .needed = reconcile_needed,
      .run = reconcile_main },
    { .name = "router", .user = USER_ROUTER, .at_start = true, .bind_ports = true, .needed = router_needed,
      .run = router_main },
    { .name = "migrate", .user = USER_GIT, .run = migrate_run },
    { .name = "check-git", .user = USER_GIT, .run = check_git_run },
    { .name = "check-build", .user = USER_BUILD, .registry = true, .engine = true, .run = check_build_run },
    { .name = "check-deploy", .user = USER_DEPLOY, .registry = true, .run = check_deploy_run },
    { .name = NULL },
};

const struct role_row *role_find(const char *name)
{
    for (const struct role_row *r = roles; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

static int group_add(struct role_ids *ids, const char *name, struct err *err)
{
    struct group *g;

    errno = 0;
    g = getgrnam(name);
    if (g == NULL)
        return err_set(err, ERR_FAILED, "there is no group %s; run as root: slipway init", name);
    ids->groups[ids->n_groups++] = g->gr_gid;
    return 0;
}

/* The Docker socket that a role works with; NULL: none. */
static const char *engine_socket(const struct conf *c, const struct role_row *r)
{
    if (strcmp(r->user, USER_DEPLOY) == 0 && reconcile_needed(c))
        return c->engine_socket[0] != '\0' ? c->engine_socket : c->docker_socket;
    return r->engine ? c->docker_socket : NULL;
}

int role_ids(const struct conf *c, const struct role_row *r, struct role_ids *ret, struct err *err)
{
    struct role_ids ids = { 0 };
    struct passwd *p = getpwnam(r->user);
    const char *engine = engine_socket(c, r);
    struct stat st;

    if (p == NULL)
        return err_set(err, ERR_FAILED, "there is no user %s; run as root: slipway init", r->user);
    ids.uid = p->pw_uid;
    ids.gid = p->pw_gid;
    if (group_add(&ids, GROUP_ALL, err) < 0 || (r->registry && group_add(&ids, GROUP_REGISTRY, err) < 0))
        return -1;
    /* Whoever may write to the engine's socket is as good as root anyway, so the group that it
     * has is taken as it is: "docker" mostly, root's where nobody changed it. */
    if (engine != NULL && stat(engine, &st) == 0 && (st.st_mode & S_IWGRP) != 0)
        ids.groups[ids.n_groups++] = st.st_gid;
    *ret = ids;
    return 0;
}

int role_spawn(const struct conf *c, const struct role_row *r, struct spawn *s, struct err *err)
{
    struct role_ids ids;

    s->path = ROLE_PATH;
    s->no_new_privileges = true;
    if (geteuid() != 0)
        return 0;
    if (role_ids(c, r, &ids, err) < 0)
        return -1;
    s->set_ids = true;
    s->uid = ids.uid;
    s->gid = ids.gid;
    memcpy(s->groups, ids.groups, sizeof(ids.groups));
    s->n_groups = ids.n_groups;
    s->bind_ports = r->bind_ports;
    return 0;
}

mode_t role_umask(const struct role_row *r)
{
    return strcmp(r->user, USER_GIT) == 0 ? 027 : 007;
}

/* Made as the role's user: root may not give a file away where it has no capability but those for becoming
 * another user, as in the service's unit. */
int role_listen(const struct conf *c, const struct role_row *r, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "%s", r->socket);
    gid_t group = getegid();
    struct role_ids ids;
    int fd = -1;

    if (geteuid() != 0)
        return ipc_listen(path, err);
    if (role_ids(c, r, &ids, err) < 0)
        return -1;
    /* The first of its groups is GROUP_ALL, which the folder is open for. */
    if (setegid(ids.groups[0]) < 0 || seteuid(ids.uid) < 0)
        (void) err_errno(err, "cannot become %s", r->user);
    else
        fd = ipc_listen(path, err);
    if (seteuid(0) < 0 || setegid(group) < 0)
        abort(); /* a supervisor that is not what it was must not go on */
    return fd;
}

int role_become(const struct conf *c, const struct role_row *r, struct err *err)
{
    struct role_ids ids;

    if (role_ids(c, r, &ids, err) < 0)
        return -1;
    if (setgroups(ids.n_groups, ids.groups) < 0 || setresgid(ids.gid, ids.gid, ids.gid) < 0
        || setresuid(ids.uid, ids.uid, ids.uid) < 0)
        return err_errno(err, "cannot become %s", r->user);
    return 0;
}

void role_log(const char *name, const struct conf *c)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    enum log_level level = LOG_LEVEL_INFO;

    for (size_t i = 0; i < countof(levels); i++)
        if (strcmp(c->log_level, levels[i]) == 0)
            level = (enum log_level) i;
    log_init(name, level, strcmp(c->log_format, "json") == 0);
}

int role_main(const char *name, const char *config)
{
    const struct role_row *r = role_find(name);
    const struct rlimit no_core = { 0, 0 };
    struct err err = ERR_INIT;
    struct conf c;
    int rc;

    if (r == NULL) {
        log_error("there is no role %s", name);
        return ERR_USAGE;
    }
    (void) umask(role_umask(r));
    (void) signal(SIGPIPE, SIG_IGN);
    (void) prctl(PR_SET_NAME, "slipway"); /* else "exe", from ROLE_PATH, in top(1) and in the kernel's messages */
    /* Keys and config values must neither land in a core file nor be read by another process of the user. */
    (void) setrlimit(RLIMIT_CORE, &no_core);
#ifndef SLIPWAY_SANITIZED /* LeakSanitizer traces its own process */
    (void) prctl(PR_SET_DUMPABLE, 0);
#endif
    json_init();
    log_init(r->name, LOG_LEVEL_INFO, false);
    if (conf_load(&c, config, &err) < 0) {
        log_error("%s", err.msg);
        return (int) err.code;
    }
    role_log(r->name, &c);
    rc = r->run(&c);
    conf_release(&c);
    return rc;
}
