/* Inside sql/ and its tests: the parts of store_migrate. */
#ifndef SLIPWAY_SQL_MIGRATE_H
#define SLIPWAY_SQL_MIGRATE_H

#include "sql/store.h"

/* store_open without the check of the schema's number. */
int store_open_any(const char *state, bool read_only, struct store **ret, struct err *err);

/* store_migrate with another list of migrations, ended by version 0. */
int store_migrate_with(const char *state, const struct migration *all, struct err *err);

#endif
