/* Role "release": one process, one piece of work. */
#include "config.h"

#include "deployer/deployer.h"

#include "base/log.h"
#include "base/mem.h"
#include "deployer/image_sweep.h"
#include "deployer/pulse.h"
#include "deployer/release.h"
#include "deployer/remove.h"
#include "deployer/retention.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define REMOVE_AGAIN_MS 15000 /* until what could not be removed is tried again */
#define EXPIRY_MIN_MS 1000    /* a lease that has run out and isn't ours to take must not make us spin */

struct worker {
    const struct conf *conf;
    struct store *store;
    struct lease me;
    struct pulse pulse;
};

/* Another worker may be started: this one has work. */
static void report_busy(void)
{
    if (write(WORKER_FD, "b", 1) != 1)
        log_debug("nobody waits to hear that there is work");
}

static void set_number(enum log_field field, int64_t n)
{
    cleanup_free char *text = xasprintf("%" PRId64, n);

    log_set(field, text);
}

static int do_release(struct worker *w, struct release *r, struct err *err)
{
    struct release_worker rw = { .conf = w->conf, .store = w->store, .me = &w->me, .find = target_find,
                                 .publish = publish_image, .retain = retention_run, .pulse = &w->pulse };
    int rc;

    report_busy();
    log_set(LOG_APP, r->app);
    set_number(LOG_RELEASE, r->id);
    if (r->build_id != 0)
        set_number(LOG_BUILD, r->build_id);
    log_info("v%" PRId64 ": %s, attempt %d", r->version, r->description, r->attempts);
    pulse_begin(&w->pulse, r->id, r->cancel);
    rc = release_run(&rw, r, err);
    if (r->image_file != NULL)
        image_sweep(w->store);
    release_release(r);
    return rc;
}

/* How long an idle worker may sleep when nobody wakes it; again_ms: at most so long, -1: no matter. */
static int idle_ms(struct worker *w, bool remove_waits, int again_ms, struct err *err)
{
    int64_t at = 0, ms;

    if (leases_next_expiry(w->store, &at, err) < 0)
        return -2;
    ms = at == 0 ? -1 : at - store_now() + 1;
    if (at != 0 && ms < EXPIRY_MIN_MS)
        ms = EXPIRY_MIN_MS;
    if (remove_waits && (ms < 0 || ms > REMOVE_AGAIN_MS))
        ms = REMOVE_AGAIN_MS;
    if (again_ms >= 0 && (ms < 0 || ms > again_ms))
        ms = again_ms;
    return ms > INT_MAX ? INT_MAX : (int) ms;
}

static bool goes_on(void *arg)
{
    return !pulse_stopped(arg);
}

/* 1: there was work and it is done, 0: nothing to do now, -1. */
static int try_work(struct worker *w, bool *ret_remove_waits, int *ret_again_ms, struct err *err)
{
    struct rotation_worker rotation = { report_busy, goes_on, &w->pulse };
    struct release r;
    cleanup_close int lock = -1;
    size_t left = 0;
    int rc = releases_lease(w->store, &w->me, &r, err);

    if (rc < 0)
        return -1;
    if (rc == 1)
        return do_release(w, &r, err) < 0 ? -1 : 1;
    image_sweep(w->store);
    rc = rotation_work(w->store, SEAL_RUN, &rotation, ret_again_ms, err);
    if (rc != 0)
        return rc;
    rc = remove_begin(w->store, &lock, ret_remove_waits, err);
    if (rc != 1)
        return rc;
    report_busy();
    if (remove_all(&(struct removal){ w->conf, w->store, target_find, retention_run }, &left, err) < 0)
        return -1;
    /* What is left needs time and no place: this worker waits as an idle one would. */
    *ret_remove_waits = left > 0;
    return left > 0 ? 0 : 1;
}

static int work(struct worker *w, struct err *err)
{
    for (;;) {
        bool remove_waits = false;
        int ms, rc, again_ms = -1;

        /* Reads the events away first: what changes from here on wakes the wait below. */
        if (pulse_stopped(&w->pulse))
            return 0;
        rc = try_work(w, &remove_waits, &again_ms, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        ms = idle_ms(w, remove_waits, again_ms, err);
        if (ms == -2 || pulse_wait(&w->pulse, ms, err) < 0)
            return -1;
    }
}

int release_worker_main(const struct conf *c)
{
    struct worker w = { .conf = c };
    struct err err = ERR_INIT;
    cleanup_free char *owner = xasprintf("release-%d", (int) getpid());
    int rc = -1;

    if (lease_self(owner, &w.me, &err) == 0 && store_open(c->state, false, &w.store, &err) == 0) {
        if (pulse_init(&w.pulse, w.store, &w.me, &err) == 0) {
            rc = work(&w, &err);
            pulse_release(&w.pulse);
        }
        store_close(w.store);
    }
    if (rc == 0)
        return 0;
    log_error("%s", err.msg);
    return err.code != ERR_NONE ? (int) err.code : ERR_FAILED;
}
