/* When a schedule of five fields comes round, in UTC: "minute hour day-of-month month day-of-week". Pure.
 * Source: crontab(5); what Kubernetes leaves out of it (7 for Sunday) is there, what it adds ("@every", "?",
 * a time zone) is not. */
#ifndef SLIPWAY_BASE_CRON_H
#define SLIPWAY_BASE_CRON_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CRON_TEXT_MAX 200    /* of a schedule; a list of all minutes fits */

struct cron {
    uint64_t minutes;        /* bit N: minute N */
    uint32_t hours, days, months; /* days and months from bit 1 */
    uint8_t weekdays;        /* bit 0: Sunday */
    bool any_day, any_weekday; /* the field is "*": where neither is, a day needs only one of the two */
};

/* Reads "0 4 * * 1-5", with lists, ranges, steps, names of months and days, or one of @hourly, @daily, @midnight,
 * @weekly, @monthly, @yearly, @annually. ERR_USAGE with what was expected, also where no day ever fits. */
int cron_parse(const char *text, struct cron *ret, struct err *err);

/* The first time after `after` (seconds since 1970) at which it is due; a full minute. */
int64_t cron_next(const struct cron *c, int64_t after);

/* The same schedule in numbers, lists and "*" only, which every cron reads alike. The caller frees it. */
char *cron_text(const struct cron *c);

#endif
