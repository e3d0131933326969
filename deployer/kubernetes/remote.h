/* A person's terminal, or pipes, at one end and a container's at the other: frames of the session
 * (base/ipc.h) and channels of a WebSocket, each side as fast as the other takes it. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_REMOTE_H
#define SLIPWAY_DEPLOYER_KUBERNETES_REMOTE_H

#include "base/buf.h"
#include "base/err.h"
#include "deployer/kubernetes/channels.h"
#include "deployer/kubernetes/kube.h"

#include <stdbool.h>

struct gate;
struct websocket;

/* What ended waiting. */
enum remote_end {
    REMOTE_OPEN,             /* nothing yet */
    REMOTE_ENDED,            /* the container's side, in order */
    REMOTE_BROKEN,           /* the connection to the cluster */
    REMOTE_GONE,             /* the person */
    REMOTE_STOPPING,         /* this process was asked to stop */
};

struct remote {
    struct kube *kube;
    int fd;                  /* to the session; stays the caller's */
    bool tty;
    struct websocket *ws;    /* NULL: not connected yet; then only remote_wait may be called */
    struct channels_status status;
    struct gate *gate;       /* the caller's; NULL: there is none */
    bool gone_through;       /* the gate was told to open */
    /* The rest is private. */
    int epoll, signals;
    struct buf in, out;      /* frames */
    bool input_ended;
    uint64_t ask_at, give_up_at; /* of the gate */
};

/* SIGTERM is taken over from here on. */
int remote_init(struct remote *r, struct kube *k, int fd, bool tty, struct err *err);
void remote_release(struct remote *r);

/* Connects to an attach or exec and gives it the terminal's size (0: unknown). */
int remote_connect(struct remote *r, const char *path, int cols, int rows, struct err *err);

/* Ends the connection to the container. */
void remote_disconnect(struct remote *r);

/* One round of waiting before the connection is there, driving the cluster's watches: timeout_ms as in
 * kube_poll. */
enum remote_end remote_wait(struct remote *r, int timeout_ms);
/* Moves bytes until something ends, first through the gate; err with REMOTE_BROKEN. Watches are driven, but not serviced. */
enum remote_end remote_pump(struct remote *r, struct err *err);

/* Text for the person, beside the command's: to standard error, with the line's end that the terminal needs. */
void remote_say(struct remote *r, const char *line);
/* The same for text of any form (n bytes). -1 where the person is gone. */
int remote_error(struct remote *r, const char *data, size_t n);

#endif
