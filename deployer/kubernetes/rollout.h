/* Whether a release's Deployments have come up, told from their documents and their pods'. A state
 * machine: it is fed what the watches bring and says what that means. Pure.
 * The condition ProgressDeadlineExceeded is not looked at: it stays on a Deployment that is set back
 * to a template that it had before, and the caller has a time limit of its own.
 * Source: k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go, k8s.io/api/apps/v1. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_ROLLOUT_H
#define SLIPWAY_DEPLOYER_KUBERNETES_ROLLOUT_H

#include "base/buf.h"
#include "base/err.h"
#include "deployer/kubernetes/watch.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct rollout;

/* max_restarts: crashes of one pod that mean failure. boot_limit_s: until web has to listen; 0: it has checks of its
 * own, which tell. */
struct rollout *rollout_new(int max_restarts, int boot_limit_s);
void rollout_free(struct rollout *r);

/* Waits for the Deployment of this process too. generation: metadata.generation as the apply
 * answered; documents of an older one are from before. */
void rollout_expect(struct rollout *r, const char *process, int64_t generation);

/* What the watches bring. now: ms of a monotonic clock. */
void rollout_deployment(struct rollout *r, enum kube_event event, const json_t *doc);
void rollout_pod(struct rollout *r, enum kube_event event, const json_t *doc, int64_t now);

enum rollout_verdict { ROLLOUT_GOING, ROLLOUT_DONE, ROLLOUT_FAILED };

struct rollout_failure {
    /* one sentence that begins with the process: "web crashed 3 times (exit 1)"; owned */
    char *why;
    char *process;           /* owned */
    char *pod;               /* whose log tells more; NULL: none; owned */
    bool previous;           /* of the container before its restart */
    char *no_node;           /* uid of a pod that found no node for a while; NULL: another reason; owned */
};
void rollout_failure_release(struct rollout_failure *f);

/* What it all means now. *ret_again_ms: time after which the answer may be another without a new
 * event, -1: none. *ret (where ROLLOUT_FAILED): release it. */
enum rollout_verdict rollout_judge(struct rollout *r, int64_t now, int *ret_again_ms,
                                   struct rollout_failure *ret);

/* Nodes are being added for this pod (a failure's no_node): from now on it may wait. */
void rollout_allow_wait(struct rollout *r, const char *uid);

/* "web 1/2 ready, worker 1/1 ready": appended to out, once all Deployments were seen. Processes
 * that need no instance are left out. */
void rollout_progress(const struct rollout *r, struct buf *out);

/* Fills *ret as rollout_judge does where the time is over: says who isn't ready and what is
 * known of it. */
void rollout_overdue(struct rollout *r, int64_t seconds, struct rollout_failure *ret);

#endif
