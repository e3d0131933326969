/* One SSH connection with its one channel, over libssh. What libssh lacks is here: nothing blocks inside
 * it, nothing is written beyond the peer's window or faster than it takes it, what the peer sends beyond
 * ours ends the connection, a peer that is waited for must make progress, and CPU time is granted for
 * bytes that moved. A connection that has failed is "gone": every call says so, nothing else happens. */
#ifndef SLIPWAY_GATEWAY_CONNECTION_H
#define SLIPWAY_GATEWAY_CONNECTION_H

#include "base/conf.h"
#include "base/err.h"

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest read: libssh's window, so that one read always empties its buffer and the window, which
 * it opens again at each read, stays the bound of what is buffered. */
#define CONNECTION_READ_MAX (2 * 1024 * 1024)

/* How long the peer has been waited for, and what came of it. */
struct pace {
    uint64_t waited_ms;
    uint64_t bytes;
};

struct auth; /* gateway/auth.h */

struct connection {
    const struct conf *conf;
    struct auth *auth;
    ssh_bind bind;
    ssh_session ssh;
    ssh_event event;
    ssh_channel channel;
    struct ssh_server_callbacks_struct server_callbacks;
    struct ssh_channel_callbacks_struct channel_callbacks;

    char *exec;              /* the exec request's line; NULL: none yet */
    bool shell;              /* a shell was asked for instead */
    char git_protocol[16];   /* "version=2"; "" where the client set none */
    bool tty, resized;
    int cols, rows;
    char term[41];           /* TERM as the client says, where it has only harmless characters */

    bool peer_eof;           /* the peer has said that it sends no more */
    bool eof;                /* and all that it sent has been read. Never because it has gone away */
    bool gone;
    bool peer_closed;        /* the peer has closed the channel */
    const char *gone_why;    /* for the log */
    struct pace in, out;
    uint64_t moved;          /* payload bytes, both ways */
    uint64_t moved_at_grant;
};

/* The host keys of the state folder, algorithms, everything that can be done before there is a
 * connection. Free with connection_release. */
int connection_init(struct connection *c, const struct conf *conf, struct auth *auth, struct err *err);
void connection_release(struct connection *c);

/* Key exchange, authentication, channel, up to the request: c->exec or c->shell is set then. Takes the
 * socket. The login grace time is the caller's matter (it may end this process at any point). */
int connection_accept(struct connection *c, int fd, struct err *err);

/* Waits for whatever the peer sends next and lets libssh handle it: the handshake's loop. 0, or -1 when gone. */
int connection_turn(struct connection *c);

/* What connection_wait also waits for. */
enum { WANT_INPUT = 1, WANT_WINDOW = 2 };
#define IO_WINDOW 16 /* beside gateway/command.h's IO_* */

/* Waits until one of fds has events (their revents are set), input or its end is there (WANT_INPUT), the
 * peer takes more output (WANT_WINDOW), the terminal was resized, or timeout_ms (-1: none) has passed.
 * IO_* bits; 0: time. */
int connection_wait(struct connection *c, struct pollfd *fds, size_t n, int want, int timeout_ms);

/* How much may be written now without waiting. */
size_t connection_room(const struct connection *c);

/* Begins the CPU allowance (session_cpu) anew: at the start, and by itself with each 16 MiB moved. Who spends
 * it all without that gets SIGXCPU, which ends the process wherever it is. */
void connection_grant_cpu(struct connection *c);

/* Counts time for which only the peer could have moved things on. */
void connection_waited_for_peer(struct connection *c, uint64_t ms);

/* What has arrived, without waiting: its length, 0 if nothing, -1 at the end or when gone. */
long connection_read_now(struct connection *c, void *data, size_t max);
/* Waits for input: its length, 0 at the end, -1 when gone. */
long connection_read(struct connection *c, void *data, size_t max);

/* Writes all, waiting for the peer's window. 0, or -1 when gone. */
int connection_write(struct connection *c, bool to_stderr, const void *data, size_t n);
/* Everything written goes out, then exit-status, EOF, CLOSE, and the peer's CLOSE is waited for
 * (RFC 4254 §6.10, §5.3), at most CONNECTION_CLOSE_MS. */
#define CONNECTION_CLOSE_MS 5000
void connection_close(struct connection *c, int exit_code);

#endif
