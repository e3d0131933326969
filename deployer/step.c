#include "config.h"

#include "deployer/step.h"

#include "base/mem.h"

#include <string.h>

const struct step_row step_rows[] = {
    { STEP_PUBLISH, OUTCOME_DONE, STEP_COMMAND },
    { STEP_PUBLISH, OUTCOME_FAILED, STEP_FAIL },
    { STEP_PUBLISH, OUTCOME_CANCELED, STEP_FAIL },
    { STEP_PUBLISH, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_PUBLISH, OUTCOME_LOST, STEP_END },

    { STEP_COMMAND, OUTCOME_DONE, STEP_APPLY },
    { STEP_COMMAND, OUTCOME_FAILED, STEP_FAIL },
    { STEP_COMMAND, OUTCOME_CANCELED, STEP_FAIL },
    { STEP_COMMAND, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_COMMAND, OUTCOME_LOST, STEP_END },

    /* From here on the target may hold something of this release. */
    { STEP_APPLY, OUTCOME_DONE, STEP_ROLLOUT },
    { STEP_APPLY, OUTCOME_FAILED, STEP_RESTORE },
    { STEP_APPLY, OUTCOME_CANCELED, STEP_RESTORE },
    { STEP_APPLY, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_APPLY, OUTCOME_LOST, STEP_END },

    { STEP_ROLLOUT, OUTCOME_DONE, STEP_POSTDEPLOY },
    { STEP_ROLLOUT, OUTCOME_FAILED, STEP_RESTORE },
    { STEP_ROLLOUT, OUTCOME_CANCELED, STEP_RESTORE },
    { STEP_ROLLOUT, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_ROLLOUT, OUTCOME_LOST, STEP_END },

    /* A script that fails is told of, and the step is done. */
    { STEP_POSTDEPLOY, OUTCOME_DONE, STEP_FINISH },
    { STEP_POSTDEPLOY, OUTCOME_FAILED, STEP_RESTORE }, /* the row could not be written */
    { STEP_POSTDEPLOY, OUTCOME_CANCELED, STEP_RESTORE },
    { STEP_POSTDEPLOY, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_POSTDEPLOY, OUTCOME_LOST, STEP_END },

    { STEP_FINISH, OUTCOME_DONE, STEP_END },
    { STEP_FINISH, OUTCOME_FAILED, STEP_END }, /* the row could not be written: who leases it next tries again */
    { STEP_FINISH, OUTCOME_LOST, STEP_END },

    /* It is not canceled, and failing does not change what the release has come to. */
    { STEP_RESTORE, OUTCOME_DONE, STEP_FAIL },
    { STEP_RESTORE, OUTCOME_FAILED, STEP_FAIL },
    { STEP_RESTORE, OUTCOME_STOPPING, STEP_HAND_BACK },
    { STEP_RESTORE, OUTCOME_LOST, STEP_END },

    { STEP_FAIL, OUTCOME_DONE, STEP_END },
    { STEP_FAIL, OUTCOME_FAILED, STEP_END },
    { STEP_FAIL, OUTCOME_LOST, STEP_END },
    { STEP_HAND_BACK, OUTCOME_DONE, STEP_END },
    { STEP_HAND_BACK, OUTCOME_FAILED, STEP_END },
    { STEP_HAND_BACK, OUTCOME_LOST, STEP_END },
    { STEP_END, OUTCOME_DONE, STEP_END },
};

enum step step_next(enum step from, enum outcome outcome)
{
    for (const struct step_row *r = step_rows; r->from != STEP_END; r++) {
        if (r->from == from && r->outcome == outcome)
            return r->to;
    }
    return STEP_END;
}

static const char *const names[] = {
    [STEP_PUBLISH] = "publish", [STEP_COMMAND] = "command", [STEP_APPLY] = "apply",
    [STEP_ROLLOUT] = "rollout", [STEP_POSTDEPLOY] = "postdeploy", [STEP_RESTORE] = "restore",
};

const char *step_name(enum step s)
{
    return (size_t) s < countof(names) && names[s] != NULL ? names[s] : "";
}

enum step step_first(const char *name, bool published, bool cancel)
{
    enum step s = STEP_PUBLISH;

    for (size_t i = 0; i < countof(names); i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0)
            s = (enum step) i;
    }
    if (s == STEP_RESTORE)
        return s;
    if (cancel)
        return s == STEP_APPLY || s == STEP_ROLLOUT || s == STEP_POSTDEPLOY ? STEP_RESTORE : STEP_FAIL;
    if (!published)
        return STEP_PUBLISH;
    return s == STEP_ROLLOUT || s == STEP_POSTDEPLOY ? STEP_APPLY : s == STEP_PUBLISH ? STEP_COMMAND : s;
}
