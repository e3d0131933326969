/* What a release has put into the target, read out of its row (releases.manifests): names of the objects, and what
 * differs between two releases. The documents are of our own making; values of the config do not stand in them.
 * Pure. */
#ifndef SLIPWAY_GATEWAY_MANIFEST_DIFF_H
#define SLIPWAY_GATEWAY_MANIFEST_DIFF_H

#include "base/err.h"

#include <jansson.h>

/* ["Deployment slipway-shop-web", …], sorted; of NULL (nothing was applied): []. The caller decrefs. NULL and
 * err where it is no list of objects. */
json_t *manifest_names(const char *manifests, struct err *err);

/* [{"object": "Deployment slipway-shop-web", "change": "added" | "removed" | "changed",
 *   "fields": ["spec.replicas", …]}], sorted by object; fields only where changed, and at most
 * MANIFEST_FIELDS_MAX of them. The caller decrefs; NULL as above. */
#define MANIFEST_FIELDS_MAX 100 /* more is another object, not a change that somebody reads */
json_t *manifest_diff(const char *from, const char *to, struct err *err);

#endif
