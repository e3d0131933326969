#include "config.h"

#include "base/cron.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define FIELDS 5
#define DAY_S 86400
#define DAYS_MAX (9 * 366)   /* between two 29ths of February where a century has none: 8 years */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                                           "dec" };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

struct field {
    const char *what;
    int min, max;
    const char *const *names; /* of the values from min on; NULL: none */
    int n_names;
};

static const struct field fields[FIELDS] = {
    { "minute", 0, 59, NULL, 0 },
    { "hour", 0, 23, NULL, 0 },
    { "day of the month", 1, 31, NULL, 0 },
    { "month", 1, 12, month_names, 12 },
    { "day of the week", 0, 7, day_names, 7 },
};

static const struct { const char *name, *text; } macros[] = {
    { "@hourly", "0 * * * *" },  { "@daily", "0 0 * * *" },   { "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
    { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A value of a field, as a number or a name. -1: it is none. */
static int value_read(const struct field *f, const char **at)
{
    const char *p = *at;
    int v = 0;

    for (int i = 0; i < f->n_names; i++) {
        if (strncasecmp(p, f->names[i], 3) == 0) {
            *at += 3;
            return f->min + i;
        }
    }
    if (!is_digit(*p))
        return -1;
    for (; is_digit(*p); p++) {
        v = v * 10 + (*p - '0');
        if (v > f->max)
            return -1;
    }
    *at = p;
    return v >= f->min ? v : -1;
}

/* "*", "7", "1-5", each with a step behind "/". */
static int item_read(const struct field *f, const char **at, uint64_t *bits)
{
    int from = f->min, to = f->max, step = 1;
    bool single = false;

    if (**at == '*') {
        (*at)++;
        to -= f->max == 7; /* Sunday once */
    } else {
        from = to = value_read(f, at);
        single = true;
        if (from >= 0 && **at == '-') {
            (*at)++;
            to = value_read(f, at);
            single = false;
        }
        if (from < 0 || to < from)
            return -1;
    }
    if (**at == '/') {
        const char *p = ++*at;

        for (step = 0; is_digit(*p) && step <= f->max; p++)
            step = step * 10 + (*p - '0');
        if (p == *at || step == 0 || step > f->max || is_digit(*p))
            return -1;
        *at = p;
        if (single && !(f->max == 7 && from == 7)) /* up to the end, with Sunday once */
            to = f->max == 7 ? 6 : f->max;
    }
    for (int v = from; v <= to; v += step)
        *bits |= UINT64_C(1) << v;
    return 0;
}

static int field_read(const struct field *f, const char *word, uint64_t *ret_bits)
{
    const char *at = word;
    uint64_t bits = 0;

    for (;;) {
        if (item_read(f, &at, &bits) < 0)
            return -1;
        if (*at == '\0')
            break;
        if (*at++ != ',')
            return -1;
    }
    *ret_bits = bits;
    return 0;
}

/* At most n words; returns how many there are, n + 1 for more. */
static size_t words_split(char *text, char **words, size_t n)
{
    size_t found = 0;
    char *save = NULL;

    for (char *w = strtok_r(text, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
        if (found == n)
            return n + 1;
        words[found++] = w;
    }
    return found;
}

static int refuse(struct err *err, const char *text, const char *why)
{
    char shown[64];

    (void) snprintf(shown, sizeof(shown), "%s", text);
    for (char *p = shown; *p != '\0'; p++)
        if ((unsigned char) *p < ' ' || (unsigned char) *p > '~')
            *p = '?';
    return err_set(err, ERR_USAGE, "\"%s\" %s", shown, why);
}

int cron_parse(const char *text, struct cron *ret, struct err *err)
{
    static const char expected[] = "is no schedule: five fields are expected, minute, hour, day of the month, month and "
                                   "day of the week; for example: 30 4 * * 1-5";
    cleanup_free char *copy = NULL;
    char *words[FIELDS];
    uint64_t bits[FIELDS];
    struct cron c;

    if (strlen(text) > CRON_TEXT_MAX)
        return refuse(err, text, "is too long for a schedule");
    for (size_t i = 0; i < countof(macros); i++)
        if (strcasecmp(text, macros[i].name) == 0)
            text = macros[i].text;
    copy = xstrdup(text);
    if (words_split(copy, words, FIELDS) != FIELDS)
        return refuse(err, text, expected);
    for (size_t i = 0; i < FIELDS; i++) {
        if (field_read(&fields[i], words[i], &bits[i]) < 0) {
            cleanup_free char *why = xasprintf("is no %s of a schedule: numbers %d-%d, lists, ranges and steps are "
                                               "expected; for example: 30 4 * * 1-5", fields[i].what, fields[i].min,
                                               fields[i].max);

            return refuse(err, words[i], why);
        }
    }
    c = (struct cron) {
        .minutes = bits[0], .hours = (uint32_t) bits[1], .days = (uint32_t) bits[2], .months = (uint32_t) bits[3],
        .weekdays = (uint8_t) ((bits[4] & 0x7f) | (bits[4] >> 7)),
        .any_day = strcmp(words[2], "*") == 0, .any_weekday = strcmp(words[4], "*") == 0,
    };
    if (cron_next(&c, 0) < 0)
        return refuse(err, text, "never comes: no such month has such a day");
    *ret = c;
    return 0;
}

static bool day_fits(const struct cron *c, const struct tm *t)
{
    bool day = (c->days >> t->tm_mday & 1) != 0, weekday = (c->weekdays >> t->tm_wday & 1) != 0;

    if ((c->months >> (t->tm_mon + 1) & 1) == 0)
        return false;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

int64_t cron_next(const struct cron *c, int64_t after)
{
    int64_t from = after - after % 60 + 60, midnight = from - from % DAY_S;
    int minute = (int) ((from - midnight) / 60);

    for (int i = 0; i < DAYS_MAX; i++, midnight += DAY_S, minute = 0) {
        time_t day = (time_t) midnight;
        struct tm t;

        if (gmtime_r(&day, &t) == NULL)
            return -1;
        if (!day_fits(c, &t))
            continue;
        for (int m = minute; m < 24 * 60; m++)
            if ((c->hours >> (m / 60) & 1) != 0 && (c->minutes >> (m % 60) & 1) != 0)
                return midnight + m * 60;
    }
    return -1;
}

static void field_write(struct buf *b, uint64_t bits, int min, int max, bool any)
{
    bool first = true;

    if (any) {
        (void) buf_addstr(b, "*");
        return;
    }
    for (int v = min; v <= max; v++) {
        int to = v;

        if ((bits >> v & 1) == 0)
            continue;
        while (to < max && (bits >> (to + 1) & 1) != 0)
            to++;
        (void) buf_addf(b, to > v ? "%s%d-%d" : "%s%d", first ? "" : ",", v, to);
        first = false;
        v = to;
    }
}

static bool is_all(uint64_t bits, int n)
{
    return bits == (UINT64_C(1) << n) - 1;
}

char *cron_text(const struct cron *c)
{
    cleanup_buf struct buf b;

    buf_init(&b, 1024);
    field_write(&b, c->minutes, 0, 59, is_all(c->minutes, 60));
    (void) buf_addch(&b, ' ');
    field_write(&b, c->hours, 0, 23, is_all(c->hours, 24));
    (void) buf_addch(&b, ' ');
    field_write(&b, c->days, 1, 31, c->any_day);
    (void) buf_addch(&b, ' ');
    field_write(&b, c->months, 1, 12, is_all(c->months >> 1, 12));
    (void) buf_addch(&b, ' ');
    field_write(&b, c->weekdays, 0, 6, c->any_weekday);
    return buf_steal(&b);
}
