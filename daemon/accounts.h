/* The roles' users and groups. */
#ifndef SLIPWAY_DAEMON_ACCOUNTS_H
#define SLIPWAY_DAEMON_ACCOUNTS_H

#include "base/conf.h"
#include "base/err.h"

/* Makes the system groups and users that are missing, by groupadd(8) and useradd(8), and says on standard
 * output what it made. Needs root. */
int accounts_make(const struct conf *c, struct err *err);

/* Credential files that the configuration names and that only root can read get the group of the roles
 * that need them, and its read permission; says so on standard output. Others are left alone. Needs root. */
int accounts_let_read(const struct conf *c, struct err *err);

#endif
