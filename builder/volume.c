#include "config.h"

#include "builder/volume.h"

#include "builder/work.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

/* The cache of an app is a volume of the engine. spool/app-ID.lock is locked while a pack uses it, and
 * holds its name, so that it can be removed when the app is gone. */

#define VOLUME_NAME_MAX 128 /* ours have half of it */

/* The engine may serve several installations, and an app's number may be given out again: none of
 * them may find another's files in its cache. */
static char *volume_name(const struct work *w, int64_t app_created_at)
{
    char digest[DIGEST_SIZE];

    digest_of(w->conf->state, strlen(w->conf->state), digest);
    return xasprintf(VOLUME_PREFIX "%.8s-%lld-%llx", strchr(digest, ':') + 1, (long long) w->build.app_id,
                     (long long) app_created_at);
}

static int open_lock(const struct conf *c, const char *file)
{
    cleanup_free char *path = conf_state_path(c, "spool/%s", file);

    return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* The volume that the file names, or NULL. The caller frees it. */
static char *read_name(int fd)
{
    char name[VOLUME_NAME_MAX];
    ssize_t n = pread(fd, name, sizeof(name) - 1, 0);

    if (n <= 0 || strncmp(name, VOLUME_PREFIX, sizeof(VOLUME_PREFIX) - 1) != 0)
        return NULL;
    return xstrndup(name, (size_t) n);
}

char *volume_of(const struct conf *c, int64_t app_id)
{
    cleanup_free char *path = conf_state_path(c, "spool/app-%lld.lock", (long long) app_id);
    cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 ? read_name(fd) : NULL;
}

/* Under the lock: the file names the volume that this build uses. That of a former app of this number goes. */
static int claim(struct work *w, struct err *err)
{
    cleanup_free char *before = read_name(w->lock);
    size_t n = strlen(w->volume);
    bool purge = false;

    if (errands_purge_asked(w->store, w->build.app_id, &purge, err) != 0)
        return -1;
    if (before != NULL && strcmp(before, w->volume) == 0 && !purge)
        return docker_volume_free(w->docker, w->volume, err);
    if (before != NULL && docker_volume_remove(w->docker, before, err) != 0)
        return err_wrap(err, "removing %s cache", purge ? "the purged" : "a former app's");
    if (purge && errands_purged(w->store, w->build.app_id, err) != 0)
        return -1;
    if (ftruncate(w->lock, 0) != 0 || pwrite(w->lock, w->volume, n, 0) != (ssize_t) n)
        return err_errno(err, "noting the cache's name");
    return 0;
}

static void on_alarm(int signo)
{
    (void) signo; /* its only purpose is to interrupt flock(2) */
}

static int wait_for_lock(struct work *w, int fd, struct err *err)
{
    struct itimerval every = { { 1, 0 }, { 1, 0 } }, off = { { 0, 0 }, { 0, 0 } };
    struct sigaction act = { .sa_handler = on_alarm }, before;
    int rc;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    progress_detail(&w->log, "Waiting until the last build has saved its cache");
    /* flock has no timeout: the timer interrupts it so that the lease is renewed meanwhile. */
    (void) sigaction(SIGALRM, &act, &before);
    (void) setitimer(ITIMER_REAL, &every, NULL);
    while ((rc = flock(fd, LOCK_EX)) != 0 && errno == EINTR && work_goes_on(w))
        ;
    if (rc != 0)
        (void) err_errno(err, "waiting for the cache");
    (void) setitimer(ITIMER_REAL, &off, NULL);
    (void) sigaction(SIGALRM, &before, NULL);
    return rc;
}

int work_lock_cache(struct work *w, struct err *err)
{
    cleanup_free char *file = xasprintf("app-%lld.lock", (long long) w->build.app_id);
    cleanup_close int fd = open_lock(w->conf, file);

    if (fd < 0)
        return err_errno(err, "opening spool/%s", file);
    if (wait_for_lock(w, fd, err) != 0)
        return -1;
    w->lock = steal_fd(fd);
    w->volume = volume_name(w, w->app_created_at);
    return claim(w, err);
}

int work_purge_cache(struct work *w, struct docker *d, int64_t app_id, struct err *err)
{
    cleanup_free char *file = xasprintf("app-%lld.lock", (long long) app_id), *name = NULL;
    cleanup_close int fd = open_lock(w->conf, file);

    if (fd < 0)
        return err_errno(err, "opening spool/%s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? 0 : err_errno(err, "locking spool/%s", file);
    name = read_name(fd);
    if (name != NULL && docker_volume_remove(d, name, err) != 0)
        return -1;
    return errands_purged(w->store, app_id, err) == 0 ? 1 : -1;
}

/* Removes the cache of an app that is gone. false: a pack uses it. */
static bool drop(struct work *w, struct docker *d, const char *file)
{
    cleanup_free char *path = conf_state_path(w->conf, "spool/%s", file), *name = NULL;
    cleanup_close int fd = open_lock(w->conf, file);
    struct err why = ERR_INIT;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return fd < 0 || errno != EWOULDBLOCK;
    name = read_name(fd);
    if (name != NULL && docker_volume_remove(d, name, &why) != 0)
        log_warn("the cache of a former app stays until a later build has ended: %s", why.msg);
    else
        (void) unlink(path);
    return true;
}

bool work_sweep_caches(struct work *w, struct docker *d)
{
    cleanup_free char *spool = conf_state_path(w->conf, "spool");
    DIR *dir = opendir(spool);
    struct dirent *e;
    bool all = true;

    if (dir == NULL)
        return true;
    while ((e = readdir(dir)) != NULL) {
        struct err why = ERR_INIT;
        struct app app;
        long long id;

        if (sscanf(e->d_name, "app-%lld.lock", &id) != 1)
            continue;
        if (apps_get_id(w->store, id, &app, &why) == 0)
            app_release(&app);
        else if (why.code == ERR_NOT_FOUND)
            all = drop(w, d, e->d_name) && all;
    }
    (void) closedir(dir);
    return all;
}
