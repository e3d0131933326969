#include "config.h"

#include "base/json.h"
#include "base/log_view.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/word.h"
#include "gateway/cmd_logs.h"
#include "gateway/cmd_ps.h"
#include "gateway/live.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LINES_SHOWN 100     /* as Heroku's */
#define SINCE_MAX (366LL * 86400)

struct log_view {
    struct command_ctx *c;
    struct buf out;
};

int logs_color(const char *s, size_t n)
{
    unsigned h = 5381;

    for (size_t i = 0; i < n; i++)
        h = h * 33 + (unsigned char) s[i];
    return 31 + (int) (h % 6);
}

/* "TIME web.1 text": where its parts end; 0 where the line is not so. */
static void line_parts(const char *s, size_t n, size_t *ret_time, size_t *ret_name)
{
    const char *a = memchr(s, ' ', n), *b = a != NULL ? memchr(a + 1, ' ', n - (size_t) (a + 1 - s)) : NULL;

    *ret_time = b != NULL ? (size_t) (a - s) : 0;
    *ret_name = b != NULL ? (size_t) (b - s) : 0;
}

static void line_json(struct buf *out, const char *s, size_t n)
{
    cleanup_buf struct buf clean = { 0 };
    json_auto_t *o = NULL;
    size_t time, name;

    buf_init(&clean, 4 * n + 64);
    (void) text_clean_line(&clean, s, n, false);
    s = buf_str(&clean);
    n = buf_len(&clean) > 0 ? buf_len(&clean) - 1 : 0; /* without its newline */
    line_parts(s, n, &time, &name);
    if (name == 0)
        o = json_pack("{s:n, s:n, s:s%}", "time", "process", "text", s, n);
    else
        o = json_pack("{s:s%, s:s%, s:s%}", "time", s, time, "process", s + time + 1, name - time - 1, "text",
                      s + name + 1, n - name - 1);
    if (o != NULL && json_dump_buf(o, out) == 0)
        (void) buf_addch(out, '\n');
}

static void line_text(struct buf *out, const char *s, size_t n, bool color)
{
    size_t time, name;

    line_parts(s, n, &time, &name);
    if (color && name != 0) {
        (void) buf_addf(out, "\033[%dm%.*s\033[0m ", logs_color(s + time + 1, name - time - 1), (int) name, s);
        s += name + 1;
        n -= name + 1;
    }
    (void) text_clean_line(out, s, n, color);
}

static int log_lines(void *arg, const char *data, size_t n)
{
    struct log_view *v = arg;
    const char *end = data + n;

    buf_clear(&v->out);
    while (data < end) {
        const char *nl = memchr(data, '\n', (size_t) (end - data)), *stop = nl != NULL ? nl : end;
        size_t len = (size_t) (stop - data);

        if (v->c->json)
            line_json(&v->out, data, len);
        else
            line_text(&v->out, data, len, v->c->io->color);
        data = stop + 1;
    }
    return v->c->io->out(v->c->io, buf_str(&v->out), buf_len(&v->out));
}

static bool has_type(const struct release *live, const char *type)
{
    for (size_t i = 0; i < live->processes.n; i++)
        if (strcmp(live->processes.v[i].type, type) == 0)
            return strcmp(type, "release") != 0;
    return false;
}

/* A type that the app does not have may be a name for something else. */
static int other_source(struct command_ctx *c, const char *type, const struct release *live, enum logs_source *ret,
                        struct err *err)
{
    if (strcmp(type, "build") == 0)
        *ret = LOGS_BUILDS;
    else if (strcmp(type, "release") == 0)
        *ret = LOGS_RELEASES;
    else if (strcmp(type, "router") == 0)
        *ret = LOGS_ROUTER;
    else if (live != NULL)
        return ps_type_unknown(c, type, live, err);
    return 0;
}

/* "web" is a process type of the live release, "web.1" one instance; "build", "release" and "router" where it has no
 * such type. */
static int process_check(struct command_ctx *c, const char *p, enum logs_source *ret, struct err *err)
{
    const char *dot = strchr(p, '.');
    cleanup_free char *type = dot != NULL ? xstrndup(p, (size_t) (dot - p)) : xstrdup(p);
    struct release live;
    long long n = 0;
    int rc;

    if (process_name_check(type, err) != 0)
        return -1;
    if (dot != NULL && show_number(dot + 1, "", 1, PROCESS_COUNT_MAX, &n, NULL) != 0)
        return err_set(err, ERR_USAGE, "an instance is TYPE.NUMBER, not \"%s\"; for example: -p web.1", word_shown(p).s);
    if (c->app.live_release_id == 0)
        return dot != NULL ? 0 : other_source(c, type, NULL, ret, err);
    if (releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    rc = has_type(&live, type) ? 0
       : dot != NULL ? ps_type_unknown(c, type, &live, err) : other_source(c, type, &live, ret, err);
    release_release(&live);
    return rc;
}

int cmd_logs(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *num = command_option(c, "--num"), *process = command_option(c, "--process");
    const char *since_text = command_option(c, "--since");
    bool instance = process != NULL && strchr(process, '.') != NULL, follow = command_option(c, "--tail") != NULL;
    long long lines = since_text != NULL ? -1 : LINES_SHOWN, since = 0;
    struct log_view v = { .c = c };
    enum logs_source source = LOGS_PROCESSES;
    json_auto_t *q = NULL;
    int rc;

    (void) argv;
    (void) argc;
    if ((num != NULL && show_number(num, "-n", 0, LOG_PAST_MAX, &lines, err) != 0)
        || (since_text != NULL && show_duration(since_text, "--since", SINCE_MAX, &since, err) != 0))
        return -1;
    if (process != NULL && process_check(c, process, &source, err) != 0)
        return -1;
    if (source == LOGS_BUILDS || source == LOGS_RELEASES)
        return logs_output(c, source, lines, since, follow, err);
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s has no live release yet; the output of builds: builds:output %s",
                       c->app.name, c->app.name);
    if (follow)
        (void) setpriority(PRIO_PROCESS, 0, FOLLOW_NICE);
    if (source == LOGS_ROUTER)
        process = NULL;
    q = json_pack("{s:s, s:I, s:b, s:o, s:o, s:I, s:I, s:b}", "op", "logs", "app_id", (json_int_t) c->app.id, "router",
                  (int) (source == LOGS_ROUTER), "process",
                  show_json_text(instance ? NULL : process), "instance", show_json_text(instance ? process : NULL),
                  "tail", (json_int_t) lines, "since", (json_int_t) since, "follow", (int) follow);
    buf_init(&v.out, 8 << 20); /* a frame of 64 KiB, with colours or as JSON */
    rc = live_request(c, q, log_lines, &v, err);
    buf_release(&v.out);
    return rc;
}
