/* The repositories: one bare repository for each app, whose deploy branch is only a picture of the live
 * release's row. Private refs: refs/slipway/builds/N keep the commits of builds with their whole history,
 * refs/slipway/shallow/N those whose history was cut by a shallow push. */
#ifndef SLIPWAY_GATEWAY_REFS_H
#define SLIPWAY_GATEWAY_REFS_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"
#include "gateway/push.h"
#include "sql/model.h"

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#define REFS_PRIVATE "refs/slipway/"

/* libgit2 without anybody's configuration files, with fsync. Call once per process before the others. */
int refs_init(struct err *err);

/* state/repos/ID.git; the caller frees it. */
char *refs_path(const struct conf *c, int64_t app_id);

/* Opens the repository of an app, or makes it. Free with git_repository_free. */
int refs_open(const struct conf *c, int64_t app_id, git_repository **ret, struct err *err);
/* Makes a bare repository at path. */
int refs_make(const char *path, git_repository **ret, struct err *err);

/* Serialises what changes a repository's objects and refs. The caller closes the descriptor. */
int refs_lock(git_repository *repo, struct err *err);
int refs_lock_path(const char *repo, struct err *err);

/* Writes the deploy branch (and HEAD) as the live release has it: moved, made or removed. */
int refs_project(git_repository *repo, const struct app *app, struct err *err);

/* What receive-pack advertises, and what a client's ideas are then checked against. */
struct advert {
    char live[OID_HEX + 1];  /* the deploy branch; "" where it is not advertised */
    bool shallow;            /* the repository's history is cut somewhere */
    struct vec tags;         /* names and oids, alternating */
    struct vec have;         /* oids of commits that are here with their whole history, `live` among them */
};
void advert_release(struct advert *a);
/* repo NULL: an app that does not exist yet. Of a shallow repository only complete commits are told: a
 * client believes that who has a commit has all that is behind it, and would leave that out. */
int advert_fill(git_repository *repo, const struct app *app, bool live_from_ref, struct advert *ret,
                struct err *err);
/* The value of a ref as advertised, NULL where it was not. */
const char *advert_find(const struct advert *a, const struct app *app, const char *name);
/* The pkt-lines (gitprotocol-pack(5), "Reference Discovery"). */
int advert_write(const struct advert *a, const struct app *app, bool version_1, struct buf *out);

/* Keeps a build's commit. */
int refs_keep_build(git_repository *repo, int64_t build_id, const char *commit, bool shallow, struct err *err);

/* Removes the private refs of all but the newest `keep` builds. What is live keeps its commit by its branch. */
int refs_forget_builds(const char *repo, size_t keep, struct err *err);

/* Makes, moves or deletes a ref as the client's command says, if it still is what the client believes.
 * With any_old an existing ref is not moved, but one that is the same already is fine. */
int refs_update(git_repository *repo, const struct push_ref *r, bool any_old, struct err *err);

#endif
