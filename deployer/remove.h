/* Removing from the targets what destroyed apps (apps:destroy) have there, and then their rows; and what apps have left
 * on a target that they were moved away from, or that a move to it failed on (sql/targets.c). */
#ifndef SLIPWAY_DEPLOYER_REMOVE_H
#define SLIPWAY_DEPLOYER_REMOVE_H

#include "base/conf.h"
#include "base/err.h"
#include "deployer/target.h"
#include "sql/store.h"

#include <stdbool.h>

/* Is there something to remove that no other worker is removing? 1 (the right to do it is in *ret_lock, a descriptor
 * that the caller closes afterwards), 0, or -1. *ret_waiting: there is, but another has the right. */
int remove_begin(struct store *s, int *ret_lock, bool *ret_waiting, struct err *err);

struct removal {
    const struct conf *conf;
    struct store *store;
    target_find_fn *find;
    /* Removes the images of an app, retention_run; NULL: none is removed. */
    void (*retain)(const struct conf *c, struct store *s, const struct app *a, int lock);
};

/* Removes all of it. An app whose builds still run, and what a target can't remove now, stays for the next try:
 * *ret_left. -1 only where the database fails. */
int remove_all(const struct removal *r, size_t *ret_left, struct err *err);

#endif
