/* The event loop of the long-lived roles: descriptors, timers, signals, children; epoll inside. */
#ifndef SLIPWAY_BASE_LOOP_H
#define SLIPWAY_BASE_LOOP_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_source; /* one registration; owned by the loop, ended by loop_remove */

typedef void loop_fd_fn(struct loop *l, int fd, uint32_t events, void *arg);
typedef void loop_timer_fn(struct loop *l, void *arg);
typedef void loop_signal_fn(struct loop *l, int signo, void *arg);
/* status as from waitpid(2); the child is reaped. */
typedef void loop_child_fn(struct loop *l, pid_t pid, int status, void *arg);

struct loop *loop_new(struct err *err);
/* Removes all sources; closes no descriptor that it did not make. NULL is fine. */
void loop_free(struct loop *l);

/* events: EPOLLIN, EPOLLOUT … The descriptor stays the caller's, who removes the source before
 * closing it. One source a descriptor. NULL and err on failure. */
struct loop_source *loop_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg,
                            struct err *err);
int loop_fd_events(struct loop_source *s, uint32_t events, struct err *err);

/* Once, after ms milliseconds (monotonic). The source is gone when fn is called. */
struct loop_source *loop_timer(struct loop *l, uint64_t ms, loop_timer_fn *fn, void *arg);

/* Blocks the signal in this process and delivers it here (signalfd). */
struct loop_source *loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg,
                                struct err *err);

/* Once, when the child has ended (pidfd). The source is gone when fn is called. */
struct loop_source *loop_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *arg,
                               struct err *err);

/* Ends a registration. Safe from inside any callback, also its own; NULL is fine. */
void loop_remove(struct loop_source *s);

/* Runs until loop_quit; returns the code given there, or -1 with err. */
int loop_run(struct loop *l, struct err *err);
void loop_quit(struct loop *l, int code);

/* One round: waits at most timeout_ms (-1: until something happens) and dispatches. 0, or -1. */
int loop_once(struct loop *l, int timeout_ms, struct err *err);

/* The loop as a descriptor, readable where loop_once has something to do: for a wait that watches other things besides.
 * Timers are not in it. It stays the loop's. */
int loop_wait_fd(const struct loop *l);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t loop_now(void);

#endif
