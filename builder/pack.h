/* pack: its arguments, and what its output says. Pure; running it is builder/run.c's work. */
#ifndef SLIPWAY_BUILDER_PACK_H
#define SLIPWAY_BUILDER_PACK_H

#include "base/conf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit codes of the lifecycle (platform/exit.go) that mean something to who pushed. */
#define PACK_NOTHING_DETECTED 20
#define PACK_DETECT_FAILED 21
#define PACK_BUILDPACK_FAILED 51

/* Where build containers find the registry's own certificate authority: Go reads each file of this folder. */
#define PACK_CA_TARGET "/etc/ssl/certs/slipway-registry.pem"

/* One build. */
struct pack_job {
    const char *image;       /* stable name without tag: pack takes unchanged layers from it */
    const char *tag;         /* of this build alone: "b57" */
    const char *path;        /* folder of the tree */
    const char *descriptor;  /* project.toml to use; NULL: the tree's own */
    const char *env_dir;     /* folder with a file for each build variable; NULL: none */
    const char *report_dir;
    const char *cache_volume;/* docker volume of the app's cache */
    const char *lifecycle_image; /* for the five phases; NULL: pack's choice */
    bool clear_cache;
};

/* True where the setting lets the whole build run in one container. */
bool pack_trusts(const struct conf *c);

/* The argument vector of `pack build`. Holds no secret: those go through files. */
int pack_argv(const struct conf *c, const struct pack_job *job, struct vec *ret, struct err *err);

/* What the lines so far have said. */
struct pack_seen {
    bool trusted;             /* one container: its lines have no prefix that names the phase */
    char digest[DIGEST_SIZE]; /* the image as exported; "": not yet */
    int status;               /* exit code of a phase of the lifecycle; 0: none was printed */
    char error[512];          /* the last "ERROR: " text that is not about the status, "" where none */
};

/* One line (cleaned, without newline). whole: it stands where the program's line began. Returns true
 * where the line told the digest. In one container the app's own code could print such a line, so the
 * caller asks the registry before it believes it. */
bool pack_line(struct pack_seen *s, const char *line, size_t n, bool whole);

/* True for lines of pack that say nothing to who pushed (notes on how pack was called). */
bool pack_line_hidden(const char *line, size_t n);

/* Why pack ended with this exit code (or signal: negative), as one sentence without a full stop, and the number
 * to keep as the build's exit code. */
int pack_reason(const struct pack_seen *s, int code, char *ret, size_t size);

/* The digest in the report.toml that the lifecycle writes; false where there is none. */
bool pack_report_digest(const char *text, size_t n, char ret[DIGEST_SIZE]);

#endif
