/* Starting other programs: fork and exec with an explicit argument vector, environment and
 * set of descriptors. No shell, nothing inherited by accident. */
#ifndef SLIPWAY_BASE_SPAWN_H
#define SLIPWAY_BASE_SPAWN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 8 /* a role gets at most its socket, a ready pipe and a few more */
#define SPAWN_GROUPS_MAX 8

struct spawn_fd {
    int from; /* open in the caller */
    int to;   /* number in the child, >= 3 */
};

/* Everything that is not set is off; `struct spawn s = SPAWN_INIT;`. */
struct spawn {
    const char *path;           /* program file; NULL: argv[0], looked up in PATH of the caller */
    char *const *argv;          /* NULL-terminated */
    char *const *env;           /* NULL-terminated and complete; NULL: PATH and LANG=C.UTF-8 only */
    const char *cwd;            /* NULL: unchanged */
    int fd_in, fd_out, fd_err;  /* become 0, 1, 2; -1: /dev/null */
    struct spawn_fd fds[SPAWN_FDS_MAX];
    size_t n_fds;
    bool set_ids;               /* change to uid, gid and groups before exec (needs root) */
    uid_t uid;
    gid_t gid;
    gid_t groups[SPAWN_GROUPS_MAX];
    size_t n_groups;
    bool bind_ports;            /* with set_ids: may still bind ports below 1024 (CAP_NET_BIND_SERVICE) */
    bool new_group;             /* own process group, so that kill(-pid) reaches its children */
    bool new_session;           /* setsid */
    bool no_new_privileges;     /* PR_SET_NO_NEW_PRIVS: no set-uid program gives it more (roles, git, pack) */
    int parent_death_signal;    /* PR_SET_PDEATHSIG; 0: none */
    uint64_t limit_memory;      /* RLIMIT_AS in bytes; 0: unchanged */
    uint64_t limit_file;        /* RLIMIT_FSIZE in bytes */
    uint64_t limit_cpu;         /* RLIMIT_CPU in seconds */
    int nice;                   /* added to the nice value */
    /* Of spawn_run alone: asked each time wake_fd is readable, and has to read it empty; true ends the process. */
    bool (*stop)(void *arg);    /* NULL: nothing is watched beside it */
    void *stop_arg;
    int wake_fd;
};

#define SPAWN_INIT { .fd_in = -1, .fd_out = -1, .fd_err = -1, .wake_fd = -1 }

/* Starts it. Returns the process id, or -1 (also where exec itself failed: the child reports
 * its errno through a pipe, so a missing program is an error here and not an exit code).
 * *ret_pidfd, where not NULL, gets a pidfd that the caller closes. Signals are unblocked and
 * default in the child; no other descriptor than the named ones is inherited. */
pid_t spawn_start(const struct spawn *s, int *ret_pidfd, struct err *err);

struct spawn_result {
    bool signaled;
    int code; /* exit status, or the signal's number */
    bool timed_out; /* by spawn_run, since timeout_ms passed */
};

/* Blocks until the process has ended and reaps it. */
int spawn_wait(pid_t pid, struct spawn_result *ret, struct err *err);

/* Runs it to its end: `in` (may be NULL) goes to its standard input, standard output is added to
 * `out`, standard error to `err_out` (each may be NULL: /dev/null). What exceeds a buffer's
 * maximum is an error and the process group is killed, as when timeout_ms passes (-1: never), when
 * s->stop says so ("canceled"), and as what is left of the group when the process has ended. Dies with the caller
 * (parent_death_signal is SIGKILL where not set). A non-zero exit is not an error here: look at *ret. */
int spawn_run(const struct spawn *s, const struct buf *in, struct buf *out, struct buf *err_out,
              int timeout_ms, struct spawn_result *ret, struct err *err);

#endif
