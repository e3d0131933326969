#include "config.h"

#include "deployer/log_lines.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/rfc3339.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SHOWN_MAX (24 * 1024) /* of one line with its name */

/* True where the line, which came again, was taken before. */
static bool is_known(struct log_cursor *c, int64_t ns)
{
    if (!c->again)
        return false;
    if (ns == c->last_ns && ++c->found == c->at_last) {
        c->again = false;
        return true;
    }
    if (ns <= c->max_ns)
        return true;
    c->again = false;
    return false;
}

struct log_seen { int64_t ns; uint64_t hash; };

#define SEEN_NS 1000000000LL     /* lines that stand together are no further apart */
#define WHOLE_MAX (16 * 1024)    /* what is longer comes in pieces, which may be the same */

/* True where a line of this time and text was among the last; else it is now. */
static bool is_repeated(struct log_cursor *c, int64_t ns, const char *p, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char) p[i]) * 0x100000001b3u;
    for (size_t i = 1; ns <= c->max_ns && n < WHOLE_MAX && i <= LOG_SEEN_MAX; i++) {
        const struct log_seen *s = &c->seen[(c->seen_at + LOG_SEEN_MAX - i) % LOG_SEEN_MAX];

        if (s->ns == ns && s->hash == hash)
            return true;
        if (s->ns < ns - SEEN_NS)
            break;
    }
    c->seen[c->seen_at++ % LOG_SEEN_MAX] = (struct log_seen) { ns, hash };
    return false;
}

void log_cursor_watch(struct log_cursor *c)
{
    if (c->seen == NULL)
        c->seen = xcalloc(LOG_SEEN_MAX, sizeof(*c->seen));
}

void log_cursor_release(struct log_cursor *c)
{
    free(c->seen);
    c->seen = NULL;
}

void log_lines_take(struct log_lines *l, struct log_cursor *c, const char *name, const char *p, size_t n)
{
    char time[RFC3339_SIZE];
    struct buf b;
    int64_t ns;
    size_t len = rfc3339_parse(p, n, &ns);

    /* A piece of an overlong line has no time of its own. */
    if (len == 0)
        ns = c->seen_ns;
    else if (len < n && p[len] == ' ')
        len++;
    c->seen_ns = ns;
    if (is_known(c, ns) || (c->seen != NULL && is_repeated(c, ns, p + len, n - len)))
        return;
    c->at_last = ns == c->last_ns ? c->at_last + 1 : 1;
    c->last_ns = ns;
    if (ns > c->max_ns)
        c->max_ns = ns;
    rfc3339_format(ns / 1000000, time);
    buf_init(&b, SHOWN_MAX);
    (void) buf_addf(&b, "%s %s ", time, name);
    (void) text_clean(&b, p + len, n - len, true);
    if (buf_addch(&b, '\n') < 0) {
        buf_truncate(&b, buf_len(&b) - 1);
        (void) buf_addch(&b, '\n');
    }
    if (l->n == l->cap) {
        l->cap = l->cap * 2 + 64;
        l->v = xrealloc_n(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->n++] = (struct log_line) { ns, l->order++, buf_steal(&b) };
}

void log_cursor_again(struct log_cursor *c)
{
    c->again = c->last_ns != 0;
    c->found = 0;
}

int64_t log_cursor_from(const struct log_cursor *c)
{
    return c->last_ns / 1000000000 - 1;
}

static int by_time(const void *a, const void *b)
{
    const struct log_line *p = a, *q = b;

    if (p->ns != q->ns)
        return p->ns < q->ns ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

void log_lines_sort(struct log_lines *l)
{
    if (l->n > 0)
        qsort(l->v, l->n, sizeof(*l->v), by_time);
}

void log_lines_move(struct log_lines *to, struct log_lines *from)
{
    if (from->n > 0)
        to->v = xrealloc_n(to->v, to->n + from->n, sizeof(*to->v));
    for (size_t i = 0; i < from->n; i++) {
        to->v[to->n] = from->v[i];
        to->v[to->n++].order = to->order++;
    }
    if (to->cap < to->n)
        to->cap = to->n;
    from->n = 0;
}

void log_lines_clear(struct log_lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    l->n = 0;
}

void log_lines_last(struct log_lines *l, size_t n)
{
    size_t drop = l->n > n ? l->n - n : 0;

    if (drop == 0)
        return;
    log_lines_sort(l);
    for (size_t i = 0; i < drop; i++)
        free(l->v[i].text);
    memmove(l->v, l->v + drop, n * sizeof(*l->v));
    l->n = n;
}

int log_lines_asked(int tail)
{
    return tail < 0 ? LOG_PAST_MAX + 1 : tail > 0 ? tail : 1;
}

void log_lines_cut(struct log_lines *l, int tail)
{
    char time[RFC3339_SIZE];

    if (tail >= 0) {
        log_lines_last(l, (size_t) tail);
        return;
    }
    if (l->n <= LOG_PAST_MAX)
        return;
    /* The first of these gives its place to the line that says so. */
    log_lines_last(l, LOG_PAST_MAX + 1);
    rfc3339_format(l->v[0].ns / 1000000, time);
    free(l->v[0].text);
    l->v[0].text = xasprintf("%s slipway " LOG_LEFT_OUT "\n", time, LOG_PAST_MAX);
}

int log_lines_write(struct log_lines *l, int fd, struct err *err)
{
    struct err why = ERR_INIT;
    struct buf b;
    int rc = 0;

    if (l->n == 0)
        return 0;
    log_lines_sort(l);
    buf_init(&b, IPC_PAYLOAD_MAX);
    for (size_t i = 0; i <= l->n; i++) {
        bool last = i == l->n;

        if (last || strlen(l->v[i].text) > buf_room(&b)) {
            if (rc == 0 && ipc_write(fd, IPC_STDOUT, buf_str(&b), buf_len(&b), &why) < 0)
                rc = errno == EPIPE || errno == ECONNRESET ? 1 : -1;
            buf_clear(&b);
        }
        if (last)
            break;
        (void) buf_addstr(&b, l->v[i].text);
        free(l->v[i].text);
    }
    l->n = 0;
    buf_release(&b);
    if (rc < 0)
        *err = why;
    return rc;
}

void log_lines_release(struct log_lines *l)
{
    log_lines_clear(l);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

const struct log_mark *log_mark_find(const struct log_marks *m, const char *id)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].id, id) == 0)
            return &m->v[i];
    return NULL;
}

bool log_mark_reached(const struct log_mark *m, const struct log_cursor *c)
{
    return m->ns != 0 && c->last_ns == m->ns && c->at_last == m->at_last;
}

json_t *log_mark_json(const char *id, const struct log_cursor *c)
{
    return json_pack("{s:s, s:I, s:I}", "id", id, "ns", (json_int_t) c->last_ns, "at", (json_int_t) c->at_last);
}

int log_marks_read(const json_t *doc, struct log_marks *ret, struct err *err)
{
    const json_t *one;
    size_t i;

    memset(ret, 0, sizeof(*ret));
    if (!json_is_array(doc))
        return err_set(err, ERR_FAILED, "how far the logs were read is not a list");
    ret->v = xcalloc(json_array_size(doc) + 1, sizeof(*ret->v));
    json_array_foreach(doc, i, one)
        ret->v[ret->n++] = (struct log_mark) { .id = xstrdup(json_str(one, "id", "")), .ns = json_int(one, "ns", 0),
                                               .at_last = (size_t) json_int(one, "at", 0) };
    return 0;
}

void log_marks_release(struct log_marks *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->v[i].id);
    free(m->v);
    memset(m, 0, sizeof(*m));
}

bool log_peer_gone(int fd)
{
    char scratch[4096];
    ssize_t n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}
