/* Cuts what the engine streams into lines: JSON documents a line (events, progress of a pull), or the
 * multiplexed standard output and standard error of a container. Pure.
 * Source: Docker Engine API, "Attach to a container", "Stream format". */
#ifndef SLIPWAY_DEPLOYER_DOCKER_DEMUX_H
#define SLIPWAY_DEPLOYER_DOCKER_DEMUX_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DEMUX_STREAMS 4  /* stdin (0), stdout (1), stderr (2), the engine's own error (3) */
#define DEMUX_HEADER 8   /* stream, three zero bytes, length (big-endian) */

enum demux_form {
    DEMUX_LINES,             /* plain text */
    DEMUX_FRAMES,            /* frames of text */
    DEMUX_PIECES,            /* frames of any bytes: fn gets them as they come, not by lines */
};

/* A line without its newline; stream is 0 for DEMUX_LINES. A line longer than line_max comes in pieces. For
 * DEMUX_PIECES, n bytes as they are. */
typedef void demux_line_fn(void *arg, int stream, const char *line, size_t n);

struct demux {
    enum demux_form form;
    demux_line_fn *fn;
    void *arg;
    unsigned char header[DEMUX_HEADER];
    size_t header_n;         /* bytes of it that are there */
    uint32_t left;           /* bytes of the frame still to come */
    int stream;              /* of the frame */
    struct buf lines[DEMUX_STREAMS];
};

void demux_init(struct demux *d, enum demux_form form, size_t line_max, demux_line_fn *fn, void *arg);
void demux_release(struct demux *d);

/* Takes the next piece; fn is called for each line that ends in it. -1 (ERR_DOWN) where it is no such stream. */
int demux_feed(struct demux *d, const char *data, size_t n, struct err *err);

/* The stream is at its end: unfinished lines are given to fn. */
void demux_end(struct demux *d);

#endif
