/* Keeps a release's lease while its worker waits for something else, and tells the worker when to
 * stop. A wait watches pulse_fd beside its own descriptors and asks pulse_stopped when it is readable; a timer
 * makes it readable often enough for the lease. */
#ifndef SLIPWAY_DEPLOYER_PULSE_H
#define SLIPWAY_DEPLOYER_PULSE_H

#include "base/err.h"
#include "deployer/step.h"
#include "sql/store.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a worker may go on after SIGTERM before it hands its release back. The supervisor
 * waits longer than this and what the deployer waits for its workers. */
#define PULSE_DRAIN_MS 20000

struct pulse {
    struct store *store;
    const struct lease *me;
    int64_t release_id;        /* 0: no lease yet */
    int fd, signal_fd, timer_fd, wake_fd;
    uint64_t renewed_at, term_at; /* loop_now; term_at 0: no SIGTERM yet */
    bool cancel, lost;
    bool ignore_cancel;        /* while the last live release is put back */
};

/* Blocks SIGTERM in this process and watches it, run/releases.wake and a timer. */
int pulse_init(struct pulse *p, struct store *s, const struct lease *me, struct err *err);
void pulse_release(struct pulse *p);

/* From now on the lease of this release is renewed. cancel: its row asks for it already. */
void pulse_begin(struct pulse *p, int64_t release_id, bool cancel);

/* Readable when pulse_stopped should be asked again. */
int pulse_fd(const struct pulse *p);

/* True when what runs should end; pulse_outcome says why. arg: the pulse (target_call.canceled). */
bool pulse_stopped(void *arg);

/* OUTCOME_LOST, OUTCOME_STOPPING, OUTCOME_CANCELED, or OUTCOME_FAILED where nothing asked to stop. */
enum outcome pulse_outcome(const struct pulse *p);

/* True where that is not the end of the release: its next worker goes on (target_call.handed_on). */
bool pulse_handed_on(void *arg);

/* Waits for run/releases.wake, SIGTERM or timeout_ms (-1: none). */
int pulse_wait(struct pulse *p, int timeout_ms, struct err *err);

#endif
