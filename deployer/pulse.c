#include "config.h"

#include "deployer/pulse.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/wake.h"
#include "sql/tables.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int add(struct pulse *p, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    return fd >= 0 ? epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &e) : -1;
}

int pulse_init(struct pulse *p, struct store *s, const struct lease *me, struct err *err)
{
    cleanup_free char *wake = store_releases_wake(s);
    const struct itimerspec tick = {
        .it_interval = { LEASE_RENEW_MS / 1000, LEASE_RENEW_MS % 1000 * 1000000 },
        .it_value = { LEASE_RENEW_MS / 1000, LEASE_RENEW_MS % 1000 * 1000000 },
    };
    sigset_t mask;

    *p = (struct pulse){ .store = s, .me = me, .fd = -1, .signal_fd = -1, .timer_fd = -1 };
    p->wake_fd = wake_open(err);
    if (p->wake_fd < 0 || wake_watch(p->wake_fd, wake, err) < 0) {
        pulse_release(p);
        return -1;
    }
    (void) sigemptyset(&mask);
    (void) sigaddset(&mask, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) == 0)
        p->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0 || add(p, p->wake_fd) < 0 || add(p, p->signal_fd) < 0 || add(p, p->timer_fd) < 0 ||
        timerfd_settime(p->timer_fd, 0, &tick, NULL) < 0) {
        (void) err_errno(err, "cannot watch for signals");
        pulse_release(p);
        return -1;
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void) close(*fd);
    *fd = -1;
}

void pulse_release(struct pulse *p)
{
    close_fd(&p->fd);
    close_fd(&p->signal_fd);
    close_fd(&p->timer_fd);
    close_fd(&p->wake_fd);
}

void pulse_begin(struct pulse *p, int64_t release_id, bool cancel)
{
    p->release_id = release_id;
    p->cancel = cancel;
    p->renewed_at = loop_now();
}

int pulse_fd(const struct pulse *p)
{
    return p->fd;
}

/* Reads away what made pulse_fd readable. True where the row should be looked at. */
static bool drain(struct pulse *p)
{
    struct signalfd_siginfo info;
    uint64_t ticks;
    bool look = false;

    while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t) sizeof(info)) {
        if (p->term_at == 0)
            p->term_at = loop_now();
    }
    if (read(p->timer_fd, &ticks, sizeof(ticks)) == (ssize_t) sizeof(ticks))
        look = true;
    if (wake_drain(p->wake_fd, NULL) > 0)
        look = true;
    return look || loop_now() - p->renewed_at >= LEASE_RENEW_MS;
}

static void renew(struct pulse *p)
{
    struct err err = ERR_INIT;
    uint64_t now = loop_now();

    if (releases_renew(p->store, p->me, p->release_id, &p->cancel, &err) == 0) {
        p->renewed_at = now;
        return;
    }
    /* A database that can't be written for a moment loses nothing before the lease runs out. */
    p->lost = err.code == ERR_BUSY || now - p->renewed_at >= LEASE_MS;
    if (p->lost)
        log_warn("lease lost: %s", err.msg);
}

bool pulse_stopped(void *arg)
{
    struct pulse *p = arg;

    if (drain(p) && p->release_id != 0 && !p->lost)
        renew(p);
    return pulse_outcome(p) != OUTCOME_FAILED;
}

enum outcome pulse_outcome(const struct pulse *p)
{
    if (p->lost)
        return OUTCOME_LOST;
    if (p->cancel && !p->ignore_cancel)
        return OUTCOME_CANCELED;
    if (p->term_at != 0 && (p->release_id == 0 || loop_now() - p->term_at >= PULSE_DRAIN_MS))
        return OUTCOME_STOPPING;
    return OUTCOME_FAILED;
}

bool pulse_handed_on(void *arg)
{
    enum outcome o = pulse_outcome(arg);

    return o == OUTCOME_STOPPING || o == OUTCOME_LOST;
}

int pulse_wait(struct pulse *p, int timeout_ms, struct err *err)
{
    struct pollfd fd[] = { { .fd = p->signal_fd, .events = POLLIN }, { .fd = p->wake_fd, .events = POLLIN } };

    if (poll(fd, countof(fd), timeout_ms) < 0 && errno != EINTR)
        return err_errno(err, "cannot wait");
    return 0;
}
