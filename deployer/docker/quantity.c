#include "config.h"

#include "deployer/docker/quantity.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

#define FRACTION_SCALE 1000000000 /* a billionth is the smallest part that anything here counts in */

struct unit { const char *suffix; int64_t factor; };

static const struct unit byte_units[] = {
    { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 }, { "T", 1000000000000 },
    { "Ki", INT64_C(1) << 10 }, { "Mi", INT64_C(1) << 20 }, { "Gi", INT64_C(1) << 30 },
    { "Ti", INT64_C(1) << 40 },
}, cpu_units[] = { { "", 1000000000 }, { "m", 1000000 } };

/* Digits, perhaps a point and digits, a suffix; times the suffix's factor, rounded down. */
static bool amount(const char *text, const struct unit *units, size_t n_units, int64_t *ret)
{
    int64_t whole = 0, fraction = 0, scale = 1, factor = 0, part;
    const char *p = text;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *p - '0', &whole))
            return false;
    if (*p == '.') {
        if (p[1] < '0' || p[1] > '9')
            return false;
        for (p++; *p >= '0' && *p <= '9'; p++) {
            if (p - text > 64)
                return false;
            if (scale < FRACTION_SCALE) {
                fraction = fraction * 10 + (*p - '0');
                scale *= 10;
            }
        }
    }
    for (size_t i = 0; i < n_units; i++)
        if (strcmp(p, units[i].suffix) == 0)
            factor = units[i].factor;
    if (factor == 0 || __builtin_mul_overflow(whole, factor, ret))
        return false;
    part = (int64_t) ((__int128) fraction * factor / scale);
    return !__builtin_add_overflow(*ret, part, ret);
}

int quantity_bytes(const char *text, int64_t *ret, struct err *err)
{
    *ret = 0;
    if (text[0] == '\0' || amount(text, byte_units, countof(byte_units), ret))
        return 0;
    return err_set(err, ERR_USAGE, "\"%.32s\" is not an amount of memory such as 512Mi", text);
}

int quantity_nano_cpus(const char *text, int64_t *ret, struct err *err)
{
    *ret = 0;
    if (text[0] == '\0' || amount(text, cpu_units, countof(cpu_units), ret))
        return 0;
    return err_set(err, ERR_USAGE, "\"%.32s\" is not an amount of CPU such as 1 or 500m", text);
}
