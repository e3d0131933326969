#include "config.h"

#include "deployer/log_lines.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "deployer/rfc3339.h"
#include "deployer/text.h"

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
    if (is_known(c, ns))
        return;
    c->at_last = ns == c->last_ns ? c->at_last + 1 : 1;
    c->last_ns = ns;
    if (ns > c->max_ns)
        c->max_ns = ns;
    rfc3339_format(ns / 1000000, time);
    buf_init(&b, SHOWN_MAX);
    (void) buf_addf(&b, "%s %s ", time, name);
    text_clean(&b, p + len, n - len);
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

static int by_time(const void *a, const void *b)
{
    const struct log_line *p = a, *q = b;

    if (p->ns != q->ns)
        return p->ns < q->ns ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

void log_lines_last(struct log_lines *l, size_t n)
{
    size_t drop = l->n > n ? l->n - n : 0;

    if (drop == 0)
        return;
    qsort(l->v, l->n, sizeof(*l->v), by_time);
    for (size_t i = 0; i < drop; i++)
        free(l->v[i].text);
    memmove(l->v, l->v + drop, n * sizeof(*l->v));
    l->n = n;
}

int log_lines_write(struct log_lines *l, int fd, struct err *err)
{
    struct err why = ERR_INIT;
    struct buf b;
    int rc = 0;

    if (l->n == 0)
        return 0;
    qsort(l->v, l->n, sizeof(*l->v), by_time);
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
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].text);
    free(l->v);
    memset(l, 0, sizeof(*l));
}

bool log_peer_gone(int fd)
{
    char scratch[4096];
    ssize_t n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}
