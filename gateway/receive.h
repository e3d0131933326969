/* The state of one push while it is served. Internal: receive.c leads through it, receive_check.c decides
 * on the commands, receive_finish.c takes in, queues and waits, receive_plan.c does what -o plan asks for. */
#ifndef SLIPWAY_GATEWAY_RECEIVE_H
#define SLIPWAY_GATEWAY_RECEIVE_H

#include "base/buf.h"
#include "gateway/policy.h"
#include "gateway/push.h"
#include "gateway/quarantine.h"
#include "gateway/refs.h"
#include "gateway/session.h"
#include "gateway/sideband.h"

#include <git2.h>
#include <stdbool.h>

struct receive {
    struct session *s;
    bool no_build;           /* conf's build = none: objects and refs are taken, nothing is built */
    bool has_app;
    struct app app;          /* where it does not exist yet: name and deploy branch, id 0 */
    char *new_path;          /* the repository of an app that does not exist yet */
    int new_lock;
    git_repository *repo;
    struct advert advert;
    struct push push;
    struct buf in;           /* read from the peer, not yet used */
    struct sideband_io sideband;

    struct push_ref *deploy; /* the command for the deploy branch; NULL: none */
    bool no_cache, detach, plan; /* push options */
    char *message;           /* borrowed from push.options; NULL: none */
    struct policy_result policy;
    uint64_t pack_bytes;
    bool cut;                /* the pushed history is shallow */
    int64_t build_id;        /* once queued */
};
void receive_release(struct receive *r);

/* An app that the push is to create: a repository of its own until the push is taken in. */
int receive_new_app_prepare(struct receive *r, const char *name, struct err *err);
void receive_new_app_release(struct receive *r);

/* Push options, and for each command whether it is allowed; reasons are set in the refs. */
void receive_check(struct receive *r);

/* receive_plan.c: refuses what can't be planned; says what the built image's release would change, and refuses all refs.
 * -1: nobody is there. */
void receive_plan_check(struct receive *r);
int receive_plan_show(struct receive *r, const struct build *b);

/* Creates the app where it is new, moves the objects in, makes and moves tags (without --atomic), and all
 * refs where nothing is built. */
int receive_take_in(struct receive *r, struct quarantine *q, struct err *err);

/* Writes who pushed what, and what came of it so far: 0, or ERR_FAILED where it was refused. */
void receive_audit(struct receive *r, int result);

/* Queues the build and waits for its end, then what is left to do for the refs. -1: the peer has gone. */
int receive_finish(struct receive *r);

#endif
