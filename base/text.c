#include "config.h"

#include "base/text.h"

#include <string.h>

#define ESC 0x1b

/* Length of the well-formed UTF-8 sequence at s, 0 where it is none, or a C1 control (U+0080–U+009F)
 * or a bidirectional override, by which shown text can lie about itself. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t len = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
    unsigned long c;

    if (len == 0 || n < len)
        return 0;
    c = s[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < 0xa0 || (len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)))
        return 0;
    if ((c >= 0xd800 && c <= 0xdfff) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        return 0;
    return len;
}

/* Length of the escape sequence at s (s[0] is ESC); *ret_sgr tells whether it is a plain SGR. */
static size_t escape_length(const unsigned char *s, size_t n, bool *ret_sgr)
{
    size_t i;
    bool plain = true;

    *ret_sgr = false;
    if (n < 2)
        return n;
    if (s[1] == '[') { /* CSI: parameters, intermediates, one final byte */
        for (i = 2; i < n && s[i] >= 0x20 && s[i] <= 0x3f; i++) {
            if (!((s[i] >= '0' && s[i] <= '9') || s[i] == ';'))
                plain = false;
        }
        if (i < n && s[i] >= 0x40 && s[i] <= 0x7e) {
            *ret_sgr = plain && s[i] == 'm';
            return i + 1;
        }
        return i;
    }
    if (strchr("]PX^_", s[1]) != NULL) { /* strings up to BEL or ST: titles, links, device control */
        for (i = 2; i < n; i++) {
            if (s[i] == 0x07)
                return i + 1;
            if (s[i] == ESC && i + 1 < n && s[i + 1] == '\\')
                return i + 2;
        }
        return n;
    }
    for (i = 1; i < n && s[i] >= 0x20 && s[i] <= 0x2f; i++)
        ;
    return i < n ? i + 1 : n;
}

/* True for ESC [ m and ESC [ 0 m. */
static bool is_reset(const unsigned char *s, size_t n)
{
    for (size_t i = 2; i + 1 < n; i++) {
        if (s[i] != '0')
            return false;
    }
    return true;
}

/* How many bytes from s on are printable ASCII or tabs: nearly all of nearly every line. */
static size_t plain_length(const unsigned char *s, size_t n)
{
    size_t i = 0;

    while (i < n && ((s[i] >= ' ' && s[i] < 0x7f) || s[i] == '\t'))
        i++;
    return i;
}

/* As much of it as there is room for. */
static int add(struct buf *out, const void *p, size_t n)
{
    size_t room = buf_room(out);

    if (n <= room)
        return buf_add(out, p, n);
    (void) buf_add(out, p, room);
    return -1;
}

/* What stands at s, which is no plain text; *ret_n is its length. */
static int special(struct buf *out, const unsigned char *s, size_t n, bool color, bool *colored, size_t *ret_n)
{
    bool sgr;

    *ret_n = 1;
    if (s[0] == ESC) {
        *ret_n = escape_length(s, n, &sgr);
        if (!sgr || !color)
            return 0;
        *colored = !is_reset(s, *ret_n);
        return buf_add(out, s, *ret_n);
    }
    if (s[0] >= 0x80) {
        size_t len = utf8_length(s, n);

        if (len == 0)
            return buf_addch(out, '?');
        *ret_n = len;
        return buf_add(out, s, len);
    }
    return s[0] == '\n' ? buf_addch(out, ' ') : 0;
}

int text_clean(struct buf *out, const char *text, size_t n, bool color)
{
    const unsigned char *s = (const unsigned char *) text;
    bool colored = false;

    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
        n--;
    while (n > 0) {
        size_t len = plain_length(s, n);

        if ((len > 0 ? add(out, s, len) : special(out, s, n, color, &colored, &len)) < 0)
            return -1;
        s += len;
        n -= len;
    }
    return colored ? buf_addstr(out, "\033[m") : 0;
}

int text_clean_line(struct buf *out, const char *s, size_t n, bool color)
{
    const char *p;

    while (n > 0 && s[n - 1] == '\r')
        n--;
    p = memrchr(s, '\r', n);
    if (p != NULL) {
        n -= (size_t) (p + 1 - s);
        s = p + 1;
    }
    do {
        size_t piece = n < TEXT_LINE_MAX ? n : TEXT_LINE_MAX;

        /* Never inside a UTF-8 sequence. */
        while (piece < n && piece > TEXT_LINE_MAX - 4 && ((unsigned char) s[piece] & 0xc0) == 0x80)
            piece--;
        if (text_clean(out, s, piece, color) < 0 || buf_addch(out, '\n') < 0)
            return -1;
        s += piece;
        n -= piece;
    } while (n > 0);
    return 0;
}

char *text_plain(const char *s, size_t max)
{
    struct buf b;

    buf_init(&b, max);
    (void) text_clean(&b, s, strlen(s), false);
    return buf_steal(&b);
}
