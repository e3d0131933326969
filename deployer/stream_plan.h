/* What a release would change, as a request of a session:
 *   {"op": "plan", "app_id": N, "build": id | null, "formation": {"web": 2}, "config": ["A", …]}
 * answered by one JSON array (target_plan_add's objects). Nothing is changed: no row, no object. The release would be
 * made of the build (null: of the live release), and of the app's config and counts of now; formation and config: what
 * the push brings by its app.json besides, counts of types that have none and names without their values. */
#ifndef SLIPWAY_DEPLOYER_STREAM_PLAN_H
#define SLIPWAY_DEPLOYER_STREAM_PLAN_H

#include "deployer/stream.h"
#include "deployer/target.h"
#include "sql/store.h"

struct stream_plan {
    int64_t build_id;        /* 0: none */
    struct formation formation;
    struct vec config;
};
/* The rest of such a request, checked. ERR_USAGE. Release *ret. */
int stream_plan_read(const struct stream_request *r, struct stream_plan *ret, struct err *err);
void stream_plan_release(struct stream_plan *q);

/* ERR_FAILED where there is nothing that could be released. *ret: the caller's. */
int stream_plan_make(const struct conf *c, struct store *s, const struct app *app, const struct stream_plan *q,
                     const struct target_ops *ops, struct target *t, json_t **ret, struct err *err);

#endif
