#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <string.h>

int formation_get(struct store *s, int64_t app_id, struct formation *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct formation f = { NULL, 0 };
    int rc;

    if (store_prepare(s, &st, err, "SELECT process, count FROM formation WHERE app_id = ? ORDER BY process", "i",
                      app_id) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1)
        formation_set(&f, (const char *) sqlite3_column_text(st, 0), sqlite3_column_int(st, 1));
    if (rc < 0) {
        formation_release(&f);
        return -1;
    }
    *ret = f;
    return 0;
}

static int formation_put_in(struct store *s, int64_t app_id, const struct formation *f, struct err *err)
{
    if (store_exec(s, err, "DELETE FROM formation WHERE app_id = ?", "i", app_id) != 0)
        return -1;
    for (size_t i = 0; i < f->n; i++) {
        if (process_name_check(f->v[i].process, err) != 0)
            return -1;
        if (store_exec(s, err, "INSERT INTO formation (app_id, process, count) VALUES (?, ?, ?)", "isi", app_id,
                       f->v[i].process, (int64_t) f->v[i].count) != 0)
            return -1;
    }
    return 0;
}

int formation_put(struct store *s, int64_t app_id, const struct formation *f, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, formation_put_in(s, app_id, f, err), err);
}
