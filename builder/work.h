/* One build in the hands of its worker. Used by the files of this folder only. */
#ifndef SLIPWAY_BUILDER_WORK_H
#define SLIPWAY_BUILDER_WORK_H

#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/oci.h"
#include "builder/cache.h"
#include "builder/docker.h"
#include "builder/procfile.h"
#include "builder/progress.h"
#include "sql/tables.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Why a build does not go on. */
enum work_end {
    WORK_GOES_ON,
    WORK_CANCELED,   /* somebody asked for it */
    WORK_TIMED_OUT,
    WORK_STOPPING,   /* the server stops: back to the queue */
    WORK_LOST,       /* the lease is another's: touch nothing any more */
};

struct work {
    const struct conf *conf;
    struct store *store;
    struct lease lease;
    struct loop *loop;
    int wake_fd;             /* watches run/builds.wake */
    bool stop;               /* SIGTERM has come */
    uint64_t stop_at;        /* loop_now() at which a build is handed back then */
    bool woken;              /* the builds.wake file was touched */
    bool leave;              /* SIGHUP has come: take no new build */
    pid_t parent;

    struct build build;
    int64_t app_created_at;
    enum work_end end;
    bool built;              /* the release's row is made; what follows is only cleaning up */
    uint64_t begun, renewed; /* loop_now() */
    struct progress log;
    struct oci *oci;         /* of the build registry */
    struct docker *docker;
    char *repository;        /* in the registry: "prefix/shop" */
    char *image;             /* "host/prefix/shop" */
    char tag[32];            /* "b57" */
    char *dir;               /* spool/build-57 */
    char *lifecycle;         /* image of the five phases; NULL: pack's choice */
    char *volume;            /* of the app's cache; set with the lock */
    int lock;                /* of the app's cache volume; -1: not held */
    int images;              /* of the app's images in the registry, until the release's row names this one; -1 */
    struct config_set vars;  /* build scope, opened */
    struct procfile procfile;
    char hash[CACHE_HASH_SIZE]; /* "": not known */
};

/* worker.c: renews the lease when its time has come, and looks whether the build shall go on: cheap,
 * called from every wait. */
bool work_goes_on(struct work *w);
/* Milliseconds until work_goes_on has something to do. */
int work_due_ms(const struct work *w);

/* prepare.c: the build's own folder: tree/, env/, pack/, docker/, report/, tmp/. */
int work_prepare(struct work *w, struct err *err);
/* Removes it. */
void work_clean(struct work *w);
/* Opens the build variables of the build's config version. */
int work_open_vars(struct work *w, struct err *err);
/* volume.c: waits until no pack uses the app's cache volume any more, and takes it. -1 where the build must
 * not go on (w->end), or err. */
int work_lock_cache(struct work *w, struct err *err);
/* errand.c: what the gateway asks for. *ret_again_ms: -1, or after how long to look again. */
int work_errands(struct work *w, int *ret_again_ms, struct err *err);
/* volume.c: removes the app's cache. 1: done, 0: a pack uses it, -1. */
int work_purge_cache(struct work *w, struct docker *d, int64_t app_id, struct err *err);
/* Removes the caches of apps that are gone. true: all that could be; false: a pack uses one. */
bool work_sweep_caches(struct work *w, struct docker *d);

/* run.c: runs pack; 0 where the build is built, -1 with the reason, *ret_code the exit code to keep. */
int work_run_pack(struct work *w, int *ret_code, struct err *err);

/* publish.c: the image is in the registry under the build's tag: reads its processes and makes the release. digest:
 * what it must be, "" where not known. ERR_NOT_FOUND where it is not there. */
int work_publish(struct work *w, const char *digest, struct err *err);
/* The same with an earlier build's image. 1: done, 0: there is none, -1. */
int work_reuse(struct work *w, struct err *err);

#endif
