/* A person's terminal, or pipes, at one end and a container's at the other: frames of the session (base/ipc.h) and a
 * hijacked connection to the engine, each side as fast as the other takes it. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_ATTACH_H
#define SLIPWAY_DEPLOYER_DOCKER_ATTACH_H

#include "base/buf.h"
#include "base/err.h"
#include "deployer/docker/engine.h"

#include <stdbool.h>
#include <stdint.h>

/* What ended it. */
enum attach_end {
    ATTACH_OPEN,             /* nothing yet */
    ATTACH_ENDED,            /* the container's side, in order */
    ATTACH_GONE,             /* the person */
    ATTACH_STOPPING,         /* this process was asked to stop */
    ATTACH_OVERDUE,          /* its time is over */
    ATTACH_BROKEN,           /* err */
};

struct attach {
    struct engine *engine;
    int session;             /* the caller's */
    bool tty;
    const char *resize;      /* path that sets the terminal's size, without parameters; NULL: none */
    uint64_t deadline;       /* loop_now(); 0: none */
    /* The rest is private. */
    int socket, signals;
    struct demux demux;
    struct buf in;           /* frames of the session */
    struct buf out;          /* frames for it */
    struct buf to;           /* bytes for the container */
    bool input_ended, shut;
};

/* SIGTERM is taken over from here on. */
int attach_init(struct attach *a, struct engine *e, int session, bool tty, struct err *err);
/* Takes the connection (engine_hijack). */
void attach_to(struct attach *a, int socket);
/* Moves bytes until something ends. */
enum attach_end attach_pump(struct attach *a, struct err *err);
/* Text for the person, beside the command's: to standard error, with the line's end that the terminal needs. */
void attach_say(struct attach *a, const char *line);
void attach_release(struct attach *a);

#endif
