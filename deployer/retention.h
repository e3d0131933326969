/* Removes an app's images from the registries when no release can need them any more ([release] revision_history). */
#ifndef SLIPWAY_DEPLOYER_RETENTION_H
#define SLIPWAY_DEPLOYER_RETENTION_H

#include "base/conf.h"
#include "sql/tables.h"

/* Deletes them by their digests in both registries; of an app that is being destroyed, all. lock: of images_claim, held by the caller. What fails is logged, and tried
 * again after the app's next release; a registry that deletes nothing is logged once. Takes some seconds at most. */
void retention_run(const struct conf *c, struct store *s, const struct app *a, int lock);

#endif
