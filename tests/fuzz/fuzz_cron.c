/* Schedules: written in numbers they are the same schedule, and the next time is after now and fits. */
#include "config.h"

#include "base/cron.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_free char *text = xstrndup((const char *) data, n), *plain = NULL, *again_plain = NULL;
    struct cron c, again;
    struct err err = ERR_INIT;
    int64_t next;

    if (cron_parse(text, &c, &err) != 0) {
        if (err.code != ERR_USAGE || err.msg[0] == '\0')
            abort();
        return 0;
    }
    plain = cron_text(&c);
    if (strlen(plain) > CRON_TEXT_MAX || cron_parse(plain, &again, &err) != 0)
        abort();
    again_plain = cron_text(&again);
    next = cron_next(&c, NOW);
    if (strcmp(plain, again_plain) != 0 || next <= NOW || next % 60 != 0 || cron_next(&again, NOW) != next)
        abort();
    return 0;
}
