/* Writes a git tree to disk for a build: no checkout, no filters, no attributes, nothing followed. */
#ifndef SLIPWAY_BUILDER_TREE_H
#define SLIPWAY_BUILDER_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define TREE_PATH_MAX 4000 /* bytes of a path inside the tree: pack opens files by their whole path */

struct tree_limits {
    int64_t max_files;  /* entries of any kind */
    int64_t max_bytes;  /* of all files together */
    int64_t max_file;   /* bytes of one */
    int64_t max_depth;  /* folders below one another */
};

struct tree_stats {
    int64_t files, bytes;
};

/* Called every few hundred files, so that a long export can renew its lease. False ends it. */
typedef bool tree_tick_fn(void *arg);

/* Gets libgit2 ready, which takes some milliseconds, before there is anything to do. Optional, once. */
void tree_init(void);

/* Writes the tree (hex object name) of the bare repository at `repo` into the folder `dest`, which
 * must exist and be empty. Files get mode 0644 or 0755, folders 0755. Every name is created anew,
 * relative to its open parent folder, so no link of the tree can lead anywhere else.
 * ERR_FAILED with one sentence where the tree breaks a limit or holds what cannot be built
 * (submodules, names like ".git"); what was written until then is the caller's to remove. Large trees
 * are written by several processes, one a CPU, that live as long as the call. Not for processes with
 * threads: the umask is changed meanwhile. tick may be NULL. */
int tree_export(const char *repo, const char *tree, const char *dest, const struct tree_limits *l,
                tree_tick_fn *tick, void *tick_arg, struct tree_stats *ret, struct err *err);

/* 1: `ancestor` is `commit` or one of its ancestors; 0: it is not; -1: the repository cannot tell,
 * because it holds only a part of the history (a shallow push) or lacks one of them. */
int tree_descends(const char *repo, const char *commit, const char *ancestor);

#endif
