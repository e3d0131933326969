/* Inside sql/: names of apps. In a transaction that is open already. */
#ifndef SLIPWAY_SQL_NAMES_H
#define SLIPWAY_SQL_NAMES_H

#include "sql/model.h"
#include "sql/store.h"

/* 0 where an app may be given this name; ERR_FAILED where it is taken, also by one that is being renamed to it, ERR_BUSY while
 * an app of that name is being destroyed. */
int name_free(struct store *s, const char *name, struct err *err);

/* What the objects of a new app of this name shall be called: the name, or with a number where an app that had the name before
 * keeps its objects. */
int handle_choose(struct store *s, const char *name, char ret[APP_NAME_MAX + 1], struct err *err);

#endif
