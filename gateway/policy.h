/* What a pushed tree may hold: read with libgit2 before anything is taken in or written anywhere. */
#ifndef SLIPWAY_GATEWAY_POLICY_H
#define SLIPWAY_GATEWAY_POLICY_H

#include "base/conf.h"
#include "base/err.h"
#include "gateway/push.h"
#include "sql/app_json.h"

#include <git2.h>
#include <stdint.h>

struct policy_result {
    char tree[OID_HEX + 1];
    char *subject;          /* first line of the commit's message, at most POLICY_SUBJECT_MAX bytes */
    uint64_t files, bytes;
    struct app_json app_json; /* empty where the tree has none */
};
#define POLICY_SUBJECT_MAX 200
void policy_result_release(struct policy_result *r);

/* Checks the tree of a commit against conf's [git] limits; `objects` is the quarantine's folder, beside
 * the repository's own objects. Refused, each with the path in the sentence: too many or too large files,
 * too deep folders, names that are ".git" to some file system, "." or "..", submodules, Git LFS pointers,
 * symbolic links that leave the tree, an app.json that doesn't fit (sql/app_json.h). */
int policy_check(git_repository *repo, const char *objects, const char *commit, const struct conf *conf,
                 struct policy_result *ret, struct err *err);

/* True for a name that would be, or open, a repository's own folder: ".git" in any case, with trailing
 * dots and spaces, "git~1", with a stream's name behind it. */
bool policy_name_is_git(const char *name);

/* True where a link with this target, in the folder `dir` ("" for the top, "a/b"), stays within the tree. */
bool policy_link_stays(const char *dir, const char *target);

#endif
