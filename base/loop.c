#include "config.h"

#include "base/loop.h"

#include "base/library.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64 /* of one epoll_wait; more come with the next */

enum kind { KIND_FD, KIND_TIMER, KIND_SIGNAL, KIND_CHILD };

struct loop_source {
    struct loop *loop;
    struct loop_source *next, **link; /* in the loop's list of its kind */
    enum kind kind;
    int fd;               /* the caller's, or a signalfd or pidfd of ours; -1: timer */
    bool dead;            /* removed; freed when the round is over */
    uint64_t due;         /* timer: loop_now() at which it fires */
    pid_t pid;
    int signo;
    union {
        loop_fd_fn *fd;
        loop_timer_fn *timer;
        loop_signal_fn *signal;
        loop_child_fn *child;
    } fn;
    void *arg;
};

struct loop {
    int epoll;
    struct loop_source *sources; /* with a descriptor */
    struct loop_source *timers;  /* sorted by due */
    struct loop_source *dead;    /* freed after the round: events of this round may still point to them */
    bool quit;
    int code;
};

uint64_t loop_now(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

struct loop *loop_new(struct err *err)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct loop *l;

    if (epoll < 0) {
        err_errno(err, "cannot make an event loop");
        return NULL;
    }
    l = xcalloc(1, sizeof(*l));
    l->epoll = epoll;
    return l;
}

static void source_link(struct loop_source **at, struct loop_source *s)
{
    s->next = *at;
    s->link = at;
    if (s->next != NULL)
        s->next->link = &s->next;
    *at = s;
}

static void source_unlink(struct loop_source *s)
{
    *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
}

static void dead_free(struct loop *l)
{
    while (l->dead != NULL) {
        struct loop_source *s = l->dead;

        l->dead = s->next;
        free(s);
    }
}

void loop_remove(struct loop_source *s)
{
    if (s == NULL || s->dead)
        return;
    s->dead = true;
    source_unlink(s);
    if (s->fd >= 0)
        (void) epoll_ctl(s->loop->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    if (s->kind == KIND_SIGNAL || s->kind == KIND_CHILD)
        (void) close(s->fd);
    s->next = s->loop->dead;
    s->loop->dead = s;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    while (l->sources != NULL)
        loop_remove(l->sources);
    while (l->timers != NULL)
        loop_remove(l->timers);
    dead_free(l);
    (void) close(l->epoll);
    free(l);
}

static struct loop_source *source_new(struct loop *l, enum kind kind, int fd, uint32_t events, struct err *err)
{
    struct loop_source *s = xcalloc(1, sizeof(*s));
    struct epoll_event e = { .events = events, .data.ptr = s };

    s->loop = l;
    s->kind = kind;
    s->fd = fd;
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
        err_errno(err, "cannot watch descriptor %d", fd);
        free(s);
        return NULL;
    }
    source_link(&l->sources, s);
    return s;
}

struct loop_source *loop_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg,
                            struct err *err)
{
    struct loop_source *s = source_new(l, KIND_FD, fd, events, err);

    if (s != NULL) {
        s->fn.fd = fn;
        s->arg = arg;
    }
    return s;
}

int loop_fd_events(struct loop_source *s, uint32_t events, struct err *err)
{
    struct epoll_event e = { .events = events, .data.ptr = s };

    if (epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &e) < 0)
        return err_errno(err, "cannot watch descriptor %d", s->fd);
    return 0;
}

struct loop_source *loop_timer(struct loop *l, uint64_t ms, loop_timer_fn *fn, void *arg)
{
    struct loop_source *s = xcalloc(1, sizeof(*s)), **at = &l->timers;

    s->loop = l;
    s->kind = KIND_TIMER;
    s->fd = -1;
    s->due = loop_now() + ms;
    s->fn.timer = fn;
    s->arg = arg;
    while (*at != NULL && (*at)->due <= s->due)
        at = &(*at)->next;
    source_link(at, s);
    return s;
}

struct loop_source *loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg, struct err *err)
{
    struct loop_source *s;
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, signo);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        err_errno(err, "cannot watch signal %d", signo);
        cleanup_close_p(&fd);
        return NULL;
    }
    s = source_new(l, KIND_SIGNAL, fd, EPOLLIN, err);
    if (s == NULL) {
        (void) close(fd);
        return NULL;
    }
    s->signo = signo;
    s->fn.signal = fn;
    s->arg = arg;
    return s;
}

struct loop_source *loop_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *arg, struct err *err)
{
    int fd = pidfd_open(pid, 0); /* close-on-exec by itself */
    struct loop_source *s;

    if (fd < 0) {
        err_errno(err, "cannot watch process %d", (int) pid);
        return NULL;
    }
    s = source_new(l, KIND_CHILD, fd, EPOLLIN, err);
    if (s == NULL) {
        (void) close(fd);
        return NULL;
    }
    s->pid = pid;
    s->fn.child = fn;
    s->arg = arg;
    return s;
}

static void dispatch(struct loop *l, struct loop_source *s, uint32_t events)
{
    struct signalfd_siginfo info;
    void *arg = s->arg;
    pid_t pid = s->pid;
    int status;

    switch (s->kind) {
    case KIND_FD:
        s->fn.fd(l, s->fd, events, arg);
        break;
    case KIND_SIGNAL:
        while (!s->dead && read(s->fd, &info, sizeof(info)) == (ssize_t) sizeof(info))
            s->fn.signal(l, s->signo, arg);
        break;
    case KIND_CHILD: {
        loop_child_fn *fn = s->fn.child;

        if (waitpid(pid, &status, WNOHANG) != pid)
            return;
        loop_remove(s);
        fn(l, pid, status, arg);
        break;
    }
    case KIND_TIMER:
        break;
    }
}

/* How long epoll may wait: until the first timer, at most timeout_ms. */
static int wait_ms(const struct loop *l, int timeout_ms)
{
    uint64_t now, left;

    if (l->timers == NULL)
        return timeout_ms;
    now = loop_now();
    left = l->timers->due > now ? l->timers->due - now : 0;
    if (left > INT_MAX)
        left = INT_MAX;
    return timeout_ms >= 0 && (uint64_t) timeout_ms < left ? timeout_ms : (int) left;
}

int loop_wait_fd(const struct loop *l)
{
    return l->epoll;
}

int loop_once(struct loop *l, int timeout_ms, struct err *err)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t now;
    int n = epoll_wait(l->epoll, events, EVENTS_MAX, wait_ms(l, timeout_ms));

    if (n < 0 && errno != EINTR)
        return err_errno(err, "cannot wait for events");
    for (int i = 0; i < n; i++) {
        struct loop_source *s = events[i].data.ptr;

        if (!s->dead)
            dispatch(l, s, events[i].events);
    }
    /* Time stands still here, so that a timer which arms itself anew does not keep the round going. */
    now = loop_now();
    while (l->timers != NULL && l->timers->due <= now) {
        struct loop_source *s = l->timers;
        loop_timer_fn *fn = s->fn.timer;
        void *arg = s->arg;

        loop_remove(s);
        fn(l, arg);
    }
    dead_free(l);
    return 0;
}

int loop_run(struct loop *l, struct err *err)
{
    l->quit = false;
    library_pages_release();
    while (!l->quit)
        if (loop_once(l, -1, err) < 0)
            return -1;
    return l->code;
}

void loop_quit(struct loop *l, int code)
{
    l->quit = true;
    l->code = code;
}
