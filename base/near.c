#include "config.h"

#include "base/near.h"

#include <string.h>

static int min3(int a, int b, int c)
{
    int ab = a < b ? a : b;

    return ab < c ? ab : c;
}

int near_distance(const char *a, const char *b)
{
    int row[3][NEAR_WORD_MAX + 1]; /* of the table of prefixes: two rows back, last, this */
    int *before = row[0], *last = row[1], *now = row[2], *spare;
    size_t na = strnlen(a, NEAR_WORD_MAX + 1), nb = strnlen(b, NEAR_WORD_MAX + 1);

    if (na > NEAR_WORD_MAX || nb > NEAR_WORD_MAX)
        return NEAR_MAX + 1;
    memset(row, 0, sizeof(row));
    for (size_t j = 0; j <= nb; j++)
        last[j] = (int) j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = (int) i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]
                && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[nb] <= NEAR_MAX ? last[nb] : NEAR_MAX + 1;
}
