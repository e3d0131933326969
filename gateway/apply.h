/* Making an app's rows what a document says (gateway/app_document.h), and what that changes. */
#ifndef SLIPWAY_GATEWAY_APPLY_H
#define SLIPWAY_GATEWAY_APPLY_H

#include "gateway/app_document.h"
#include "gateway/command.h"

#define APPLY_LINE_MAX 512

struct apply {
    struct command_ctx *c;               /* c->app is the app */
    const struct app_document *document;
    bool is_new;                         /* made for this: what is there isn't a change, and values may be missing */
    json_t *changes;                     /* [{"key": "formation.web", "change": "changed", "from": 1, "to": 2}, …] */
    struct vec keys, missing;            /* of changes; of config whose value nobody has told */
    struct vec taken;                    /* domains of the document that stay those of other apps */
    bool image, config, domains;         /* another image is wanted; the config, the domains have changed */
};

/* Compares and changes rows, within the open transaction: all but the image, for which a->image is set. -1 names the
 * member that does not fit. */
int apply_rows(struct apply *a, struct err *err);
void apply_release(struct apply *a);

/* A change for people: "~ formation.web: 1 -> 2". Returns line. */
const char *apply_line(const json_t *change, char line[APPLY_LINE_MAX]);

/* Adds the changed keys to an audit row. */
void apply_detail(const struct apply *a, struct buf *detail, size_t most);

#endif
