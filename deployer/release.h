/* One release, from its leased row to its end (deployer/step.h). */
#ifndef SLIPWAY_DEPLOYER_RELEASE_H
#define SLIPWAY_DEPLOYER_RELEASE_H

#include "base/conf.h"
#include "base/err.h"
#include "deployer/publish.h"
#include "deployer/pulse.h"
#include "deployer/target.h"
#include "sql/tables.h"

struct release_worker {
    const struct conf *conf;
    struct store *store;
    const struct lease *me;
    target_find_fn *find;      /* target_find, or a test's */
    /* publish_image, or what a test puts in its place. */
    int (*publish)(const struct publish *p, char **ret_image, struct err *err);
    /* Removes the app's images that are beyond the kept ones, after a release is live; NULL: it isn't done. lock: of
     * images_claim. */
    void (*retain)(const struct conf *c, struct store *s, const struct app *a, int lock);
    struct pulse *pulse;       /* begun */
};

/* Walks the steps, keeps the row and writes the release's log. 0 when the release has an end, was handed back
 * or belongs to another worker now; -1 where not even that could be brought about (the row's lease then
 * runs out, and the next worker goes on). */
int release_run(const struct release_worker *w, struct release *r, struct err *err);

#endif
