#include "config.h"

#include "deployer/docker/reconcile.h"

#include "base/json.h"
#include "base/library.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/wake.h"
#include "deployer/config_open.h"
#include "deployer/docker/cron.h"
#include "deployer/docker/docker.h"
#include "deployer/docker/runs.h"
#include "sql/tables.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EVENT_MAX (256 * 1024)   /* an event carries all labels of its container's image */
#define EVENTS_BACK_S 2          /* events are asked for from before the list on: one too many does no harm */
#define CONNECT_MIN_MS 100       /* before a lost engine is tried again; doubles */
#define CONNECT_MAX_MS 5000
#define BUSY_MS 1000             /* before an app that another process changes is looked at again */
#define RETRY_MIN_MS 2000        /* before an app that can't be repaired is tried again; doubles */
#define RETRY_MAX_MS 300000
#define REPAIR_MS 60000          /* that an app's containers get to come up: the others wait meanwhile */
#define RELEASES_MAX 20          /* newest releases of an app that are looked at for one in progress */

struct watched {
    char *name;
    int64_t id;              /* 0: no row: its containers are orphans */
    int64_t live_release_id;
    bool elsewhere;          /* it runs on another target: what it has here is no concern of ours */
    bool dirty;
    bool waiting;            /* for the end of a release that is on its way */
    uint64_t due, pause;     /* not before; the last pause after a failure */
};

struct reconcile {
    const struct conf *conf;
    struct store *store;
    struct target *target;
    struct retirees *retirees;
    struct engine_stream *events;
    struct watched *v;
    size_t n;
    int wake_fd, signal_fd, fd; /* fd: epoll of both */
    uint64_t connect_at, connect_pause;
    uint64_t begun_at;       /* of the first look at all apps; 0: it was said how long it took */
    uint64_t runs_at;        /* when the one-off commands are looked at again; 0: at an event */
    bool runs_dirty;
    uint64_t cron_at;        /* the same of scheduled tasks */
    bool cron_dirty;
};

/* --- what is watched */

static struct watched *app_watch(struct reconcile *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].name, name) == 0)
            return &r->v[i];
    r->v = xrealloc_n(r->v, r->n + 1, sizeof(*r->v));
    r->v[r->n] = (struct watched) { .name = xstrdup(name), .dirty = true };
    return &r->v[r->n++];
}

/* Reads the apps' rows; those with another live release than before are to be looked at. */
static int apps_read(struct reconcile *r, struct err *err)
{
    struct app *v;
    size_t n;

    if (apps_list(r->store, 0, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < r->n; i++)
        r->v[i].id = 0;
    for (size_t i = 0; i < n; i++) {
        struct watched *w = app_watch(r, v[i].handle);

        w->id = v[i].id;
        w->elsewhere = app_lives_elsewhere(&v[i]);
        if (w->live_release_id != v[i].live_release_id || w->waiting)
            w->dirty = true;
        w->waiting = false;
        w->live_release_id = v[i].live_release_id;
        app_release(&v[i]);
    }
    free(v);
    /* The rows of an app that is gone: nothing may be left of it. */
    for (size_t i = r->n; i > 0; i--) {
        if (r->v[i - 1].id != 0 || r->v[i - 1].dirty)
            continue;
        free(r->v[i - 1].name);
        r->v[i - 1] = r->v[--r->n];
    }
    return 0;
}

static void on_event(void *arg, int stream, const char *line, size_t n)
{
    struct reconcile *r = arg;
    json_auto_t *doc = json_parse(line, n, "an event", NULL);
    const char *action = json_str(doc, "Action", "");
    const char *app = json_string_value(json_object_get(json_at(doc, "Actor.Attributes"), LABEL_APP));

    (void) stream;
    if (app == NULL || app_name_check(app, NULL) < 0)
        return;
    if (json_object_get(json_at(doc, "Actor.Attributes"), LABEL_RUN) != NULL) {
        r->runs_dirty = r->runs_dirty || strcmp(action, "start") == 0 || strcmp(action, "die") == 0;
        return;
    }
    if (strcmp(action, "die") == 0 || strcmp(action, "destroy") == 0 || strcmp(action, "rename") == 0 ||
        strcmp(action, "stop") == 0)
        app_watch(r, app)->dirty = true;
}

/* --- one app */

/* False for one that moves the app away: until it is live, what is here serves. */
static bool is_here(const struct release *r)
{
    return r->target[0] == '\0' || strcmp(r->target, target_docker.name) == 0;
}

/* True where a release of the app is on its way: its worker has the say. */
static int in_progress(struct reconcile *r, int64_t app_id, struct err *err)
{
    struct release *v;
    bool found = false;
    size_t n;

    if (releases_list(r->store, app_id, RELEASES_MAX, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        found = found || (v[i].state == RELEASE_RELEASING && is_here(&v[i]));
        release_release(&v[i]);
    }
    free(v);
    return found;
}

static void say(void *arg, const char *line)
{
    (void) arg;
    log_info("%s", line + strspn(line, " "));
}

static int repair(struct reconcile *r, const struct app *app, struct release *live, struct err *err)
{
    struct target_call call = { .say = say, .wake_fd = -1 };
    struct config_set config = { NULL, 0 };
    struct certificate certificate = { .chain = NULL };
    struct target_release tr = { .app = app, .release = live, .image = live->image, .config = &config,
                                 .certificate = &certificate, .restore = true };
    enum deploy_state state = DEPLOY_SAME;
    int rc = config_open_run(r->store, app->id, live->config_version, &config, err);

    if (rc == 0)
        rc = certificates_open(r->store, app, &certificate, err);
    if (rc == 0)
        rc = deploy_compare(r->target, &tr, &state, err);
    if (rc == 0 && state != DEPLOY_SAME) {
        log_info("%s is brought back to v%" PRId64, app->name, live->version);
        rc = deploy_begin(r->target, &tr, NULL, NULL, err);
        if (rc == 0)
            rc = state == DEPLOY_INCOMPLETE ? deploy_settle(r->target, err)
                                            : deploy_end(r->target, &call, REPAIR_MS, err);
    }
    config_set_release(&config);
    certificate_release(&certificate);
    return rc;
}

/* Takes all of the app's containers out of service. */
static int retire_all(struct reconcile *r, const char *name, struct err *err)
{
    struct containers have;
    int rc = 0;

    if (app_containers(r->target, name, &have, err) < 0)
        return -1;
    for (size_t i = 0; i < have.n && rc == 0; i++)
        if (!have.v[i].retired)
            rc = container_retire(r->target, &have.v[i], err);
    containers_release(&have);
    return rc;
}

/* 1: a release is on its way, 0: done, -1. */
static int app_repair(struct reconcile *r, const char *name, struct err *err)
{
    struct release live;
    struct err why = ERR_INIT;
    struct app app;
    int rc;

    /* The row is read under the lock: no release begins or ends unseen. */
    if (apps_get_handle(r->store, name, &app, &why) < 0) {
        if (why.code != ERR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        return retire_all(r, name, err);
    }
    if (app_lives_elsewhere(&app)) {
        app_release(&app);
        return 0;
    }
    rc = app.deleting ? 1 : in_progress(r, app.id, err);
    if (rc == 0 && app.live_release_id == 0) {
        rc = retire_all(r, name, err);
    } else if (rc == 0) {
        rc = releases_get(r->store, app.live_release_id, &live, err);
        if (rc == 0) {
            rc = repair(r, &app, &live, err);
            release_release(&live);
        }
    }
    app_release(&app);
    return rc;
}

/* -1: the engine is gone. */
static int app_service(struct reconcile *r, size_t i, struct err *err)
{
    cleanup_free char *name = xstrdup(r->v[i].name);
    struct err why = ERR_INIT;
    struct containers have;
    struct watched *w;
    int rc;

    r->v[i].dirty = false;
    if (r->v[i].elsewhere)
        return 0;
    rc = app_lock(r->target, name, false, &why);
    if (rc == 0) {
        rc = app_repair(r, name, &why);
        app_unlock(r->target);
    }
    if (rc >= 0 && app_containers(r->target, name, &have, &why) == 0) {
        retirees_take(r->retirees, &have);
        containers_release(&have);
    }
    w = app_watch(r, name); /* events may have moved it */
    if (why.code == ERR_NONE) {
        w->waiting = rc > 0;
        w->pause = 0;
        return 0;
    }
    if (why.code == ERR_DOWN) {
        *err = why;
        w->dirty = true;
        return -1;
    }
    w->dirty = true;
    w->pause = why.code == ERR_BUSY ? BUSY_MS : w->pause < RETRY_MIN_MS ? RETRY_MIN_MS
             : w->pause * 2 < RETRY_MAX_MS ? w->pause * 2 : RETRY_MAX_MS;
    w->due = loop_now() + w->pause;
    if (why.code != ERR_BUSY)
        log_warn("%s: %s; tried again in %d s", name, why.msg, (int) (w->pause / 1000));
    return 0;
}

/* Returns ms until it wants to be called again, -1: at the next event, -2: the engine is gone. */
static int apps_service(struct reconcile *r, struct err *err)
{
    int64_t soonest = -1;

    for (size_t i = 0; i < r->n; i++) {
        uint64_t now = loop_now();

        if (r->v[i].dirty && now >= r->v[i].due && app_service(r, i, err) < 0)
            return -2;
    }
    for (size_t i = 0; i < r->n; i++) {
        uint64_t now = loop_now();
        int64_t left = r->v[i].due > now ? (int64_t) (r->v[i].due - now) : 0;

        if (r->v[i].dirty && (soonest < 0 || left < soonest))
            soonest = left;
    }
    return (int) soonest;
}

/* --- images */

/* When an app's old containers are gone, so may be images that it can't go back to. */
static void on_gone(void *arg, const char *name)
{
    struct reconcile *r = arg;
    cleanup_vec struct vec keep = VEC_INIT;
    cleanup_free char *repository = NULL;
    struct err err = ERR_INIT;
    struct release live;
    struct app app;
    int rc;

    if (apps_get_handle(r->store, name, &app, NULL) < 0)
        return;
    rc = app.live_release_id != 0 ? releases_get(r->store, app.live_release_id, &live, NULL) : -1;
    if (rc == 0 && live.image != NULL)
        repository = xstrndup(live.image, strcspn(live.image, "@"));
    if (rc == 0)
        release_release(&live);
    if (repository != NULL &&
        images_kept(r->store, app.id, (int) r->conf->revision_history, &keep, &err) == 0) {
        rc = image_prune(r->target, repository, &keep, &err);
        if (rc > 0)
            log_info("%s: %d old image%s removed", name, rc, rc == 1 ? "" : "s");
    }
    if (err.code != ERR_NONE)
        log_warn("%s: %s", name, err.msg);
    app_release(&app);
}

/* --- the engine's events */

static void engine_lost(struct reconcile *r, const struct err *why)
{
    engine_stream_close(r->events);
    r->events = NULL;
    retirees_free(r->retirees);
    r->retirees = NULL;
    if (r->connect_pause == 0)
        log_warn("%s", why->msg);
    r->connect_pause = r->connect_pause == 0 ? CONNECT_MIN_MS
                     : r->connect_pause * 2 < CONNECT_MAX_MS ? r->connect_pause * 2 : CONNECT_MAX_MS;
    r->connect_at = loop_now() + r->connect_pause;
}

/* Opens the event stream, and begins anew with all apps and all containers. */
static int engine_connect(struct reconcile *r, struct err *err)
{
    cleanup_free char *since = xasprintf("&since=%lld", (long long) time(NULL) - EVENTS_BACK_S);
    cleanup_free char *path = app_query(r->conf, "/events", NULL, "container", since);
    struct containers have;

    r->begun_at = loop_now();
    r->events = engine_stream_open(r->target->engine, "GET", path, NULL, DEMUX_LINES, EVENT_MAX, on_event, r, err);
    if (r->events == NULL || app_containers(r->target, NULL, &have, err) < 0)
        return -1;
    if (r->connect_pause > CONNECT_MIN_MS)
        log_info("the Docker engine answers again");
    r->connect_pause = 0;
    r->retirees = retirees_new(r->target);
    retirees_take(r->retirees, &have);
    for (size_t i = 0; i < have.n; i++)
        (void) app_watch(r, have.v[i].app);
    containers_release(&have);
    for (size_t i = 0; i < r->n; i++)
        r->v[i].dirty = true;
    r->runs_dirty = true;
    r->cron_dirty = true;
    return 0;
}

/* Returns ms until the one-off commands are to be looked at again, -1: at the next event. */
static int one_offs_service(struct reconcile *r)
{
    uint64_t now = loop_now();

    if (r->runs_dirty || (r->runs_at != 0 && now >= r->runs_at)) {
        int ms = runs_service(r->target);

        r->runs_dirty = false;
        r->runs_at = ms >= 0 ? loop_now() + (uint64_t) ms + 1 : 0;
    }
    return r->runs_at == 0 ? -1 : r->runs_at > now ? (int) (r->runs_at - now) : 0;
}

static int tasks_service(struct reconcile *r)
{
    uint64_t now = loop_now();

    if (r->cron_dirty || (r->cron_at != 0 && now >= r->cron_at)) {
        int ms = cron_service(r->target, r->store);

        r->cron_dirty = false;
        r->cron_at = ms >= 0 ? loop_now() + (uint64_t) ms + 1 : 0;
    }
    return r->cron_at == 0 ? -1 : r->cron_at > now ? (int) (r->cron_at - now) : 0;
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

/* One round. *ret_ms: how long to wait then. -1: the engine is gone. */
static int round_do(struct reconcile *r, int *ret_ms, struct err *err)
{
    uint64_t now = loop_now();
    int a, b;

    if (r->events == NULL && now < r->connect_at) {
        *ret_ms = (int) (r->connect_at - now);
        return 0;
    }
    if (r->events == NULL && engine_connect(r, err) < 0)
        return -1;
    if (apps_read(r, err) < 0)
        return -1;
    a = apps_service(r, err);
    if (a == -2)
        return -1;
    if (a < 0 && r->begun_at != 0) {
        log_info("looked at what runs of %zu app%s, in %" PRIu64 " ms", r->n, r->n == 1 ? "" : "s", loop_now() - r->begun_at);
        r->begun_at = 0;
        library_pages_release();
    }
    b = retirees_service(r->retirees, on_gone, r);
    *ret_ms = sooner(sooner(a, b), sooner(one_offs_service(r), tasks_service(r)));
    if (engine_stream_done(r->events, err) != 0)
        return err->code != ERR_NONE ? -1 : err_set(err, ERR_DOWN, "the Docker engine stopped sending events");
    return 0;
}

/* The configuration counts from a new start on, which costs nothing. */
static void reload(const struct conf *c)
{
    cleanup_vec struct vec argv = VEC_INIT;

    role_argv(c, "reconcile", &argv);
    (void) execv(ROLE_PATH, vec_argv(&argv));
    log_error("cannot start again: %s", strerror(errno));
}

static void fds_read(struct reconcile *r)
{
    struct signalfd_siginfo s;

    (void) wake_drain(r->wake_fd, NULL);
    r->cron_dirty = true;
    if (read(r->signal_fd, &s, sizeof(s)) == (ssize_t) sizeof(s))
        reload(r->conf);
}

static int fds_open(struct reconcile *r, struct err *err)
{
    cleanup_free char *wake = store_releases_wake(r->store);
    struct epoll_event e = { .events = EPOLLIN };
    sigset_t set;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGHUP);
    (void) sigprocmask(SIG_BLOCK, &set, NULL);
    r->wake_fd = wake_open(err);
    if (r->wake_fd < 0 || wake_watch(r->wake_fd, wake, err) < 0)
        return -1;
    r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r->fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->signal_fd < 0 || r->fd < 0 || epoll_ctl(r->fd, EPOLL_CTL_ADD, r->wake_fd, &e) < 0 ||
        epoll_ctl(r->fd, EPOLL_CTL_ADD, r->signal_fd, &e) < 0)
        return err_errno(err, "cannot wait for wakes and signals");
    return 0;
}

int reconcile_main(const struct conf *c)
{
    struct reconcile r = { .conf = c };
    struct err err = ERR_INIT;
    bool readable;

    if (store_open(c->state, false, &r.store, &err) < 0 || fds_open(&r, &err) < 0 ||
        target_docker.open(c, &r.target, &err) < 0) {
        log_error("%s", err.msg);
        return (int) err.code;
    }
    if (router_prepare(c, &err) < 0 || router_load(c, &err) < 0)
        log_warn("%s", err.msg);
    for (;;) {
        int ms = -1;

        err_clear(&err);
        if (round_do(&r, &ms, &err) < 0) {
            engine_lost(&r, &err);
            continue;
        }
        if (engine_wait(r.target->engine, ms, r.fd, &readable, &err) < 0) {
            log_error("%s", err.msg);
            return (int) err.code;
        }
        if (readable)
            fds_read(&r);
    }
}
