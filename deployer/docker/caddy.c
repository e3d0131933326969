/* The router's process. */
#include "config.h"

#include "deployer/docker/router.h"

#include "base/log.h"
#include "base/mem.h"
#include "deployer/docker/certificates.h"
#include "deployer/docker/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640 /* the deployer reads them */

/* The Caddy that is waited for; for the signal's handler. */
static volatile sig_atomic_t other;

static void on_term(int signo)
{
    (void) signo;
    if (other > 1)
        (void) kill((pid_t) other, SIGTERM);
    _exit(0);
}

static pid_t owner_read(int fd)
{
    char text[16] = "";

    return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (pid_t) strtol(text, NULL, 10) : 0;
}

/* Takes the lock, which Caddy keeps: the descriptor goes through exec. */
static int lock_take(const char *path, struct err *err)
{
    struct sigaction term = { .sa_handler = on_term };
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0660); /* not close-on-exec, see above */

    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        other = owner_read(fd);
        (void) sigaction(SIGTERM, &term, NULL);
        log_info("goes on as process %d, which an earlier start has left", (int) other);
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return err_errno(err, "cannot lock %s", path);
        other = 0;
        (void) signal(SIGTERM, SIG_DFL);
    }
    if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int) getpid()) < 0)
        return err_errno(err, "cannot write %s", path);
    return fd;
}

/* A file that Caddy writes to, with a mode that it keeps when it changes over to a new one. */
static int log_make(const struct conf *c, const char *file, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "%s", file);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);

    if (fd < 0)
        return err_errno(err, "cannot make %s", path);
    (void) fchmod(fd, LOG_MODE);
    (void) close(fd);
    return 0;
}

int router_acme_check(const struct conf *c, struct err *err)
{
    if (!c->router_tls || c->acme_ca[0] == '\0' || access(c->acme_ca, R_OK) == 0)
        return 0;
    return err_errno(err, "cannot read [docker] acme_ca, %s", c->acme_ca);
}

int router_main(const struct conf *c)
{
    cleanup_free char *config = conf_state_path(c, "run/docker/caddy.json");
    cleanup_free char *lock = conf_state_path(c, "run/docker/caddy.lock");
    cleanup_free char *home = conf_state_path(c, "run/docker");
    struct err err = ERR_INIT;

    if (router_acme_check(c, &err) < 0 || router_prepare(c, &err) < 0 || log_make(c, REQUESTS_FILE, &err) < 0
        || log_make(c, ISSUANCE_FILE, &err) < 0 || lock_take(lock, &err) < 0 || router_prepare(c, &err) < 0) {
        log_error("%s", err.msg);
        return (int) err.code;
    }
    if (setenv("XDG_DATA_HOME", home, 1) < 0 || setenv("XDG_CONFIG_HOME", home, 1) < 0)
        return ERR_FAILED;
    /* Caddy goes on where the supervisor is killed, so that the apps do; this process, waiting, would not. */
    (void) prctl(PR_SET_PDEATHSIG, 0);
    (void) execlp(c->caddy, "caddy", "run", "--config", config, (char *) NULL);
    log_error("cannot start %s: %s; install caddy, or set [docker] caddy", c->caddy, strerror(errno));
    return ERR_FAILED;
}
