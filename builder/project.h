/* The pushed project.toml, where the setting lets it count at all. */
#ifndef SLIPWAY_BUILDER_PROJECT_H
#define SLIPWAY_BUILDER_PROJECT_H

#include "base/err.h"

#include <stddef.h>

#define PROJECT_MAX (256 * 1024) /* a descriptor has a few lines */

/* Looks through n bytes of TOML for what a push may not ask of pack: inline scripts, and buildpacks out of files
 * of this machine that are not the tree's. It errs on the strict side: keys and addresses with escape sequences
 * are refused too. ERR_FAILED with one sentence. The grammar is pack's own business
 * (buildpacks.io, "project descriptor" 0.2; TOML 1.0 §2 to §4 for strings and comments). */
int project_check(const char *text, size_t n, struct err *err);

#endif
