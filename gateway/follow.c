#include "config.h"

#include "gateway/follow.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/wake.h"
#include "gateway/stopping.h"
#include "sql/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_PIECE (32 * 1024)
#define PART_MAX (64 * 1024)   /* of a line that has no end yet; a longer one is shown in parts */
#define LINES_MAX (512 * 1024) /* what is read at once, with what cleaning adds */
/* Logs and rows wake us. This is for the one thing that has no event here, the server's stop, and it
 * makes a lost event a delay. */
#define RECHECK_MS 5000

/* A log file that grows. */
struct tail {
    char *path;
    int fd;
    struct buf part;           /* read, but without a newline yet */
};
#define TAIL_INIT { NULL, -1, { .max = PART_MAX + READ_PIECE } }

static void tail_release(struct tail *t)
{
    cleanup_close_p(&t->fd);
    buf_release(&t->part);
    free(t->path);
    t->path = NULL;
}

/* Takes path. The file is made where its writer has not yet. */
static int tail_open(struct tail *t, char *path, int wake, struct err *err)
{
    t->path = path;
    if (wake_watch(wake, path, err) < 0)
        return -1;
    t->fd = open(path, O_RDONLY | O_CLOEXEC);
    return t->fd < 0 ? err_errno(err, "cannot read %s", path) : 0;
}

/* Moves whole lines from the part to out; with all, also what has no newline. */
static void take_lines(struct tail *t, struct buf *out, bool color, bool all)
{
    for (;;) {
        const char *s = buf_str(&t->part);
        size_t n = buf_len(&t->part);
        const char *nl = memchr(s, '\n', n);

        if (nl != NULL) {
            (void) text_clean_line(out, s, (size_t) (nl - s), color);
            buf_consume(&t->part, (size_t) (nl - s) + 1);
        } else if (n > 0 && (all || n >= PART_MAX)) {
            (void) text_clean_line(out, s, n, color);
            buf_consume(&t->part, n);
        } else {
            return;
        }
    }
}

/* Relays what is new: 0, or -1 when the peer is gone. */
static int tail_relay(struct tail *t, struct command_io *io, bool last)
{
    struct buf out;
    int rc = 0;

    if (t->fd < 0)
        return 0;
    buf_init(&out, LINES_MAX);
    for (;;) {
        ssize_t n = read(t->fd, buf_reserve(&t->part, READ_PIECE), READ_PIECE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            buf_added(&t->part, (size_t) n);
        take_lines(t, &out, io->color, last && n <= 0);
        if (buf_len(&out) > 0)
            rc = io->out(io, buf_str(&out), buf_len(&out));
        buf_clear(&out);
        if (n <= 0 || rc < 0)
            break;
    }
    buf_release(&out);
    return rc;
}

static int say_waiting(struct store *s, struct command_io *io, int64_t id, bool *said, struct err *err)
{
    struct build *v = NULL;
    size_t n = 0;

    if (*said)
        return 0;
    if (builds_ahead(s, id, &v, &n, err) < 0)
        return -1;
    if (n > 0) {
        *said = true;
        (void) io_outf(io, "-----> Waiting behind build %" PRId64 " of %s by %s%s\n", v[n - 1].id, v[n - 1].app,
                       v[n - 1].user, n > 1 ? ", and the ones before it" : "");
    }
    for (size_t i = 0; i < n; i++)
        build_release(&v[i]);
    free(v);
    return 0;
}

/* Waits for news: 0, 1 when the peer is gone, -1. */
static int wait_news(struct command_io *io, int wake, struct err *err)
{
    int bits = io->wait(io, wake, false, RECHECK_MS);

    if ((bits & IO_GONE) != 0)
        return 1;
    return wake_drain(wake, err) < 0 ? -1 : 0;
}

/* True where the release waits for the server's next start. */
static bool release_waits(struct store *s, int64_t id)
{
    struct release r;
    bool waits;

    if (releases_get(s, id, &r, NULL) < 0)
        return false;
    waits = r.state == RELEASE_PENDING;
    release_release(&r);
    return waits;
}

static int say_stopping(struct command_io *io, const char *app)
{
    (void) io_outf(io, " !     The server is stopping; it goes on when the server is back.\n"
                       "       To see it: builds:attach %s\n", app);
    return 2;
}

int follow_build(struct store *s, struct command_io *io, int64_t build_id, struct build *ret, struct err *err)
{
    struct tail log = TAIL_INIT, release_log = TAIL_INIT;
    struct build b;
    bool said = false;
    cleanup_close int wake = wake_open(err);
    int rc = -1;

    if (wake < 0 || tail_open(&log, store_build_log(s, build_id), wake, err) < 0)
        goto out;
    for (;;) {
        bool ended;

        /* The row before the log: an ended row's log is whole. */
        if (builds_get(s, build_id, &b, err) < 0)
            goto out;
        ended = build_state_ended(b.state);
        rc = b.state == BUILD_QUEUED ? say_waiting(s, io, build_id, &said, err) : 0;
        if (rc == 0 && release_log.fd < 0 && tail_relay(&log, io, ended || b.release_id != 0) < 0)
            rc = 1;
        if (rc == 0 && b.release_id != 0 && release_log.fd < 0)
            rc = tail_open(&release_log, store_release_log(s, b.release_id), wake, err);
        if (rc == 0 && tail_relay(&release_log, io, ended) < 0)
            rc = 1;
        if (rc == 0 && ended) {
            *ret = b;
            break;
        }
        if (rc == 0 && server_is_stopping(s->state) &&
            (b.state == BUILD_QUEUED || (b.release_id != 0 && release_waits(s, b.release_id))))
            rc = say_stopping(io, b.app);
        build_release(&b);
        if (rc == 0)
            rc = wait_news(io, wake, err);
        if (rc != 0)
            break;
    }
out:
    tail_release(&log);
    tail_release(&release_log);
    return rc;
}

int follow_release(struct store *s, struct command_io *io, int64_t release_id, struct release *ret,
                   struct err *err)
{
    struct tail log = TAIL_INIT;
    struct release r;
    cleanup_close int wake = wake_open(err);
    int rc = -1;

    if (wake < 0 || tail_open(&log, store_release_log(s, release_id), wake, err) < 0)
        goto out;
    for (;;) {
        bool ended;

        if (releases_get(s, release_id, &r, err) < 0)
            goto out;
        ended = release_state_ended(r.state);
        rc = tail_relay(&log, io, ended) < 0 ? 1 : 0;
        if (rc == 0 && ended) {
            *ret = r;
            break;
        }
        if (rc == 0 && server_is_stopping(s->state) && r.state == RELEASE_PENDING)
            rc = say_stopping(io, r.app);
        release_release(&r);
        if (rc == 0)
            rc = wait_news(io, wake, err);
        if (rc != 0)
            break;
    }
out:
    tail_release(&log);
    return rc;
}
