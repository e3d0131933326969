#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXAMPLE 20 /* of a number, where it fits */

int show_json(struct command_ctx *c, json_t *doc)
{
    cleanup_free char *text = json_text(doc);

    json_decref(doc);
    (void) io_outf(c->io, "%s\n", text);
    return 0;
}

static struct show_text time_text(int64_t ms, bool iso)
{
    struct show_text t = { "-" };
    time_t s = (time_t) (ms / 1000);
    struct tm tm;

    if (ms == 0 || gmtime_r(&s, &tm) == NULL)
        return t;
    if (iso)
        (void) strftime(t.s, sizeof(t.s), "%Y-%m-%dT%H:%M:%SZ", &tm);
    else
        (void) strftime(t.s, sizeof(t.s), "%Y-%m-%d %H:%M:%S", &tm);
    return t;
}

json_t *show_json_time(int64_t ms)
{
    return ms != 0 ? json_string(time_text(ms, true).s) : json_null();
}

json_t *show_json_text(const char *s)
{
    json_t *text = s != NULL ? json_string(s) : json_null();

    return text != NULL ? text : json_null(); /* not UTF-8 */
}

json_t *show_json_scopes(bool run, bool build)
{
    json_t *scopes = json_array();

    if (run)
        (void) json_array_append_new(scopes, json_string("run"));
    if (build)
        (void) json_array_append_new(scopes, json_string("build"));
    return scopes;
}

struct show_text show_time(int64_t ms)
{
    return time_text(ms, false);
}

struct show_text show_age(int64_t ms)
{
    static const struct { long long seconds; char unit; } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };
    struct show_text t = { "-" };
    long long s = (store_now() - ms) / 1000;

    if (ms == 0)
        return t;
    if (s < 0)
        s = 0;
    for (size_t i = 0; i < countof(units); i++) {
        if (s >= units[i].seconds) {
            (void) snprintf(t.s, sizeof(t.s), "%lld%c", s / units[i].seconds, units[i].unit);
            return t;
        }
    }
    (void) snprintf(t.s, sizeof(t.s), "%llds", s);
    return t;
}

struct show_text show_size(uint64_t bytes)
{
    bool gib = bytes >= 1024 * 1024 * 1024, mib = bytes >= 1024 * 1024, kib = bytes >= 1024;
    double size = (double) bytes / (gib ? 1024 * 1024 * 1024 : mib ? 1024 * 1024 : kib ? 1024 : 1);
    struct show_text t;

    (void) snprintf(t.s, sizeof(t.s), "%.*f %s", size < 10 && kib ? 1 : 0, size, gib ? "GiB" : mib ? "MiB" : kib ? "KiB" : "bytes");
    return t;
}

struct show_text show_took(int64_t ms)
{
    struct show_text t = { "-" };

    if (ms >= 0)
        (void) snprintf(t.s, sizeof(t.s), "%lld.%lld s", (long long) ms / 1000, (long long) ms % 1000 / 100);
    return t;
}

/* A cell goes to somebody's terminal: control characters, also U+0080 to U+009F, are left out. */
static char *cell_clean(const char *s)
{
    size_t n = strlen(s), k = 0;
    char *out = xmalloc(n + 1);

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) s[i];

        if (c == 0xc2 && (unsigned char) s[i + 1] >= 0x80 && (unsigned char) s[i + 1] < 0xa0)
            i++;
        else if (c >= ' ' && c != 127)
            out[k++] = s[i];
        else if (c == '\n' || c == '\t')
            out[k++] = ' ';
    }
    out[k] = '\0';
    return out;
}

void table_add(struct table *t, const char *cell)
{
    cleanup_free char *clean = cell_clean(cell != NULL ? cell : "-");

    vec_add(&t->cells, clean);
}

void table_addf(struct table *t, const char *fmt, ...)
{
    cleanup_free char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    table_add(t, text);
}

/* Characters, not bytes: what follows in UTF-8 a character's first byte takes no room. */
static size_t cell_width(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char) *s & 0xc0) != 0x80;
    return n;
}

void table_print(const struct table *t, struct command_ctx *c)
{
    cleanup_free size_t *widths = xcalloc(t->columns, sizeof(*widths));
    struct buf out;

    buf_init(&out, 16 << 20);
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t w = cell_width(t->cells.v[i]);

        if (w > widths[i % t->columns])
            widths[i % t->columns] = w;
    }
    for (size_t i = 0; i < t->cells.n; i++) {
        const char *s = t->cells.v[i];
        bool last = i % t->columns == t->columns - 1;

        (void) buf_addstr(&out, s);
        for (size_t w = cell_width(s); !last && w < widths[i % t->columns] + 2; w++)
            (void) buf_addch(&out, ' ');
        if (!last)
            continue;
        while (buf_len(&out) > 0 && buf_str(&out)[buf_len(&out) - 1] == ' ')
            buf_truncate(&out, buf_len(&out) - 1);
        (void) buf_addch(&out, '\n');
    }
    (void) c->io->out(c->io, buf_str(&out), buf_len(&out));
    buf_release(&out);
}

int show_list(struct command_ctx *c, json_t *all, struct table *t)
{
    if (c->json) {
        (void) show_json(c, all);
    } else {
        json_decref(all);
        table_print(t, c);
    }
    table_release(t);
    return 0;
}

void table_release(struct table *t)
{
    vec_release(&t->cells);
}

int show_number(const char *s, const char *what, long long min, long long max, long long *ret, struct err *err)
{
    long long n;
    char *end;

    errno = 0;
    n = strtoll(s, &end, 10);
    if (errno != 0 || *s < '0' || *s > '9' || *end != '\0' || n < min || n > max)
        return err_set(err, ERR_USAGE, "%s needs a whole number from %lld to %lld, not \"%s\"; for example: %s %lld", what,
                       min, max, word_shown(s).s, what, min <= EXAMPLE && EXAMPLE <= max ? EXAMPLE : min);
    *ret = n;
    return 0;
}

char *show_words(const struct vec *words, size_t most)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < words->n && i < most; i++) {
        const char *before = i == 0 ? "" : i + 1 == words->n ? " and " : ", ";

        (void) buf_addf(&b, "%s%s", before, words->v[i]);
    }
    if (words->n > most)
        (void) buf_addf(&b, " and %zu more", words->n - most);
    return buf_steal(&b);
}

int show_duration(const char *s, const char *what, long long max, long long *ret_s, struct err *err)
{
    static const struct { char unit; long long seconds; } units[] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
    };
    size_t n = strlen(s);
    char number[16];
    long long count = 0;

    if (n >= 2 && n <= sizeof(number)) {
        memcpy(number, s, n - 1);
        number[n - 1] = '\0';
        for (size_t i = 0; i < countof(units); i++) {
            if (s[n - 1] == units[i].unit && show_number(number, "", 1, max / units[i].seconds, &count, NULL) == 0) {
                *ret_s = count * units[i].seconds;
                return 0;
            }
        }
    }
    return err_set(err, ERR_USAGE, "%s needs a time with its unit (s, m, h, d) of at most %lld days, not \"%s\"; for "
                   "example: %s 10m", what, max / 86400, word_shown(s).s, what);
}
