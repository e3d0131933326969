/* What the config commands share. */
#ifndef SLIPWAY_GATEWAY_CMD_CONFIG_H
#define SLIPWAY_GATEWAY_CMD_CONFIG_H

#include "gateway/cmd.h"

/* The changes that a command asks for; values are borrowed. */
struct changes {
    struct config_change *v;
    size_t n;
    struct vec names;
    struct buf input; /* standard input, where a value is @- */
};
void changes_init(struct changes *s);
void changes_release(struct changes *s);

/* One more, with its name checked and copied; its scopes and value are the caller's to fill. NULL: no name, or one
 * that is there already. */
struct config_change *changes_add(struct changes *s, const char *name, struct err *err);

/* Changes the config and, where an app is live, makes and follows a release, in one transaction. */
int changes_do(struct command_ctx *c, const struct changes *s, bool set, struct err *err);

/* A session cannot open sealed values: the deployer does, for those of run scope. {"NAME": "value"} of a config
 * version; NULL name: all. The caller decrefs it. NULL with ERR_NONE: the person went away. */
json_t *config_values(struct command_ctx *c, int64_t version, const char *name, struct err *err);

/* Calls fn for each variable that differs between two sets, sorted by name; a or b is NULL where the set lacks it. */
typedef void config_diff_fn(void *arg, const struct config_var *a, const struct config_var *b);
void config_diff(const struct config_set *from, const struct config_set *to, config_diff_fn *fn, void *arg);

#endif
