/* What a build prints, made fit for a log that people read in a terminal: whole lines of valid
 * UTF-8, no control characters but colour (SGR), and no secret values. It works on a stream: a
 * sequence or a secret may be cut anywhere between two reads. */
#ifndef SLIPWAY_BUILDER_OUTPUT_H
#define SLIPWAY_BUILDER_OUTPUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define OUTPUT_LINE_MAX (8 * 1024) /* longer lines are broken; keeps a follower's memory small */
#define OUTPUT_SECRET_MIN 8        /* shorter values occur by chance, and masking would tell them */
#define OUTPUT_MASK "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2"

/* One line without its newline. rewritten: a carriage return moved back over its beginning, so it
 * is what a terminal would show and not where the program's line began. */
typedef void output_line_fn(const char *line, size_t n, bool rewritten, void *arg);

struct output_secret;

struct output {
    output_line_fn *fn;
    void *arg;
    struct output_secret *secrets; /* longest first */
    size_t n_secrets;
    bool first[256];               /* bytes with which a secret begins */
    struct buf held;               /* cleaned bytes that may be a secret's beginning */
    struct buf line;
    bool rewritten, pending_cr;
    int state;                     /* of the escape sequence parser */
    char seq[64];                  /* the escape or UTF-8 sequence so far */
    size_t seq_len, seq_need;
};

void output_init(struct output *o, output_line_fn *fn, void *arg);
void output_release(struct output *o); /* zeroes the secrets */

/* From now on masks this value, line by line where it has several; lines shorter than
 * OUTPUT_SECRET_MIN are not masked. The value is copied. */
void output_mask(struct output *o, const char *value, size_t n);

/* The next bytes, and the end: what is left of a line is given out. */
void output_feed(struct output *o, const char *data, size_t n);
void output_end(struct output *o);

#endif
