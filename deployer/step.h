/* The steps of a release as a state machine: which one is next after what came of the last. Pure; the
 * table is what the tests walk through. Every step may be done again, so that a release whose worker died
 * goes on with the step that its row names. */
#ifndef SLIPWAY_DEPLOYER_STEP_H
#define SLIPWAY_DEPLOYER_STEP_H

#include <stdbool.h>
#include <stddef.h>

enum step {
    STEP_PUBLISH,    /* image into the release registry */
    STEP_COMMAND,    /* release command */
    STEP_APPLY,      /* objects into the target */
    STEP_ROLLOUT,    /* until they serve */
    STEP_POSTDEPLOY, /* app.json's scripts.postdeploy, of an app's first release that serves */
    STEP_FINISH,     /* the row is live */
    STEP_RESTORE,    /* the last live release back into the target */
    STEP_FAIL,       /* the row is failed or canceled */
    STEP_HAND_BACK,  /* the row is pending again */
    STEP_END,        /* nothing more to do here */
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FAILED,
    OUTCOME_CANCELED,
    OUTCOME_STOPPING, /* the server stops, and the time that it gives is over */
    OUTCOME_LOST,     /* the lease is another's now: touch nothing more */
};

struct step_row {
    enum step from;
    enum outcome outcome;
    enum step to;
};

/* Every pair that can come up; ended by a row from STEP_END. */
extern const struct step_row step_rows[];

enum step step_next(enum step from, enum outcome outcome);

/* As releases.step has it ("publish", "command", "apply", "rollout", "postdeploy", "restore"); "" for the others,
 * which are not written down. */
const char *step_name(enum step s);

/* Where to begin: the row's step (""; unknown names count as ""), whether its image is published, whether
 * it is to be canceled. What was applied is applied again, as the watch needs it. */
enum step step_first(const char *name, bool published, bool cancel);

#endif
