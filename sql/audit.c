#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>

int audit_add(struct store *s, const struct audit_row *a, struct err *err)
{
    return store_exec(s, err, "INSERT INTO audit (at, app_id, user_name, fingerprint, address, app, verb, detail, result) "
                      "VALUES (?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?)", "iissssssi", a->at != 0 ? a->at : store_now(), a->app_id,
                      a->user, a->fingerprint, a->address, a->app, a->verb, a->detail, (int64_t) a->result);
}

int audit_list(struct store *s, const struct app *app, int limit, struct audit_row **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct audit_row *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, "SELECT id, at, user_name, fingerprint, address, app, verb, detail, result "
                      "FROM audit WHERE ?1 = 0 OR app_id = ?1 OR (app_id IS NULL AND app = ?2) ORDER BY id DESC LIMIT ?3",
                      "isi", app != NULL ? app->id : 0, app != NULL ? app->name : NULL, (int64_t) limit) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        struct audit_row *a;

        v = xrealloc_n(v, n + 1, sizeof(*v));
        a = &v[n++];
        a->id = sqlite3_column_int64(st, 0);
        a->at = sqlite3_column_int64(st, 1);
        a->user = store_text(st, 2);
        a->fingerprint = store_text(st, 3);
        a->address = store_text(st, 4);
        a->app = store_text(st, 5);
        a->verb = store_text(st, 6);
        a->detail = store_text(st, 7);
        a->result = sqlite3_column_int(st, 8);
    }
    if (rc < 0) {
        while (n > 0)
            audit_row_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}
