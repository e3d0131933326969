#include "config.h"

#include "deployer/text.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

#define SGR_MAX 32 /* the longest that is of use: 24-bit foreground and background */

/* Length of the escape sequence at s (which begins with ESC); *ret_sgr: it only sets colours.
 * Source: ECMA-48 §5.4 (control sequences), §5.6 (control strings). */
static size_t escape_len(const char *s, size_t n, bool *ret_sgr)
{
    size_t i = 2;
    bool plain = true;

    *ret_sgr = false;
    if (n < 2)
        return n;
    if (s[1] == '[') {
        for (; i < n && s[i] >= 0x20 && s[i] <= 0x3f; i++)
            plain = plain && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';' || s[i] == ':');
        if (i == n)
            return n;
        *ret_sgr = plain && s[i] == 'm' && i < SGR_MAX;
        return i + 1;
    }
    if (strchr("]PX^_", s[1]) != NULL) { /* up to BEL or ESC \ */
        for (; i < n; i++) {
            if (s[i] == '\a')
                return i + 1;
            if (s[i] == '\033' && i + 1 < n && s[i + 1] == '\\')
                return i + 2;
        }
        return n;
    }
    return 2;
}

/* Length of the UTF-8 character at s, 0 where it is none (RFC 3629; no surrogates, no
 * overlongs). */
static size_t utf8_len(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

static bool is_control(const unsigned char *s, size_t len)
{
    return (len == 1 && (s[0] < 0x20 || s[0] == 0x7f) && s[0] != '\t') ||
           (len == 2 && s[0] == 0xc2 && s[1] < 0xa0); /* U+0080 to U+009F */
}

static void clean(struct buf *out, const char *s, size_t n, bool colour)
{
    bool coloured = false;

    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r'))
        n--;
    for (size_t i = 0, len; i < n; i += len) {
        const unsigned char *p = (const unsigned char *) s + i;

        if (*p == '\033') {
            bool sgr;

            len = escape_len(s + i, n - i, &sgr);
            if (sgr && colour && buf_add(out, p, len) == 0)
                coloured = true;
            continue;
        }
        len = utf8_len(p, n - i);
        if (len == 0) {
            (void) buf_addch(out, '?');
            len = 1;
        } else if (*p == '\n') {
            (void) buf_addch(out, ' ');
        } else if (!is_control(p, len)) {
            (void) buf_add(out, p, len);
        }
    }
    if (coloured)
        (void) buf_addstr(out, "\033[0m");
}

void text_clean(struct buf *out, const char *s, size_t n)
{
    clean(out, s, n, true);
}

char *text_plain(const char *s, size_t max)
{
    struct buf b;

    buf_init(&b, max);
    clean(&b, s, strlen(s), false);
    return buf_steal(&b);
}
