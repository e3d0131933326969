/* A Procfile: which process types an app has and the command of each. */
#ifndef SLIPWAY_BUILDER_PROCFILE_H
#define SLIPWAY_BUILDER_PROCFILE_H

#include "base/vec.h"

#include <stddef.h>

#define PROCFILE_MAX (64 * 1024) /* far above any real one; keeps the parser's memory small */

/* types.v[i] runs commands.v[i]. The types are valid process names and each occurs once. */
struct procfile {
    struct vec types, commands;
};

#define PROCFILE_INIT { VEC_INIT, VEC_INIT }

/* Reads n bytes of a Procfile into *ret (empty before): lines "name: command", "#" comments and
 * empty lines. The last of several lines with one name wins. Uppercase letters and "_" in names
 * are converted with a warning. A line that is no process is left out with a warning, so one
 * typing error does not lose the others. Warnings are sentences without a full stop, added to *warnings.
 * Implements the format of Heroku's buildpacks-procfile, SPEC.md. */
void procfile_parse(const char *text, size_t n, struct procfile *ret, struct vec *warnings);

void procfile_release(struct procfile *p);

#endif
