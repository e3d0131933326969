/* The names of apps: who may have which, and what their objects are called. */
#include "config.h"

#include "base/mem.h"
#include "sql/leased.h"
#include "sql/names.h"
#include "sql/tables.h"

#include <stdio.h>
#include <string.h>

#define HANDLES_TRIED 1000   /* so many apps of one former name are none of a person's making */

int name_free(struct store *s, const char *name, struct err *err)
{
    int64_t deleting = 0;
    int rc;

    if (app_name_check(name, err) != 0)
        return -1;
    rc = store_int(s, &deleting, err, "SELECT deleting FROM apps WHERE name = ?", "s", name);
    if (rc == 1 && deleting != 0)
        return err_set(err, ERR_BUSY, "an app named %s is still being destroyed; try again in a moment", name);
    if (rc == 0)
        rc = store_int(s, &deleting, err, "SELECT 1 FROM releases WHERE rename_to = ? AND state IN ('pending', 'releasing')",
                       "s", name);
    return rc == 1 ? err_set(err, ERR_FAILED, "the name %s is taken; choose another one", name) : rc;
}

int handle_choose(struct store *s, const char *name, char ret[APP_NAME_MAX + 1], struct err *err)
{
    for (int i = 1; i <= HANDLES_TRIED; i++) {
        char end[8] = "", handle[APP_NAME_MAX + 1];
        int64_t one = 0;
        int rc;

        if (i > 1)
            (void) snprintf(end, sizeof(end), "-%d", i);
        (void) snprintf(handle, sizeof(handle), "%.*s%s", APP_NAME_MAX - (int) strlen(end), name, end);
        rc = store_int(s, &one, err, "SELECT 1 FROM apps WHERE handle = ?", "s", handle);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            memcpy(ret, handle, sizeof(handle));
            return 0;
        }
    }
    return err_set(err, ERR_FAILED, "too many apps were once named %s; choose another name", name);
}

int rename_check(struct store *s, const struct app *a, const char *to, struct err *err)
{
    int64_t one = 0;
    int rc;

    if (app_name_check(to, err) != 0)
        return -1;
    if (a->deleting)
        return err_set(err, ERR_NOT_FOUND, "%s is being destroyed", a->name);
    if (strcmp(a->name, to) == 0)
        return err_set(err, ERR_FAILED, "the app is named %s already", to);
    rc = store_int(s, &one, err, "SELECT 1 FROM releases WHERE app_id = ? AND state IN ('pending', 'releasing') "
                   "AND rename_to IS NOT NULL", "i", a->id);
    if (rc == 1)
        return err_set(err, ERR_BUSY, "%s is being renamed already; see: releases %s", a->name, a->name);
    return rc == 0 ? name_free(s, to, err) : -1;
}

static int apps_rename_in(struct store *s, int64_t id, const char *to, struct err *err)
{
    struct app a;
    int rc;

    if (apps_get_id(s, id, &a, err) != 0)
        return -1;
    rc = rename_check(s, &a, to, err);
    if (rc == 0)
        rc = unreleased_check(s, &a, err);
    if (rc == 0)
        rc = store_exec(s, err, "UPDATE apps SET name = ? WHERE id = ?", "si", to, id);
    app_release(&a);
    return rc;
}

int apps_rename(struct store *s, int64_t id, const char *to, struct err *err)
{
    bool own;

    if (store_enter(s, &own, err) != 0)
        return -1;
    return store_leave(s, own, apps_rename_in(s, id, to, err), err);
}
