#include "config.h"

#include "base/log.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_TEXT_MAX 4096           /* of one message; what is longer is cut */
#define LOG_LINE_MAX (32 * 1024)    /* every byte of it escaped, and the fields */
#define LOG_VALUE_MAX 64            /* of a context field, with its NUL */

static const char *role_name = "slipway";
static enum log_level level_max = LOG_LEVEL_INFO;
static bool as_json;
static char fields[LOG_FIELD_COUNT][LOG_VALUE_MAX];

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const field_names[LOG_FIELD_COUNT] = {
    [LOG_CONNECTION] = "connection",
    [LOG_USER] = "user",
    [LOG_APP] = "app",
    [LOG_BUILD] = "build",
    [LOG_RELEASE] = "release",
};

void log_init(const char *role, enum log_level level, bool json)
{
    role_name = role;
    level_max = level;
    as_json = json;
}

void log_set(enum log_field field, const char *value)
{
    (void) snprintf(fields[field], LOG_VALUE_MAX, "%s", value != NULL ? value : "");
}

/* The length of the well-formed UTF-8 sequence at s that is no control character, or 0 (RFC 3629 §4).
 * A NUL at the end stops it, since that is no continuation byte. */
static int utf8_length(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    int n;

    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
        if (s[0] == 0xc2)
            low = 0xa0; /* U+0080 to U+009F are controls */
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        if (s[0] == 0xe0)
            low = 0xa0;
        else if (s[0] == 0xed)
            high = 0x9f; /* no surrogates */
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        if (s[0] == 0xf0)
            low = 0x90;
        else if (s[0] == 0xf4)
            high = 0x8f;
    } else {
        return 0;
    }
    if (s[1] < low || s[1] > high)
        return 0;
    for (int i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return n;
}

/* Appends text so that it stays on its line and cannot move a terminal's cursor. */
static void add_escaped(struct buf *b, const char *text)
{
    const unsigned char *s = (const unsigned char *) text;

    while (*s != '\0') {
        int n = utf8_length(s);

        if (n == 0)
            (void) buf_addf(b, as_json ? "\\u%04x" : "\\x%02x", *s++);
        else if (as_json && (*s == '"' || *s == '\\'))
            (void) buf_addf(b, "\\%c", *s++);
        else {
            (void) buf_add(b, s, (size_t) n);
            s += n;
        }
    }
}

static void add_member(struct buf *b, const char *name, const char *value)
{
    (void) buf_addf(b, ",\"%s\":\"", name);
    add_escaped(b, value);
    (void) buf_addch(b, '"');
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char text[LOG_TEXT_MAX], when[32];
    cleanup_buf struct buf b;
    struct timespec ts;
    struct tm tm;
    int saved = errno;
    va_list ap;

    buf_init(&b, LOG_LINE_MAX);
    if (level > level_max)
        return;
    va_start(ap, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    (void) gmtime_r(&ts.tv_sec, &tm);
    (void) strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);

    if (as_json) {
        (void) buf_addf(&b, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"role\":\"%s\",\"pid\":%d", when,
                        ts.tv_nsec / 1000000, level_names[level], role_name, (int) getpid());
        for (int i = 0; i < LOG_FIELD_COUNT; i++)
            if (fields[i][0] != '\0')
                add_member(&b, field_names[i], fields[i]);
        add_member(&b, "message", text);
        (void) buf_addch(&b, '}');
    } else {
        (void) buf_addf(&b, "%s.%03ldZ %s[%d] %s: ", when, ts.tv_nsec / 1000000, role_name,
                        (int) getpid(), level_names[level]);
        add_escaped(&b, text);
        for (int i = 0; i < LOG_FIELD_COUNT; i++) {
            if (fields[i][0] == '\0')
                continue;
            (void) buf_addf(&b, " %s=", field_names[i]);
            add_escaped(&b, fields[i]);
        }
    }
    (void) buf_addch(&b, '\n');
    /* One write, so that lines of several processes do not mix. Nowhere to report a failure. */
    while (write(STDERR_FILENO, buf_str(&b), buf_len(&b)) < 0 && errno == EINTR)
        ;
    errno = saved;
}
