#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

void inventory_item_release(struct inventory_item *i)
{
    free(i->api_version);
    free(i->kind);
    free(i->namespace);
    free(i->name);
    free(i->uid);
    memset(i, 0, sizeof(*i));
}

int inventory_put(struct store *s, int64_t app_id, const struct inventory_item *i, struct err *err)
{
    return store_exec(s, err, "INSERT INTO inventory (app_id, api_version, kind, namespace, name, uid, release_id) "
                      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET uid = excluded.uid, "
                      "release_id = excluded.release_id", "isssssi", app_id, i->api_version, i->kind,
                      i->namespace, i->name, i->uid, i->release_id);
}

int inventory_list(struct store *s, int64_t app_id, const char *target, struct inventory_item **ret, size_t *ret_n, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct inventory_item *v = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, "SELECT i.api_version, i.kind, i.namespace, i.name, i.uid, i.release_id FROM inventory i "
                      "JOIN releases r ON r.id = i.release_id WHERE i.app_id = ? AND r.target = ? "
                      "ORDER BY i.kind, i.name", "is", app_id, target) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        v = xrealloc_n(v, n + 1, sizeof(*v));
        v[n].api_version = store_text(st, 0);
        v[n].kind = store_text(st, 1);
        v[n].namespace = store_text(st, 2);
        v[n].name = store_text(st, 3);
        v[n].uid = store_text(st, 4);
        v[n++].release_id = sqlite3_column_int64(st, 5);
    }
    if (rc < 0) {
        while (n > 0)
            inventory_item_release(&v[--n]);
        free(v);
        return -1;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int inventory_drop(struct store *s, int64_t app_id, const struct inventory_item *i, struct err *err)
{
    return store_exec(s, err, "DELETE FROM inventory WHERE app_id = ? AND api_version = ? AND kind = ? "
                      "AND namespace = ? AND name = ?", "issss", app_id, i->api_version, i->kind, i->namespace,
                      i->name);
}
