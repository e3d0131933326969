/* app.json: what is kept of one that is read is read again, and is the same; a refusal says why. */
#include "config.h"

#include "base/mem.h"
#include "sql/app_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_free char *kept = NULL, *again_kept = NULL;
    struct app_json a, again;
    struct err err = ERR_INIT;

    if (app_json_parse((const char *) data, n, &a, &err) != 0) {
        if (err.code != ERR_FAILED || strncmp(err.msg, "app.json", 8) != 0)
            abort();
        return 0;
    }
    if (n > APP_JSON_MAX || a.n_env > APP_JSON_ENV_MAX || a.n_cron > APP_JSON_CRON_MAX)
        abort();
    kept = app_json_kept(&a);
    if (kept != NULL) {
        if (app_json_parse(kept, strlen(kept), &again, &err) != 0) {
            /* Spelt with escapes it may be longer than the file was. */
            if (strlen(kept) <= APP_JSON_MAX)
                abort();
        } else {
            again_kept = app_json_kept(&again);
            if (again.n_cron != a.n_cron || again.n_checks != a.n_checks || strcmp(kept, again_kept) != 0)
                abort();
            for (size_t i = 0; i < a.n_cron; i++)
                if (app_json_cron_find(&again, a.cron[i].id) == NULL)
                    abort();
            app_json_release(&again);
        }
    }
    app_json_release(&a);
    return 0;
}
