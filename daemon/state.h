/* What the state folder holds, and who may do what there: one table that init makes and check reads. */
#ifndef SLIPWAY_DAEMON_STATE_H
#define SLIPWAY_DAEMON_STATE_H

#include "base/conf.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct state_entry {
    const char *path;   /* below the state folder; "" is the folder itself */
    bool folder;
    mode_t mode;
    const char *owner;  /* as root: user and group; else everything is the starter's */
    const char *group;
};

/* In the order in which they are made; ended by a row whose path is NULL. */
extern const struct state_entry state_entries[];

/* Full path of an entry; the caller frees it. */
char *state_entry_path(const struct conf *c, const struct state_entry *e);

/* Gives an entry its mode and, as root, its owner. A symlink is refused. */
int state_entry_set(const struct conf *c, const struct state_entry *e, struct err *err);

/* 0 where the entry is there, of its kind, open to nobody else than it should be and, as root, has its
 * owner; -1 and what to do. */
int state_entry_check(const struct conf *c, const struct state_entry *e, struct err *err);

/* Makes the database's journal where it is missing, as in a folder that a backup was put back into, and makes an
 * empty one anew that isn't the starter's. The kernel lets no role open another role's file by a call that would also make it
 * (fs.protected_regular, in a sticky folder), and SQLite calls so: only the folder's owner's journal can be all roles'.
 * Before any role runs. -1 where another's journal has something in it. */
int state_journal_make(const struct conf *c, struct err *err);

/* The roles' users must be able to enter every folder above path. -1 names the one that is closed. */
int state_path_open(const char *path, struct err *err);

#endif
