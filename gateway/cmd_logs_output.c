/* logs -p build and logs -p release. */
#include "config.h"

#include "gateway/cmd_logs.h"

#include "base/json.h"
#include "base/log_view.h"
#include "base/mem.h"
#include "base/wake.h"
#include "gateway/follow.h"
#include "gateway/stopping.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 100     /* builds or releases that are looked through for lines, and that may come at once */
#define RECHECK_MS 5000  /* the server's stop has no event here */
#define NAME_SIZE 32

/* A build or a release. */
struct row {
    int64_t id, created_at;
    bool ended;
    char name[NAME_SIZE];
    char *log, *more;    /* files; more: of a build, its release's; NULL: none */
};

struct output {
    struct command_io io; /* first: what is written to it gets its name in front and goes to the real one */
    struct command_io *real;
    struct command_ctx *c;
    enum logs_source source;
    const char *name;
    bool keep;           /* only the last lines are wanted, of all that come */
    char **kept;         /* a ring of n_max */
    size_t n_kept, n_max;
    bool all;            /* nobody has asked for a number of lines */
    bool rows_left_out;  /* of builds or releases that were to be shown, too; not said yet */
};

static char *line_make(const struct output *o, const char *s, size_t n)
{
    size_t len = strlen(o->name);
    json_auto_t *doc = NULL;
    char *text, *line;

    if (o->c->json) {
        doc = json_pack("{s:n, s:s, s:o}", "time", "process", o->name, "text", json_stringn(s, n));
        text = json_text(doc);
        line = xasprintf("%s\n", text);
        free(text);
        return line;
    }
    if (o->io.color)
        return xasprintf("\033[%dm%s\033[0m %.*s\n", logs_color(o->name, len), o->name, (int) n, s);
    return xasprintf("%s %.*s\n", o->name, (int) n, s);
}

/* Takes whole lines. */
static int output_out(struct command_io *io, const void *data, size_t n)
{
    struct output *o = (struct output *) io;
    const char *s = data, *end = s + n;
    int rc = 0;

    while (s < end && rc == 0) {
        const char *nl = memchr(s, '\n', (size_t) (end - s)), *stop = nl != NULL ? nl : end;
        char *line = line_make(o, s, (size_t) (stop - s));

        s = stop + 1;
        if (o->keep && o->n_max > 0) {
            char **place = &o->kept[o->n_kept++ % o->n_max];

            free(*place);
            *place = steal_ptr(line);
        } else if (!o->keep) {
            rc = o->real->out(o->real, line, strlen(line));
        }
        free(line);
    }
    return rc;
}

static int output_err(struct command_io *io, const void *data, size_t n)
{
    struct command_io *real = ((struct output *) io)->real;

    return real->err(real, data, n);
}

static int output_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct command_io *real = ((struct output *) io)->real;

    return real->wait(real, fd, want_input, timeout_ms);
}

/* In front of the lines, where older ones were to be shown, too. 0, or -1 when the peer is gone. */
static int left_out_say(struct output *o, size_t lines)
{
    cleanup_free char *text = NULL, *line = NULL;

    if (o->all && lines > 0)
        text = xasprintf(LOG_LEFT_OUT, LOG_PAST_MAX);
    else if (o->rows_left_out)
        text = xasprintf("older lines are left out here: those of the last %d %s are shown", ROWS_MAX,
                         o->source == LOGS_BUILDS ? "builds" : "releases");
    o->rows_left_out = false;
    if (text == NULL)
        return 0;
    o->name = "slipway";
    line = line_make(o, text, strlen(text));
    return o->real->out(o->real, line, strlen(line));
}

/* Prints what was kept, and keeps nothing more. 0, or -1 when the peer is gone. */
static int kept_flush(struct output *o)
{
    size_t from = o->n_kept > o->n_max ? o->n_kept - o->n_max : 0;
    int rc = left_out_say(o, from);

    for (size_t i = from; i < o->n_kept; i++) {
        char **line = &o->kept[i % o->n_max];

        if (rc == 0)
            rc = o->real->out(o->real, *line, strlen(*line));
        free(*line);
        *line = NULL;
    }
    o->n_kept = 0;
    o->keep = false;
    return rc;
}

/* --- rows */

static void rows_free(struct row *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].log);
        free(v[i].more);
    }
    free(v);
}

static int builds_rows(struct store *s, int64_t app_id, struct row **ret, size_t *ret_n, struct err *err)
{
    struct build *v = NULL;

    if (builds_list(s, app_id, ROWS_MAX + 1, &v, ret_n, err) != 0)
        return -1;
    *ret = xcalloc(*ret_n + 1, sizeof(**ret));
    for (size_t i = 0; i < *ret_n; i++) {
        struct row *r = &(*ret)[i];

        *r = (struct row) { .id = v[i].id, .created_at = v[i].created_at, .ended = build_state_ended(v[i].state),
                            .log = store_build_log(s, v[i].id),
                            .more = v[i].release_id != 0 ? store_release_log(s, v[i].release_id) : NULL };
        (void) snprintf(r->name, sizeof(r->name), "build.%" PRId64, v[i].id);
        build_release(&v[i]);
    }
    free(v);
    return 0;
}

static int releases_rows(struct store *s, int64_t app_id, struct row **ret, size_t *ret_n, struct err *err)
{
    struct release *v = NULL;

    if (releases_list(s, app_id, ROWS_MAX + 1, &v, ret_n, err) != 0)
        return -1;
    *ret = xcalloc(*ret_n + 1, sizeof(**ret));
    for (size_t i = 0; i < *ret_n; i++) {
        struct row *r = &(*ret)[i];

        *r = (struct row) { .id = v[i].id, .created_at = v[i].created_at, .ended = release_state_ended(v[i].state),
                            .log = store_release_log(s, v[i].id) };
        (void) snprintf(r->name, sizeof(r->name), "release.v%" PRId64, v[i].version);
        release_release(&v[i]);
    }
    free(v);
    return 0;
}

/* Newest first; of one more than ROWS_MAX the lines are not shown. */
static int rows_list(struct output *o, struct row **ret, size_t *ret_n, struct err *err)
{
    struct store *s = o->c->store;

    return o->source == LOGS_BUILDS ? builds_rows(s, o->c->app.id, ret, ret_n, err)
                                    : releases_rows(s, o->c->app.id, ret, ret_n, err);
}

/* --- showing them. 0, 1: the person is gone, -1 */

static int row_show(struct output *o, const struct row *r, struct err *err)
{
    int rc;

    o->name = r->name;
    o->c->io = &o->io;
    rc = show_log(o->c, r->log, err);
    if (rc == 0 && r->more != NULL)
        rc = show_log(o->c, r->more, err);
    o->c->io = o->real;
    return rc;
}

static int row_follow(struct output *o, const struct row *r, struct err *err)
{
    struct release release;
    struct build build;
    int rc = kept_flush(o) < 0 ? 1 : 0;

    o->name = r->name;
    if (rc == 0 && o->source == LOGS_BUILDS) {
        rc = follow_build(o->c->store, &o->io, r->id, &build, err);
        if (rc == 0)
            build_release(&build);
    } else if (rc == 0) {
        rc = follow_release(o->c->store, &o->io, r->id, &release, err);
        if (rc == 0)
            release_release(&release);
    }
    return rc == 2 ? err_set(err, ERR_BUSY, "the server is stopping; try again in a moment") : rc;
}

/* Shows those behind *last, oldest first, and moves it. */
static int rows_show(struct output *o, int64_t since, bool follow, int64_t *last, struct err *err)
{
    struct row *v = NULL;
    size_t n = 0;
    int rc;

    if (rows_list(o, &v, &n, err) != 0)
        return -1;
    rc = 0;
    if (n > ROWS_MAX && v[ROWS_MAX].id > *last && v[ROWS_MAX].created_at >= since)
        o->rows_left_out = o->all || !o->keep;
    for (size_t i = n > ROWS_MAX ? ROWS_MAX : n; i > 0 && rc == 0; i--) {
        const struct row *r = &v[i - 1];

        if (r->id <= *last || r->created_at < since)
            continue;
        rc = follow && !(r->ended && o->keep) ? row_follow(o, r, err) : row_show(o, r, err);
        *last = r->id;
    }
    rows_free(v, n);
    return rc;
}

static int output_run(struct output *o, int64_t since, bool follow, struct err *err)
{
    struct store *s = o->c->store;
    cleanup_free char *path = o->source == LOGS_BUILDS ? store_builds_wake(s) : store_releases_wake(s);
    cleanup_close int wake = follow ? wake_open(err) : -1;
    int64_t last = 0;
    int rc;

    if (follow && (wake < 0 || wake_watch(wake, path, err) < 0))
        return -1;
    for (;;) {
        rc = rows_show(o, since, follow, &last, err);
        if (rc == 0 && kept_flush(o) < 0)
            rc = 1;
        if (rc != 0 || !follow)
            return rc;
        if (server_is_stopping(s->state))
            return err_set(err, ERR_BUSY, "the server is stopping; try again in a moment");
        if ((o->real->wait(o->real, wake, false, RECHECK_MS) & IO_GONE) != 0)
            return 1;
        if (wake_drain(wake, err) < 0)
            return -1;
    }
}

int logs_output(struct command_ctx *c, enum logs_source source, long long lines, long long since_s, bool follow,
                struct err *err)
{
    struct output o = { .io = *c->io, .real = c->io, .c = c, .source = source, .name = "", .keep = true,
                        .n_max = (size_t) (lines < 0 ? LOG_PAST_MAX : lines), .all = lines < 0 };
    int rc;

    o.io.out = output_out;
    o.io.err = output_err;
    o.io.wait = output_wait;
    o.io.color = c->io->color && !c->json;
    o.kept = xcalloc(o.n_max + 1, sizeof(char *));
    rc = output_run(&o, since_s > 0 ? store_now() - since_s * 1000 : 0, follow, err);
    for (size_t i = 0; i < o.n_max; i++)
        free(o.kept[i]);
    free(o.kept);
    return rc < 0 ? -1 : 0;
}
