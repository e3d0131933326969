/* The pack's way from the connection into git index-pack. */
#include "config.h"

#include "gateway/quarantine.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "gateway/gitprog.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACK_HEADER 12              /* gitformat-pack(5): "PACK", version, number of objects */
#define PACK_TRAILER 20
#define OUT_MAX 256                 /* "pack" TAB and the name */
#define ERR_MAX (16 * 1024)

/* fsck messages about old history that harms nobody who only builds the newest tree, and that real
 * projects carry: dates and zones that were mistyped, modes with a leading zero. */
#define STRICT "--strict=badTimezone=ignore,missingSpaceBeforeDate=ignore,zeroPaddedDate=ignore," \
               "zeroPaddedFilemode=ignore,badDate=ignore,badDateOverflow=ignore,missingEmail=ignore," \
               "missingNameBeforeEmail=ignore,badEmail=ignore,badName=ignore,missingSpaceBeforeEmail=ignore," \
               "badFilemode=ignore,missingTaggerEntry=ignore"

struct indexer {
    struct quarantine *q;
    struct connection *c;
    struct sideband_io *io;
    pid_t pid;
    int in, out, err, pidfd;
    struct buf out_text, err_text;
    unsigned char header[PACK_HEADER];
    size_t header_len;
    uint64_t since;
    bool ended;
};

static int start(struct indexer *x, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_close int their_in = -1, their_out = -1, their_err = -1;
    struct spawn s = SPAWN_INIT;

    if (gitprog_pipe(&x->in, &their_in, true, err) < 0 || gitprog_pipe(&x->out, &their_out, false, err) < 0 ||
        gitprog_pipe(&x->err, &their_err, false, err) < 0)
        return -1;
    gitprog_argv(&argv);
    vec_addl(&argv, "--shallow-file", x->q->shallow_file, "index-pack", "--stdin", "--fix-thin", STRICT, NULL);
    gitprog_env(&env, x->q->repo, x->q->dir);
    gitprog_limit(&s, x->q->conf);
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.fd_in = their_in;
    s.fd_out = their_out;
    s.fd_err = their_err;
    x->pid = spawn_start(&s, &x->pidfd, err);
    return x->pid < 0 ? -1 : 0;
}

static void release(struct indexer *x)
{
    if (x->pid > 0) {
        (void) kill(-x->pid, SIGKILL);
        (void) spawn_wait(x->pid, &(struct spawn_result) { 0 }, NULL);
    }
    fd_drop(&x->in);
    fd_drop(&x->out);
    fd_drop(&x->err);
    fd_drop(&x->pidfd);
    buf_release(&x->out_text);
    buf_release(&x->err_text);
}

static void drain_fd(int fd, struct buf *b)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
        size_t room = buf_room(b);

        if (n > 0) /* the first lines tell the reason, the rest is read away */
            (void) buf_add(b, piece, (size_t) n < room ? (size_t) n : room);
    }
}

static int check_header(struct indexer *x, const char *data, size_t n, struct err *err)
{
    size_t want = PACK_HEADER - x->header_len;

    if (want == 0)
        return 0;
    if (want > n)
        want = n;
    memcpy(x->header + x->header_len, data, want);
    x->header_len += want;
    if (memcmp(x->header, "PACK", x->header_len < 4 ? x->header_len : 4) != 0)
        return err_set(err, ERR_USAGE, "what was sent is not a pack");
    if (x->header_len == PACK_HEADER)
        x->q->objects = (uint32_t) x->header[8] << 24 | (uint32_t) x->header[9] << 16 |
                        (uint32_t) x->header[10] << 8 | x->header[11];
    return 0;
}

/* A pack of no objects, which git sends where only known commits get another name. index-pack would make
 * a file of it. */
static bool is_empty_pack(const struct indexer *x)
{
    return x->header_len == PACK_HEADER && x->q->objects == 0 && x->q->bytes >= PACK_HEADER + PACK_TRAILER;
}

/* One round: waits for the pipe, the child or the peer, and moves what can be moved. */
static int turn(struct indexer *x, struct buf *pending, struct err *err)
{
    bool blocked = buf_len(pending) > 0 && x->in >= 0;
    struct pollfd p[4] = {
        { .fd = x->pidfd, .events = POLLIN },
        { .fd = x->err, .events = POLLIN },
        { .fd = x->out, .events = POLLIN },
        { .fd = blocked ? x->in : -1, .events = POLLOUT },
    };
    bool reading = !blocked && x->in >= 0 && !x->c->eof;
    uint64_t begin = loop_now(), deadline = x->since + gitprog_time_ms(x->q->conf, x->q->bytes);
    int ms = sideband_tick(x->io), bits;

    if (begin >= deadline)
        return err_set(err, ERR_FAILED, "receiving and checking it took longer than %" PRIu64 " s (index_time)",
                       (deadline - x->since) / 1000);
    if (ms < 0 || (uint64_t) ms > deadline - begin)
        ms = deadline - begin > INT_MAX ? INT_MAX : (int) (deadline - begin);
    bits = connection_wait(x->c, p, 4, reading ? WANT_INPUT : 0, ms);
    if ((bits & IO_GONE) != 0)
        return err_set(err, ERR_DOWN, "the peer has gone");
    if (p[1].revents != 0)
        drain_fd(x->err, &x->err_text);
    if (p[2].revents != 0)
        drain_fd(x->out, &x->out_text);
    if (p[0].revents != 0) {
        x->ended = true;
    } else if (blocked && p[3].revents != 0) {
        ssize_t n = write(x->in, buf_str(pending), buf_len(pending));

        if (n > 0)
            buf_consume(pending, (size_t) n);
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            fd_drop(&x->in); /* it reads no more: its exit tells why */
    }
    if (reading)
        connection_waited_for_peer(x->c, loop_now() - begin);
    return 0;
}

static int take_input(struct indexer *x, struct buf *pending, struct err *err)
{
    char *at;
    long n;

    if (buf_len(pending) > 0 || x->in < 0)
        return 0;
    if (x->c->eof) { /* seen while something else was waited for, too */
        fd_drop(&x->in);
        return 0;
    }
    buf_clear(pending);
    at = buf_reserve(pending, CONNECTION_READ_MAX);
    n = connection_read_now(x->c, at, CONNECTION_READ_MAX);
    if (n > 0) {
        buf_added(pending, (size_t) n);
        x->q->bytes += (uint64_t) n;
        return check_header(x, buf_str(pending), buf_len(pending), err);
    }
    if (x->c->gone)
        return err_set(err, ERR_DOWN, "the peer has gone");
    if (x->c->eof)
        fd_drop(&x->in);
    return 0;
}

static int pump(struct indexer *x, struct buf *pending, struct err *err)
{
    uint64_t max = (uint64_t) x->q->conf->max_pack;

    while (!x->ended) {
        if (take_input(x, pending, err) < 0)
            return -1;
        if (x->q->bytes > max)
            return err_set(err, ERR_FAILED, "it is larger than %llu MiB (max_pack)",
                           (unsigned long long) (max >> 20));
        if (is_empty_pack(x))
            return 0;
        if (buf_len(pending) > 0 && x->in >= 0) {
            ssize_t n = write(x->in, buf_str(pending), buf_len(pending));

            if (n > 0) {
                buf_consume(pending, (size_t) n);
                if (buf_len(pending) == 0)
                    continue; /* more may have arrived meanwhile */
            }
        }
        if (turn(x, pending, err) < 0)
            return -1;
    }
    return 0;
}

static int result(struct indexer *x, struct err *err)
{
    struct spawn_result r;
    const char *name;
    char why[256];

    if (spawn_wait(x->pid, &r, err) < 0)
        return -1;
    x->pid = -1;
    drain_fd(x->err, &x->err_text);
    drain_fd(x->out, &x->out_text);
    gitprog_reason(&x->err_text, why, sizeof(why));
    name = buf_str(&x->out_text);
    if (gitprog_limit_reached(x->q->conf, &r, why, err) < 0)
        return -1;
    if (r.signaled)
        return err_set(err, ERR_FAILED, "git index-pack was ended by signal %d", r.code);
    if (r.code != 0 && gitprog_disk_full(why, err) < 0) {
        log_error("git index-pack: %s", why);
        return -1;
    }
    /* What fsck says of one object, for instance of a file named .git. */
    if (r.code != 0 && strncmp(why, "object ", 7) == 0)
        return err_set(err, ERR_FAILED, "%s; git fsck finds it in your repository, too: no commit that is pushed may hold it",
                       why);
    if (r.code != 0)
        return err_set(err, ERR_FAILED, "%s", why[0] != '\0' ? why : "git index-pack failed");
    if (strncmp(name, "pack\t", 5) != 0 || strspn(name + 5, "0123456789abcdef") != OID_HEX)
        return err_set(err, ERR_FAILED, "git index-pack named no pack");
    memcpy(x->q->pack, name + 5, OID_HEX);
    return 0;
}

int quarantine_receive(struct quarantine *q, struct connection *c, struct sideband_io *io, struct buf *first,
                       struct err *err)
{
    struct indexer x = { .q = q, .c = c, .io = io, .pid = -1, .in = -1, .out = -1, .err = -1, .pidfd = -1 };
    cleanup_buf struct buf pending;
    int rc = -1;

    buf_init(&x.out_text, OUT_MAX);
    buf_init(&x.err_text, ERR_MAX);
    buf_init(&pending, 2 * CONNECTION_READ_MAX);
    x.since = loop_now();
    if (buf_len(first) > 0) {
        (void) buf_add(&pending, buf_str(first), buf_len(first));
        q->bytes = buf_len(first);
        if (check_header(&x, buf_str(first), buf_len(first), err) < 0)
            goto out;
    }
    if (start(&x, err) < 0)
        goto out;
    rc = pump(&x, &pending, err);
    if (rc == 0 && x.ended)
        rc = result(&x, err);
out:
    if (rc < 0 && err->code != ERR_DOWN)
        log_info("the pack was refused: %s", err->msg);
    release(&x);
    return rc;
}
