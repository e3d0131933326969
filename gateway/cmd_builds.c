#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "gateway/cmd.h"
#include "gateway/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUILDS_SHOWN 15
#define BUILDS_MAX 1000
#define OUTPUT_READ 65536

/* The build that was named, or the app's newest. */
static int build_find(struct command_ctx *c, struct build *ret, struct err *err)
{
    struct build *v = NULL;
    size_t n = 0;

    if (c->build_id != 0)
        return builds_get(c->store, c->build_id, ret, err);
    if (builds_list(c->store, c->app.id, 1, &v, &n, err) != 0)
        return -1;
    if (n == 1)
        *ret = v[0];
    free(v);
    return n == 1 ? 0 : err_set(err, ERR_NOT_FOUND, "%s has no builds yet", c->app.name);
}

/* The version of the release that a build made; 0: none. */
static int64_t release_version(struct command_ctx *c, const struct build *b)
{
    struct release r;
    int64_t version;

    if (b->release_id == 0 || releases_get(c->store, b->release_id, &r, NULL) != 0)
        return 0;
    version = r.version;
    release_release(&r);
    return version;
}

static json_t *build_json(const struct build *b, int64_t version)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "id",
                     (json_int_t) b->id, "app", b->app, "state", build_state_name(b->state), "commit", b->commit,
                     "branch", b->branch, "message", show_json_text(b->message), "user", b->user, "reason",
                     show_json_text(b->reason), "digest", show_json_text(b->digest), "release",
                     version != 0 ? json_integer(version) : json_null(), "exit_code", (json_int_t) b->exit_code,
                     "reused_from", b->reused_from != 0 ? json_integer(b->reused_from) : json_null(), "created_at",
                     show_json_time(b->created_at), "started_at", show_json_time(b->started_at), "built_at",
                     show_json_time(b->built_at), "ended_at", show_json_time(b->ended_at));
}

static void build_row(struct table *t, const struct build *b, int64_t version)
{
    table_addf(t, "%lld", (long long) b->id);
    table_addf(t, "%.7s", b->commit);
    table_add(t, build_state_name(b->state));
    if (version != 0)
        table_addf(t, "v%lld", (long long) version);
    else
        table_add(t, "-");
    table_add(t, b->user);
    table_add(t, show_time(b->created_at).s);
    table_add(t, b->reason != NULL ? b->reason : b->message);
}

int cmd_builds_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *num = command_option(c, "--num");
    long long limit = BUILDS_SHOWN;
    struct table t = TABLE_INIT(7);
    struct build *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (num != NULL && show_number(num, "-n", 1, BUILDS_MAX, &limit, err) != 0)
        return -1;
    if (builds_list(c->store, c->app.id, (int) limit, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        int64_t version = release_version(c, &v[i]);

        (void) json_array_append_new(all, build_json(&v[i], version));
        build_row(&t, &v[i], version);
        build_release(&v[i]);
    }
    free(v);
    if (n == 0 && !c->json)
        (void) io_outf(c->io, "%s has no builds yet; git push makes the first\n", c->app.name);
    return show_list(c, all, &t);
}

/* Whole lines of `in` to the person; the rest stays, unless it is the file's end. */
static int lines_relay(struct command_ctx *c, struct buf *in, bool end)
{
    struct buf out;
    int rc;

    buf_init(&out, 16 * OUTPUT_READ);
    while (buf_len(in) > 0) {
        const char *s = buf_str(in), *nl = memchr(s, '\n', buf_len(in));
        size_t n = nl != NULL ? (size_t) (nl - s) : buf_len(in);

        if (nl == NULL && !end && buf_room(in) > 0)
            break;
        (void) text_clean_line(&out, s, n, c->io->color);
        buf_consume(in, n + (nl != NULL));
    }
    rc = c->io->out(c->io, buf_str(&out), buf_len(&out));
    buf_release(&out);
    return rc;
}

int show_log(struct command_ctx *c, const char *path, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    cleanup_buf struct buf in = { 0 };

    buf_init(&in, OUTPUT_READ);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot read the output");
    for (;;) {
        size_t room = buf_room(&in);
        ssize_t n = read(fd, buf_reserve(&in, room), room);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read the output");
        buf_added(&in, (size_t) n);
        if (lines_relay(c, &in, n == 0) != 0 || n == 0)
            return 0;
    }
}

/* With --json: {"build": …, "output": "…"} would hold megabytes; the row and the lines are enough: one
 * document, the output as one string of at most this size. */
#define OUTPUT_JSON_MAX (16 << 20)

struct capture_io {
    struct command_io io; /* first */
    struct buf text;
};

static int capture_out(struct command_io *io, const void *data, size_t n)
{
    return buf_add(&((struct capture_io *) io)->text, data, n);
}

int show_log_json(struct command_ctx *c, json_t *doc, const char *const *paths, size_t n, struct err *err)
{
    struct capture_io capture = { .io = *c->io };
    struct command_io *real = c->io;
    int rc = 0;

    buf_init(&capture.text, OUTPUT_JSON_MAX);
    capture.io.out = capture_out;
    capture.io.color = false;
    c->io = &capture.io;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = show_log(c, paths[i], err);
    c->io = real;
    if (rc == 0) {
        (void) json_object_set_new(doc, "output", show_json_text(buf_str(&capture.text)));
        (void) show_json(c, doc);
    } else {
        json_decref(doc);
    }
    buf_release(&capture.text);
    return rc;
}

int cmd_builds_output(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *build_log = NULL, *release_log = NULL;
    struct build b;
    int rc;

    (void) argv;
    (void) argc;
    if (build_find(c, &b, err) != 0)
        return -1;
    build_log = store_build_log(c->store, b.id);
    if (b.release_id != 0)
        release_log = store_release_log(c->store, b.release_id);
    if (c->json) {
        const char *const logs[] = { build_log, release_log };

        rc = show_log_json(c, build_json(&b, release_version(c, &b)), logs, release_log != NULL ? 2 : 1, err);
    } else {
        rc = show_log(c, build_log, err);
        if (rc == 0 && release_log != NULL)
            rc = show_log(c, release_log, err);
        if (rc == 0 && !build_state_ended(b.state))
            (void) io_errf(c->io, " !     Build %lld is still %s; follow it: builds:attach %lld\n", (long long) b.id,
                           build_state_name(b.state), (long long) b.id);
    }
    build_release(&b);
    return rc;
}

int cmd_builds_attach(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct progress_io p;
    struct build b, end = { 0 };
    int64_t id;
    int rc;

    (void) argv;
    (void) argc;
    if (build_find(c, &b, err) != 0)
        return -1;
    id = b.id;
    build_release(&b);
    rc = follow_build(c->store, progress_io_init(&p, c), id, &end, err);
    if (rc == 1)
        return 0;
    if (rc == 2)
        return err_set(err, ERR_DOWN, "the server is stopping; build %lld goes on when it is back", (long long) id);
    if (rc < 0)
        return -1;
    if (c->json)
        (void) show_json(c, build_json(&end, release_version(c, &end)));
    if (end.state == BUILD_FAILED || end.state == BUILD_CANCELED)
        rc = err_set(err, ERR_FAILED, "build %lld %s: %s", (long long) id,
                     end.state == BUILD_FAILED ? "failed" : "was canceled",
                     end.reason != NULL ? end.reason : "no reason was given");
    else if (end.state == BUILD_PLANNED)
        rc = err_set(err, ERR_FAILED, "build %lld was planned with, and nothing was released", (long long) id);
    build_release(&end);
    return rc;
}

/* The build that was named, or the app's newest that has not ended; where all have, its newest. */
static int build_find_open(struct command_ctx *c, int64_t *ret_id, struct err *err)
{
    struct build b, *ahead = NULL;
    size_t n = 0;
    int rc = 0;

    if (build_find(c, &b, err) != 0)
        return -1;
    if (c->build_id == 0 && build_state_ended(b.state))
        rc = builds_ahead(c->store, b.id, &ahead, &n, err);
    *ret_id = n > 0 ? ahead[n - 1].id : b.id;
    for (size_t i = 0; i < n; i++)
        build_release(&ahead[i]);
    free(ahead);
    build_release(&b);
    return rc;
}

/* What goes on though one is canceled. */
static void builds_left_show(struct command_ctx *c, int64_t id)
{
    struct build *ahead = NULL;
    size_t n = 0;

    if (builds_ahead(c->store, id, &ahead, &n, NULL) != 0)
        return;
    for (size_t i = n; i > 0; i--) {
        (void) io_outf(c->io, "Build %lld is still %s; cancel it, too: builds:cancel %lld\n",
                       (long long) ahead[i - 1].id, build_state_name(ahead[i - 1].state), (long long) ahead[i - 1].id);
        build_release(&ahead[i - 1]);
    }
    free(ahead);
}

int cmd_builds_cancel(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct build b;
    int64_t id;
    bool ended;

    (void) argv;
    (void) argc;
    if (build_find_open(c, &id, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%lld", (long long) id);
    if (builds_cancel(c->store, id, c->user.name, err) != 0 || builds_get(c->store, id, &b, err) != 0)
        return -1;
    ended = build_state_ended(b.state);
    if (c->json)
        (void) show_json(c, build_json(&b, release_version(c, &b)));
    else
        (void) io_outf(c->io, ended ? "Canceling build %lld... done\n"
                                    : "Build %lld is asked to stop; see it end: builds:attach %lld\n", (long long) id,
                           (long long) id);
    if (!c->json && c->build_id == 0)
        builds_left_show(c, id);
    build_release(&b);
    return 0;
}
