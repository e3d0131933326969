/* Writes a revision's tree as a build does: tree REPOSITORY REVISION FOLDER, for the table of ./dev bench. */
#include "config.h"

#include "builder/tree.h"

#include "base/mem.h"

#include <git2.h>
#include <stdio.h>

/* What a configuration allows by default is more than enough here, and not what is measured. */
static const struct tree_limits limits = { 1000000, 1LL << 34, 1LL << 31, 100 };

static int tree_of(const char *path, const char *revision, char ret[GIT_OID_HEXSZ + 1])
{
    cleanup_free char *spec = xasprintf("%s^{tree}", revision);
    git_repository *repo = NULL;
    git_object *tree = NULL;
    int rc = -1;

    (void) git_libgit2_init();
    if (git_repository_open(&repo, path) == 0 && git_revparse_single(&tree, repo, spec) == 0) {
        (void) git_oid_tostr(ret, GIT_OID_HEXSZ + 1, git_object_id(tree));
        rc = 0;
    }
    git_object_free(tree);
    git_repository_free(repo);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    char tree[GIT_OID_HEXSZ + 1];
    struct tree_stats stats;

    if (argc != 4 || tree_of(argv[1], argv[2], tree) != 0) {
        (void) fprintf(stderr, "usage: tree REPOSITORY REVISION FOLDER\n");
        return 2;
    }
    if (tree_export(argv[1], tree, argv[3], &limits, NULL, NULL, &stats, &err) != 0) {
        (void) fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    (void) printf("%lld entries, %lld bytes\n", (long long) stats.files, (long long) stats.bytes);
    return 0;
}
