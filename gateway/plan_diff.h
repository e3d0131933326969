/* What a release would change, made readable: the objects that the deployer has compared (deployer/stream_plan.h), field
 * by field. Pure. */
#ifndef SLIPWAY_GATEWAY_PLAN_DIFF_H
#define SLIPWAY_GATEWAY_PLAN_DIFF_H

#include "base/buf.h"

#include <jansson.h>

/* Of [{"kind", "name", "before": object | null, "after": object | null, "note": text | null}]:
 * [{"object": "Deployment web", "change": "added" | "changed" | "removed" | "same",
 *   "fields": [{"field": "spec.replicas", "from": value | null, "to": value | null}], "note": text | null}], in the
 * order of kinds and names. A value is a text, a number, a truth value, or an empty list or object; elements of a list
 * that all have a name go by it. Fields of a removed object are left out; there are at most PLAN_FIELDS_MAX of one. "same":
 * there is only a note. What isn't of that form is left out. The caller decrefs. */
#define PLAN_FIELDS_MAX 200 /* a Deployment has some sixty */
json_t *plan_changes(const json_t *objects);

/* Appends lines: "~ Deployment web", "-     spec.replicas: 3", "+     spec.replicas: 1". Values are cut to
 * PLAN_VALUE_MAX bytes. -1 where out is full. */
#define PLAN_VALUE_MAX 400  /* a command line */
int plan_lines(const json_t *changes, struct buf *out);

#endif
