#include "config.h"

#include "builder/builder.h"

#include "base/image_ref.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/wake.h"
#include "builder/tree.h"
#include "builder/work.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SHORT_COMMIT 7

static void on_stop(struct loop *l, int signo, void *arg)
{
    struct work *w = arg;

    (void) l;
    if (signo == SIGHUP) {
        w->leave = true;
    } else if (!w->stop) {
        w->stop = true;
        /* A worker whose dispatcher has died is not waited for by anybody. */
        w->stop_at = loop_now() + (getppid() == w->parent ? BUILDER_DRAIN_MS : 0);
    }
}

static void on_wake(struct loop *l, int fd, uint32_t events, void *arg)
{
    struct work *w = arg;

    (void) l;
    (void) events;
    (void) wake_drain(fd, NULL);
    w->woken = true;
}

static void renew(struct work *w)
{
    struct err err = ERR_INIT;
    bool cancel = false;

    w->renewed = loop_now();
    w->woken = false;
    if (builds_renew(w->store, &w->lease, w->build.id, &cancel, &err) != 0) {
        log_warn("renewing the lease: %s", err.msg);
        if (err.code == ERR_BUSY)
            w->end = WORK_LOST;
    } else if (cancel) {
        w->end = WORK_CANCELED;
    }
}

bool work_goes_on(struct work *w)
{
    struct err err = ERR_INIT;
    uint64_t now;

    if (w->end != WORK_GOES_ON)
        return false;
    if (loop_once(w->loop, 0, &err) != 0)
        log_warn("%s", err.msg);
    now = loop_now();
    if (!w->built && (w->woken || now - w->renewed >= LEASE_RENEW_MS))
        renew(w);
    if (w->end == WORK_GOES_ON && w->stop && now >= w->stop_at)
        w->end = WORK_STOPPING;
    if (w->end == WORK_GOES_ON && now - w->begun >= (uint64_t) w->conf->build_timeout)
        w->end = WORK_TIMED_OUT;
    return w->end == WORK_GOES_ON;
}

int work_due_ms(const struct work *w)
{
    uint64_t now = loop_now(), due = w->begun + (uint64_t) w->conf->build_timeout;

    if (!w->built && w->renewed + LEASE_RENEW_MS < due)
        due = w->renewed + LEASE_RENEW_MS;
    if (w->stop && w->stop_at < due)
        due = w->stop_at;
    if (w->end != WORK_GOES_ON)
        return INT_MAX; /* nothing more to find out */
    if (due <= now)
        return 0;
    return due - now > INT_MAX ? INT_MAX : (int) (due - now);
}

static bool ask_goes_on(void *arg)
{
    return !work_goes_on(arg);
}

/* The names of this build's image, folder and tag, and the clients. */
static int open_parts(struct work *w, struct err *err)
{
    const struct conf *c = w->conf;
    struct image_ref ref;
    struct oci_options o = {
        .registry = ref.registry, .insecure = c->registry_insecure, .ca_file = c->registry_ca,
        .auth_file = c->registry_auth, .auth_name = "[registry] auth", .canceled = ask_goes_on, .canceled_arg = w,
    };

    if (c->registry[0] == '\0')
        return err_set(err, ERR_FAILED, "the server has no build registry: [registry] host is not set");
    w->image = xasprintf("%s/%s", c->registry, w->build.handle);
    if (image_ref_parse(w->image, &ref, err) != 0)
        return err_wrap(err, "[registry] host");
    w->repository = xstrdup(ref.repository);
    (void) snprintf(w->tag, sizeof(w->tag), "b%lld", (long long) w->build.id);
    w->dir = conf_state_path(c, "spool/build-%lld", (long long) w->build.id);
    w->oci = oci_new(&o, err);
    if (w->oci == NULL)
        return -1;
    w->docker = docker_new(c->docker_socket, err);
    return w->docker != NULL ? 0 : -1;
}

static void close_parts(struct work *w)
{
    oci_free(w->oci);
    docker_free(w->docker);
    config_set_release(&w->vars);
    procfile_release(&w->procfile);
    free(w->repository);
    free(w->image);
    free(w->dir);
    free(w->lifecycle);
    free(w->volume);
    cleanup_close_p(&w->lock);
    cleanup_close_p(&w->images);
}

/* While this push waited, another one may have gone live that it does not contain. A forced push is one that
 * knew what was live. */
static int check_live(struct work *w, struct err *err)
{
    cleanup_free char *repo = conf_state_path(w->conf, "repos/%lld.git", (long long) w->build.app_id);
    struct app app;
    int rc = 0;

    if (apps_get_id(w->store, w->build.app_id, &app, err) != 0)
        return -1;
    w->app_created_at = app.created_at;
    if (app.live_commit != NULL && w->build.old_commit != NULL
        && strcmp(app.live_commit, w->build.old_commit) == 0)
        goto out;
    if (app.live_commit != NULL && tree_descends(repo, w->build.commit, app.live_commit) == 0)
        rc = err_set(err, ERR_FAILED, "%s moved to %.*s while this push waited; fetch first", w->build.branch,
                     SHORT_COMMIT, app.live_commit);
out:
    app_release(&app);
    return rc;
}

static int check_disk(const struct work *w, struct err *err)
{
    cleanup_free char *spool = conf_state_path(w->conf, "spool");
    int64_t room = 0;

    if (path_room(spool, &room, NULL, err) < 0)
        return -1;
    if (room < w->conf->build_disk)
        return err_set(err, ERR_FAILED, "the server's disk has %lld MiB free; a build needs %lld MiB (build_disk)",
                       (long long) (room >> 20), (long long) w->conf->build_disk >> 20);
    return 0;
}

/* The cache first: while it is locked the pack of a worker that was killed may still be ending. */
static int begin_pack(struct work *w, struct err *err)
{
    cleanup_free char *tag = xasprintf("%s:%s", w->image, w->tag);

    if (w->build.attempts <= 1)
        progress_step(&w->log, "Building with %s", w->conf->builder);
    else
        progress_step(&w->log, "Building again with %s (attempt %d)", w->conf->builder, w->build.attempts);
    if (work_lock_cache(w, err) != 0)
        return -1;
    if (w->build.attempts > 1 && docker_clear(w->docker, w->dir, tag, err) < 0)
        return -1;
    return work_prepare(w, err);
}

static int do_build(struct work *w, int *ret_code, struct err *err)
{
    struct err why = ERR_INIT;
    int rc;

    *ret_code = 1;
    if (w->build.cancel) {
        w->end = WORK_CANCELED;
        return err_set(err, ERR_FAILED, "canceled");
    }
    if (open_parts(w, err) != 0 || check_live(w, err) != 0 || check_disk(w, err) != 0
        || work_open_vars(w, err) != 0)
        return -1;
    if (cache_hash(w->conf, w->docker, w->build.tree, &w->vars, w->hash, &why) < 0)
        log_warn("the build's inputs cannot be compared: %s", why.msg);
    w->images = images_hold(w->store, w->build.app_id, err);
    if (w->images < 0)
        return -1;
    rc = work_reuse(w, err);
    if (rc != 0)
        return rc > 0 ? 0 : -1;
    if (begin_pack(w, err) != 0)
        return -1;
    return work_run_pack(w, ret_code, err);
}

/* The row's end, where the build was not built. */
static int give_up(struct work *w, int code, const struct err *why, struct err *err)
{
    switch (w->end) {
    case WORK_LOST:
        log_warn("build %lld belongs to another worker now", (long long) w->build.id);
        return 0;
    case WORK_STOPPING:
        progress_warn(&w->log, "The server is stopping; this build starts again when it is back.");
        return builds_hand_back(w->store, &w->lease, w->build.id, err);
    case WORK_CANCELED:
        progress_warn(&w->log, "The build was canceled.");
        return builds_failed(w->store, &w->lease, w->build.id, true, code, "canceled", err);
    case WORK_TIMED_OUT: {
        cleanup_free char *limit = conf_format(CONF_TIME, w->conf->build_timeout);
        cleanup_free char *reason = xasprintf("the build took longer than %s, the limit (build_timeout)", limit);

        progress_warn(&w->log, "%s", reason);
        return builds_failed(w->store, &w->lease, w->build.id, false, code, reason, err);
    }
    case WORK_GOES_ON:
        break;
    }
    progress_warn(&w->log, "%s", why->msg);
    return builds_failed(w->store, &w->lease, w->build.id, false, code, why->msg, err);
}

static int work_on(struct work *w, struct err *err)
{
    cleanup_free char *path = store_build_log(w->store, w->build.id);
    cleanup_free char *id = xasprintf("%lld", (long long) w->build.id);
    struct err why = ERR_INIT;
    int code = 1, rc = 0;

    log_set(LOG_APP, w->build.app);
    log_set(LOG_BUILD, id);
    log_set(LOG_USER, w->build.user);
    log_info("begins, commit %.*s", SHORT_COMMIT, w->build.commit);
    w->begun = w->renewed = loop_now();
    if (progress_open(&w->log, path, w->conf->build_output, err) != 0)
        return -1; /* the lease is free as soon as this process has ended */
    if (do_build(w, &code, &why) != 0 && !w->built) {
        log_info("ended without an image: %s", why.msg);
        rc = give_up(w, code, &why, err);
    }
    progress_close(&w->log);
    if (w->dir != NULL && w->end != WORK_LOST)
        work_clean(w);
    if (w->docker != NULL)
        (void) work_sweep_caches(w, w->docker); /* what could not be removed with its app */
    close_parts(w);
    store_touch_builds(w->store); /* who waits for the cache */
    return rc;
}

/* Tells the dispatcher that this worker waits no more, so that it starts the next one. */
static void tell_busy(void)
{
    if (fcntl(BUILDER_TELL_FD, F_GETFD) != -1 && write(BUILDER_TELL_FD, "B", 1) != 1)
        log_debug("the dispatcher is gone");
}

/* How long to wait where nobody wakes us: until a lease runs out. */
static int idle_ms(struct store *s)
{
    struct err err = ERR_INIT;
    int64_t expiry = 0, left;

    if (leases_next_expiry(s, &expiry, &err) != 0) {
        log_warn("%s", err.msg);
        return LEASE_MS;
    }
    if (expiry == 0)
        return -1;
    left = expiry - store_now() + 1;
    return left < 0 ? 0 : left > LEASE_MS ? LEASE_MS : (int) left;
}

static bool rotation_goes_on(void *arg)
{
    struct work *w = arg;

    (void) loop_once(w->loop, 0, NULL);
    return !w->stop && !w->leave;
}

/* 1: w->build is leased; 0: told to end, or other work is done; -1. */
static int wait_for_build(struct work *w, struct err *err)
{
    const struct rotation_worker rotation = { tell_busy, rotation_goes_on, w };

    for (;;) {
        int rc, ms, again_ms, errand_ms;

        if (w->stop || w->leave || getppid() != w->parent)
            return 0;
        /* Before it takes a build, which may need them. */
        if (config_copies_do(w->store, err) != 0 || work_errands(w, &errand_ms, err) != 0)
            return -1;
        rc = builds_lease(w->store, &w->lease, &w->build, err);
        if (rc != 0)
            return rc;
        rc = rotation_work(w->store, SEAL_BUILD, &rotation, &again_ms, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        ms = idle_ms(w->store);
        if (again_ms >= 0 && (ms < 0 || ms > again_ms))
            ms = again_ms;
        if (errand_ms >= 0 && (ms < 0 || ms > errand_ms))
            ms = errand_ms;
        if (loop_once(w->loop, ms, err) != 0)
            return -1;
        w->woken = false;
    }
}

static int worker_open(struct work *w, struct err *err)
{
    cleanup_free char *wake = NULL;

    w->loop = loop_new(err);
    if (w->loop == NULL || loop_signal(w->loop, SIGTERM, on_stop, w, err) == NULL
        || loop_signal(w->loop, SIGINT, on_stop, w, err) == NULL
        || loop_signal(w->loop, SIGHUP, on_stop, w, err) == NULL)
        return -1;
    (void) signal(SIGPIPE, SIG_IGN);
    if (store_open(w->conf->state, false, &w->store, err) != 0 || lease_self("builder", &w->lease, err) != 0)
        return -1;
    wake = store_builds_wake(w->store);
    w->wake_fd = wake_open(err);
    if (w->wake_fd < 0 || wake_watch(w->wake_fd, wake, err) < 0
        || loop_fd(w->loop, w->wake_fd, EPOLLIN, on_wake, w, err) == NULL)
        return -1;
    tree_init();
    return 0;
}

int build_worker_main(const struct conf *c)
{
    struct work w = { .conf = c, .wake_fd = -1, .lock = -1, .images = -1, .parent = getppid() };
    struct err err = ERR_INIT;
    int rc = worker_open(&w, &err);

    if (rc == 0)
        rc = wait_for_build(&w, &err);
    if (rc == 1) {
        tell_busy();
        rc = work_on(&w, &err);
        build_release(&w.build);
    }
    if (rc < 0)
        log_error("%s", err.msg);
    loop_free(w.loop);
    cleanup_close_p(&w.wake_fd);
    if (w.store != NULL)
        store_close(w.store);
    return rc < 0 ? 1 : 0;
}
