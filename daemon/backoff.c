#include "config.h"

#include "daemon/backoff.h"

uint64_t backoff_next(uint64_t last, uint64_t lived_ms)
{
    if (lived_ms >= BACKOFF_GOOD_MS)
        return 0;
    if (last == 0)
        return BACKOFF_FIRST_MS;
    return last * 2 < BACKOFF_MAX_MS ? last * 2 : BACKOFF_MAX_MS;
}
