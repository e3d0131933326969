#include "config.h"

#include "deployer/kubernetes/gate.h"

#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Answers, and on a terminal what was asked, as its echo. A container that prints more by itself, before its command
 * has begun, is none that was asked for. */
#define SEEN_MAX (512 * 1024) /* with a whole message (WEBSOCKET_MESSAGE_MAX) behind the mark */

void gate_init(struct gate *g, bool tty)
{
    unsigned char random[8];

    memset(g, 0, sizeof(*g));
    g->tty = tty;
    randombytes_buf(random, sizeof(random));
    memcpy(g->token, GATE_PREFIX, sizeof(GATE_PREFIX));
    (void) sodium_bin2hex(g->token + sizeof(GATE_PREFIX) - 1, 2 * sizeof(random) + 1, random, sizeof(random));
    buf_init(&g->out.seen, SEEN_MAX);
    buf_init(&g->err.seen, SEEN_MAX);
}

void gate_release(struct gate *g)
{
    buf_release(&g->out.seen);
    buf_release(&g->err.seen);
}

#define FN "slipway_gate"

char *gate_script(const struct gate *g, int cols, int rows)
{
    cleanup_free char *err = g->tty ? xstrdup("") : xasprintf("; echo \"%s$1\" >&2", g->token);
    cleanup_free char *size = g->tty && cols > 0 && rows > 0
                                  ? xasprintf("stty cols %d rows %d 2>/dev/null; ", cols, rows) : xstrdup("");

    /* A variable of the app's must not be overwritten by ours: hence the name. */
    return xasprintf("%s" FN "() { echo \"%s$1\"%s; }; " FN "=; "
                     "until [ \"$" FN "\" = go ] || [ \"$" FN "\" = none ]; do IFS= read -r " FN " || exit %d; "
                     "if [ \"$" FN "\" = '?' ]; then " FN " '?'; fi; done; "
                     "if [ \"$" FN "\" = none ]; then exec </dev/null; fi; "
                     FN " '!'; unset -f " FN "; unset " FN "; ", size, g->token, err, GATE_EXIT);
}

/* Looks for the token with its sign; a pointer behind it, NULL: not there. */
static const char *mark_find(const struct gate *g, const struct buf *seen, char sign)
{
    size_t token = strlen(g->token);
    const char *p = buf_str(seen), *end = p + buf_len(seen);

    while ((p = memmem(p, (size_t) (end - p), g->token, token)) != NULL) {
        p += token;
        if (p < end && *p == sign)
            return p + 1;
    }
    return NULL;
}

static bool output_take(struct gate *g, struct gate_output *o, const char *data, size_t n, const char **ret_data,
                        size_t *ret_n)
{
    const char *at, *end;

    if (o->open) {
        *ret_data = data;
        *ret_n = n;
        return n > 0;
    }
    if (n > buf_room(&o->seen)) {
        size_t keep = buf_len(&o->seen) < GATE_TOKEN_SIZE ? buf_len(&o->seen) : GATE_TOKEN_SIZE;

        buf_consume(&o->seen, buf_len(&o->seen) - keep);
    }
    if (buf_add(&o->seen, data, n) < 0)
        return false; /* a message larger than SEEN_MAX: not a gate's */
    o->answered = o->answered || mark_find(g, &o->seen, '?') != NULL;
    at = mark_find(g, &o->seen, '!');
    end = buf_str(&o->seen) + buf_len(&o->seen);
    at = at != NULL ? memchr(at, '\n', (size_t) (end - at)) : NULL;
    if (at == NULL)
        return false;
    o->open = true;
    *ret_data = at + 1;
    *ret_n = (size_t) (end - (at + 1));
    return *ret_n > 0;
}

bool gate_take(struct gate *g, enum channel channel, const char *data, size_t n, const char **ret_data, size_t *ret_n)
{
    return output_take(g, channel == CHANNEL_STDERR ? &g->err : &g->out, data, n, ret_data, ret_n);
}

bool gate_answered(const struct gate *g)
{
    return g->out.answered && (g->tty || g->err.answered);
}

bool gate_is_line(const char *line, size_t n)
{
    return n > strlen(GATE_PREFIX) && memcmp(line, GATE_PREFIX, strlen(GATE_PREFIX)) == 0;
}
