#include "config.h"

#include "deployer/rfc3339.h"

#include <string.h>
#include <time.h>

/* Exactly `width` digits as a number; -1 where there are others. */
static int digits(const char *s, int width)
{
    int v = 0;

    for (int i = 0; i < width; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

static size_t fraction(const char *s, size_t n, int64_t *ret_ns)
{
    int64_t ns = 0, unit = 100000000;
    size_t i = 1;

    *ret_ns = 0;
    if (n == 0 || s[0] != '.')
        return 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++, unit /= 10)
        ns += (s[i] - '0') * unit;
    *ret_ns = ns;
    return i;
}

size_t rfc3339_parse(const char *s, size_t n, int64_t *ret_ns)
{
    struct tm tm = { 0 };
    int64_t ns, offset = 0;
    size_t at = 19;
    int year, month;

    if (n < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':')
        return 0;
    year = digits(s, 4);
    month = digits(s + 5, 2);
    tm.tm_mday = digits(s + 8, 2);
    tm.tm_hour = digits(s + 11, 2);
    tm.tm_min = digits(s + 14, 2);
    tm.tm_sec = digits(s + 17, 2);
    /* Nanoseconds since 1970 fit until 2262. */
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
        tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return 0;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    at += fraction(s + at, n - at, &ns);
    if (at >= n)
        return 0;
    if (s[at] == 'Z') {
        at++;
    } else if ((s[at] == '+' || s[at] == '-') && n - at >= 6 && s[at + 3] == ':') {
        int hours = digits(s + at + 1, 2), minutes = digits(s + at + 4, 2);

        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            return 0;
        offset = (hours * 60 + minutes) * 60 * (s[at] == '-' ? -1 : 1);
        at += 6;
    } else {
        return 0;
    }
    *ret_ns = ((int64_t) timegm(&tm) - offset) * 1000000000 + ns;
    return at;
}

int64_t rfc3339_ms(const char *s)
{
    int64_t ns;

    if (s == NULL || rfc3339_parse(s, strlen(s), &ns) == 0)
        return 0;
    return ns / 1000000;
}

void rfc3339_format(int64_t ms, char ret[RFC3339_SIZE])
{
    time_t t = (time_t) (ms / 1000);
    struct tm tm;

    ret[0] = '\0';
    if (gmtime_r(&t, &tm) != NULL)
        (void) strftime(ret, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
