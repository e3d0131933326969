/* The listener's parts, internal to them: who waits (listener_waiting.c), the session processes (listener_sessions.c), and the
 * door and the process itself (listener.c). One thread, one loop. */
#ifndef SLIPWAY_GATEWAY_LISTENER_H
#define SLIPWAY_GATEWAY_LISTENER_H

#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"
#include "gateway/admission.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* Connections that wait. When the room is full, the one that has been silent longest goes: a client speaks at
 * once, so a flood of silent peers never keeps one out. Where none is silent, an address that has more
 * than one there makes room. */
#define WAITING_MAX 512

struct waiting {
    TAILQ_ENTRY(waiting) link;
    struct listener *l;
    int fd;
    bool greeted;            /* the peer speaks SSH: it waits for a session */
    bool told;               /* that it gets none: it is waited for until it has gone */
    int tries;               /* sessions that died with it in their hands, so to speak */
    struct peer peer;
    struct loop_source *io, *timer;
};

struct session_child {
    TAILQ_ENTRY(session_child) link;
    struct listener *l;
    pid_t pid;
    int sock;
    bool busy;               /* has a connection; else it is the spare one */
    int fd;                  /* the connection, until the session has said that it arrived; -1: it has */
    bool authenticated;
    int tries;               /* sessions that this connection was given to */
    struct peer peer;
    struct loop_source *io;
};

struct listener {
    const struct conf *conf;
    struct conf reloaded;    /* what SIGHUP read; conf points here from then on */
    bool is_reloaded;
    int conf_fd;             /* the settings as a file, for the sessions */
    struct startups startups;
    struct loop *loop;
    int fd;
    struct loop_source *accept, *retry;
    TAILQ_HEAD(, waiting) waiting;
    TAILQ_HEAD(, session_child) sessions;
    int n_waiting, n_busy, n_startups;
    struct session_child *spare;
    bool stopping;           /* who comes is still let in, and told so; see closed */
    bool closed, terminated;
    unsigned refused;        /* since the last line in the log about it */
    uint64_t refused_at;
};

/* --- who waits */

/* Takes the descriptor: it waits for its peer's greeting, and then for a session. tries: sessions that died with it. */
void waiting_add(struct listener *l, int fd, const struct peer *p, int tries);
/* Closes the connection, where no session has it. */
void waiting_free(struct waiting *w);
/* Ends one that waits; there must be one. */
void waiting_make_room(struct listener *l);
/* Lets in, in their order, those who may come now. */
void waiting_admit(struct listener *l);
/* Into the log, not more often than a disk bears. */
void log_refused(struct listener *l, const char *why);

/* --- sessions */

/* Gives it to a session, which then has the descriptor: true. Else the error is in the log, and fd is still the caller's. */
bool session_give(struct listener *l, int fd, const struct peer *p, int tries);
/* Starts the spare one, where there is none. */
void session_keep_spare(struct listener *l);
/* Has the spare one end; it sees that nothing comes any more. */
void session_dismiss_spare(struct listener *l);
/* Sessions of a peer; *ret_startups: those that have not authenticated. */
int session_count(const struct listener *l, const struct peer *p, int *ret_startups);
void session_kill_all(struct listener *l, int signo);
/* Forgets it, and ends the loop where it was the last after the door was closed. */
void session_free(struct session_child *s);
/* Makes the settings of now those of the sessions that start from now on. */
int session_conf_set(struct listener *l, struct err *err);

#endif
