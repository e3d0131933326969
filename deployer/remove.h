/* Removing what destroyed apps (apps:destroy) have in the target, and then their rows. */
#ifndef SLIPWAY_DEPLOYER_REMOVE_H
#define SLIPWAY_DEPLOYER_REMOVE_H

#include "base/conf.h"
#include "base/err.h"
#include "deployer/target.h"
#include "sql/store.h"

#include <stdbool.h>

/* Is there an app to remove that no other worker is removing? 1 (the right to do it is in *ret_lock, a descriptor
 * that the caller closes afterwards), 0, or -1. *ret_waiting: there are some, but another has the right. */
int remove_begin(struct store *s, int *ret_lock, bool *ret_waiting, struct err *err);

/* Removes all that are marked. An app whose builds still run, or that the target can't remove now, stays for the
 * next try: *ret_left. -1 only where the database fails. */
int remove_apps(const struct conf *c, struct store *s, const struct target_ops *ops, size_t *ret_left,
                struct err *err);

#endif
