/* A release in work: what its steps share. For deployer/release*.c only. */
#ifndef SLIPWAY_DEPLOYER_RELEASE_RUN_H
#define SLIPWAY_DEPLOYER_RELEASE_RUN_H

#include "deployer/release.h"
#include "deployer/release_log.h"

struct run {
    const struct release_worker *w;
    struct release *release;
    struct app app;
    struct app as;               /* the same under the name that it has with this release; its strings are borrowed */
    struct config_set config;    /* run scope, opened */
    struct vec suspended;        /* ids of cron tasks */
    struct certificate certificate; /* the app's own, opened; empty: none */
    const struct target_ops *ops; /* where it runs */
    struct target *target;       /* NULL until it is needed */
    bool moving;                 /* its app is on another one so far */
    struct release_log log;
    struct target_call call;
    struct inventory_item *made; /* what the target said it made, until it is written down */
    size_t n_made;
    struct err failure;          /* why the release has failed */
    bool canceled;
    char *url;
    int images;                  /* lock on the app's images from before it is live on; -1 */
};

/* Opens the target where that hasn't been done. */
int run_target(struct run *r, struct err *err);

/* Is there a release command that is still to be run? */
bool run_has_command(const struct run *r);

/* The postdeploy script that is still to be run: only of the first release that gets so far. NULL: there is none. The
 * caller frees it. */
char *run_postdeploy(const struct run *r);

/* Applies a release (this one, or the one that is put back). Release *ret. The objects of an apply that failed
 * half-way are written down here, of one that did well by run_applied. */
int run_apply(struct run *r, const struct target_release *t, struct target_applied *ret, struct err *err);

/* Writes down the objects and, of this release itself (applied not NULL), its manifests and that its rollout begins. */
int run_applied(struct run *r, const struct target_applied *applied, struct err *err);

/* Removes what the app has from other releases than `keep`. What stays is tried again by the next release. */
void run_prune(struct run *r, int64_t keep);

/* Warns where the image names no process, where none of those that it names will run, and where one that runs so far is
 * none of them: what a slip in a Procfile makes. Nothing of an image that isn't resolved yet. */
void run_say_processes(struct run *r);

/* " !     v8 failed: …" */
void run_say_failed(struct run *r);

/* " !     v7 is still live.", where one is. */
void run_say_still_live(struct run *r);

/* The steps (deployer/step.h). 0 or -1; what a -1 means is told from the pulse. */
int step_publish(struct run *r, struct err *err);
int step_command(struct run *r, struct err *err);
int step_apply(struct run *r, struct err *err);
int step_rollout(struct run *r, struct err *err);
int step_postdeploy(struct run *r, struct err *err);
int step_finish(struct run *r, struct err *err);
int step_restore(struct run *r, struct err *err);
int step_fail(struct run *r, struct err *err);
int step_hand_back(struct run *r, struct err *err);

#endif
