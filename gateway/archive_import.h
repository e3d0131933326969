/* From an archive on a person's standard input to a commit in the app's repository, by the same quarantine and
 * checks as a push. */
#ifndef SLIPWAY_GATEWAY_ARCHIVE_IMPORT_H
#define SLIPWAY_GATEWAY_ARCHIVE_IMPORT_H

#include "gateway/command.h"
#include "gateway/policy.h"

#include <git2.h>

#define ARCHIVE_MESSAGE "from archive"

struct archive_import {
    char commit[OID_HEX + 1];
    bool cut;                /* the history behind it is not whole here */
    struct policy_result policy;
};

/* Reads all of standard input first: what breaks off changes nothing. Then a process of its own (role "archive")
 * reads it, for git fast-import. The commit's parent is what the deploy branch has; author is the user. The objects are
 * in the repository afterwards, and no ref names them. ERR_DOWN where the person went away meanwhile. Release
 * ret->policy. */
int archive_import(struct command_ctx *c, git_repository *repo, struct archive_import *ret, struct err *err);

#endif
