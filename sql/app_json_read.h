/* Inside sql/: reading app.json, what its parts share. */
#ifndef SLIPWAY_SQL_APP_JSON_READ_H
#define SLIPWAY_SQL_APP_JSON_READ_H

#include "sql/app_json.h"

#include <jansson.h>

struct app_json_reader {
    const char *text;
    size_t n;
    struct app_json *a;
    struct err *err;
};

/* "app.json line 7: cron[1].schedule …"; returns -1. */
int app_json_refuse(const struct app_json_reader *r, const struct app_json_at *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Values of one type, bounded; 0 or refused. *ret of a text is borrowed from v. */
int app_json_take_text(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, size_t max,
                       const char **ret);
int app_json_take_number(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, int min, int max,
                         int *ret);
int app_json_take_bool(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, bool *ret);

int app_json_read_checks(struct app_json_reader *r, json_t *doc);

#endif
