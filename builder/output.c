#include "config.h"

#include "builder/output.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The largest config value, and what cleaning may make of it (a bad byte becomes three). */
#define SECRET_MAX (3 * 64 * 1024)
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, for bytes that are not UTF-8 */

struct output_secret {
    char *text;
    size_t n;
};

enum { TEXT, UTF8, ESC, CSI, STRING, STRING_ESC };

void output_init(struct output *o, output_line_fn *fn, void *arg)
{
    memset(o, 0, sizeof(*o));
    o->fn = fn;
    o->arg = arg;
    buf_init(&o->held, SECRET_MAX + 4096);
    buf_init(&o->line, OUTPUT_LINE_MAX);
}

void output_release(struct output *o)
{
    for (size_t i = 0; i < o->n_secrets; i++) {
        explicit_bzero(o->secrets[i].text, o->secrets[i].n);
        free(o->secrets[i].text);
    }
    free(o->secrets);
    buf_release(&o->held);
    buf_release(&o->line);
    output_init(o, o->fn, o->arg);
}

static void line_end(struct output *o)
{
    o->fn(buf_str(&o->line), buf_len(&o->line), o->rewritten, o->arg);
    buf_clear(&o->line);
    o->rewritten = false;
}

/* Masked text of one line. */
static void line_add(struct output *o, const char *s, size_t n)
{
    while (n > 0) {
        size_t part = n;

        if (part > buf_room(&o->line)) {
            part = buf_room(&o->line);
            while (part > 0 && (s[part] & 0xc0) == 0x80) /* not inside a character */
                part--;
        }
        (void) buf_add(&o->line, s, part);
        s += part;
        n -= part;
        if (n > 0) {
            line_end(o);
            o->rewritten = true; /* it does not begin where the program's line began */
        }
    }
}

/* How much of s (n bytes) is a whole secret (its length), nothing of one (0), or might become
 * one with more bytes (-1). The longest one wins. */
static long match(const struct output *o, const char *s, size_t n)
{
    if (!o->first[(unsigned char) *s])
        return 0;
    for (size_t i = 0; i < o->n_secrets; i++) {
        const struct output_secret *x = &o->secrets[i];

        if (n >= x->n) {
            if (memcmp(s, x->text, x->n) == 0)
                return (long) x->n;
        } else if (memcmp(s, x->text, n) == 0) {
            return -1;
        }
    }
    return 0;
}

/* Gives out what is held, up to where a secret may have begun; all of it at the end of a line. */
static void mask_run(struct output *o, bool end)
{
    const char *s = buf_str(&o->held);
    size_t n = buf_len(&o->held), i = 0, from = 0;

    while (i < n) {
        long m = match(o, s + i, n - i);

        if (m < 0 && !end)
            break;
        if (m < 0) { /* it will not become the longest one: is there a shorter one? */
            for (size_t k = 0; k < o->n_secrets && m < 0; k++) {
                if (o->secrets[k].n <= n - i && memcmp(s + i, o->secrets[k].text,
                                                       o->secrets[k].n) == 0)
                    m = (long) o->secrets[k].n;
            }
        }
        if (m > 0) {
            line_add(o, s + from, i - from);
            line_add(o, OUTPUT_MASK, sizeof(OUTPUT_MASK) - 1);
            i += (size_t) m;
            from = i;
        } else {
            i++;
        }
    }
    line_add(o, s + from, i - from);
    buf_consume(&o->held, i);
}

/* Cleaned bytes that hold no newline. */
static void mask_add(struct output *o, const char *s, size_t n)
{
    if (o->pending_cr) { /* a carriage return inside a line: the terminal would write over it */
        o->pending_cr = false;
        mask_run(o, true);
        buf_clear(&o->line);
        o->rewritten = true;
    }
    if (o->n_secrets == 0) {
        line_add(o, s, n);
        return;
    }
    if (buf_room(&o->held) < n)
        mask_run(o, false);
    (void) buf_add(&o->held, s, n);
}

/* Bytes after the first of a UTF-8 sequence; -1: it is none. */
static int utf8_need(unsigned char c)
{
    if (c >= 0xc2 && c <= 0xdf)
        return 1;
    if (c >= 0xe0 && c <= 0xef)
        return 2;
    if (c >= 0xf0 && c <= 0xf4)
        return 3;
    return -1;
}

/* Overlong forms, surrogates and numbers over U+10FFFF, told from the second byte (RFC 3629 §4). */
static bool utf8_second_ok(unsigned char first, unsigned char c)
{
    switch (first) {
    case 0xe0: return c >= 0xa0;
    case 0xed: return c <= 0x9f;
    case 0xf0: return c >= 0x90;
    case 0xf4: return c <= 0x8f;
    default: return true;
    }
}

static void text_byte(struct output *o, unsigned char c)
{
    char ch = (char) c;

    if (c == '\n') {
        o->pending_cr = false;
        mask_run(o, true);
        line_end(o);
    } else if (c == '\r') {
        o->pending_cr = true;
    } else if (c == 0x1b) {
        o->state = ESC;
    } else if (c == '\t' || (c >= 0x20 && c < 0x7f)) {
        mask_add(o, &ch, 1);
    } else if (c >= 0x80) {
        int need = utf8_need(c);

        if (need < 0) {
            mask_add(o, REPLACEMENT, sizeof(REPLACEMENT) - 1);
            return;
        }
        o->seq[0] = ch;
        o->seq_len = 1;
        o->seq_need = (size_t) need + 1;
        o->state = UTF8;
    }
}

static void utf8_byte(struct output *o, unsigned char c)
{
    if ((c & 0xc0) != 0x80
        || (o->seq_len == 1 && !utf8_second_ok((unsigned char) o->seq[0], c))) {
        o->state = TEXT;
        mask_add(o, REPLACEMENT, sizeof(REPLACEMENT) - 1);
        text_byte(o, c);
        return;
    }
    o->seq[o->seq_len++] = (char) c;
    if (o->seq_len < o->seq_need)
        return;
    o->state = TEXT;
    if ((unsigned char) o->seq[0] == 0xc2 && (unsigned char) o->seq[1] < 0xa0)
        return; /* C1 controls: some terminals obey them */
    mask_add(o, o->seq, o->seq_len);
}

/* ECMA-48 §5.4: parameters, intermediates, a final byte. Only SGR ("m") is given out. */
static void csi_byte(struct output *o, unsigned char c)
{
    if (c == '\n' || c == '\r' || c == 0x1b) { /* cut short */
        o->state = TEXT;
        text_byte(o, c);
        return;
    }
    if (o->seq_len < sizeof(o->seq))
        o->seq[o->seq_len++] = (char) c;
    if (c < 0x40 || c > 0x7e)
        return;
    o->state = TEXT;
    if (c != 'm' || o->seq_len == sizeof(o->seq))
        return;
    for (size_t i = 2; i + 1 < o->seq_len; i++) {
        if (!((o->seq[i] >= '0' && o->seq[i] <= '9') || o->seq[i] == ';' || o->seq[i] == ':'))
            return;
    }
    mask_add(o, o->seq, o->seq_len);
}

static void feed_byte(struct output *o, unsigned char c)
{
    switch (o->state) {
    case TEXT:
        text_byte(o, c);
        break;
    case UTF8:
        utf8_byte(o, c);
        break;
    case ESC:
        o->state = TEXT;
        if (c == '[') {
            o->state = CSI;
            o->seq[0] = '\x1b';
            o->seq[1] = '[';
            o->seq_len = 2;
        } else if (c == ']' || c == 'P' || c == '^' || c == '_' || c == 'X') {
            o->state = STRING; /* window titles and the like, up to BEL or ST */
        } else if (c == '\n' || c == '\r' || c == 0x1b) {
            text_byte(o, c);
        }
        break;
    case CSI:
        csi_byte(o, c);
        break;
    case STRING:
    case STRING_ESC:
        if (c == '\n') { /* never closed: do not swallow the rest of the build */
            o->state = TEXT;
            text_byte(o, c);
        } else if (c == 0x07 || (o->state == STRING_ESC && c == '\\')) {
            o->state = TEXT;
        } else {
            o->state = c == 0x1b ? STRING_ESC : STRING;
        }
        break;
    }
}

void output_feed(struct output *o, const char *data, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t k = i;

        if (o->state == TEXT && !o->pending_cr) { /* plain text in one piece */
            while (k < n && k - i < 4096 && (unsigned char) data[k] >= 0x20
                   && (unsigned char) data[k] < 0x7f)
                k++;
        }
        if (k > i) {
            mask_add(o, data + i, k - i);
            i = k;
        } else {
            feed_byte(o, (unsigned char) data[i]);
            i++;
        }
    }
    mask_run(o, false);
}

void output_end(struct output *o)
{
    mask_run(o, true);
    o->state = TEXT;
    o->pending_cr = false;
    if (buf_len(&o->line) > 0)
        line_end(o);
}

static void collect(const char *line, size_t n, bool rewritten, void *arg)
{
    struct output *o = arg;
    size_t at = 0;

    (void) rewritten;
    if (n < OUTPUT_SECRET_MIN)
        return;
    while (at < o->n_secrets && o->secrets[at].n >= n)
        at++;
    o->secrets = xrealloc_n(o->secrets, o->n_secrets + 1, sizeof(*o->secrets));
    memmove(o->secrets + at + 1, o->secrets + at, (o->n_secrets - at) * sizeof(*o->secrets));
    o->secrets[at].text = xmemdup(line, n);
    o->secrets[at].n = n;
    o->n_secrets++;
    o->first[(unsigned char) *line] = true;
}

void output_mask(struct output *o, const char *value, size_t n)
{
    struct output clean;

    /* The value goes the same way as the output, so that both look alike when compared. */
    output_init(&clean, collect, o);
    buf_release(&clean.line);
    buf_init(&clean.line, SECRET_MAX);
    output_feed(&clean, value, n);
    output_end(&clean);
    output_release(&clean);
}
