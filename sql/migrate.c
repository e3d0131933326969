#include "config.h"

#include "sql/migrate.h"

#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The roles have different uids and share the folder's group. SQLite gives the journal the file's mode. */
#define STORE_FILE_MODE 0660

static int file_make(const char *path, struct err *err)
{
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, STORE_FILE_MODE);

    if (fd < 0)
        return errno == EEXIST ? 0 : err_errno(err, "making %s", path);
    if (fchmod(fd, STORE_FILE_MODE) != 0)
        return err_errno(err, "changing the mode of %s", path);
    return 0;
}

static int integrity_check(struct store *s, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    cleanup_free char *found = NULL;

    if (store_prepare(s, &st, err, "PRAGMA integrity_check(1)", "") != 0 || store_step(s, st, err) < 0)
        return -1;
    found = store_text(st, 0);
    if (found == NULL || strcmp(found, "ok") != 0)
        return err_set(err, ERR_FAILED, "it is damaged (%s); restore a backup",
                       found != NULL ? found : "no answer");
    return 0;
}

/* One migration and the schema's new number, or neither. Another process may have been faster. */
static int migration_run(struct store *s, const struct migration *m, struct err *err)
{
    cleanup_free char *set = xasprintf("PRAGMA user_version=%d", m->version);
    int64_t version = 0;

    if (store_begin(s, err) != 0)
        return -1;
    if (store_int(s, &version, err, "PRAGMA user_version", "") < 0) {
        store_rollback(s);
        return -1;
    }
    if (version >= m->version) {
        store_rollback(s);
        return 0;
    }
    if (sqlite3_exec(s->db, m->sql, NULL, NULL, NULL) != SQLITE_OK
        || sqlite3_exec(s->db, set, NULL, NULL, NULL) != SQLITE_OK) {
        (void) err_set(err, ERR_FAILED, "schema %d: %s", m->version, sqlite3_errmsg(s->db));
        store_rollback(s);
        return -1;
    }
    return store_commit(s, err);
}

static int migrate_all(struct store *s, const struct migration *all, struct err *err)
{
    int64_t version = 0;
    int wanted = 0;

    for (const struct migration *m = all; m->version != 0; m++)
        wanted = m->version;
    if (store_int(s, &version, err, "PRAGMA user_version", "") < 0)
        return -1;
    if (version > wanted)
        return err_set(err, ERR_FAILED, "it was made by a newer Slipway (schema %lld, this program knows "
                       "%d); install that version", (long long) version, wanted);
    if (version < wanted && integrity_check(s, err) != 0)
        return -1;
    for (const struct migration *m = all; m->version != 0; m++) {
        if (m->version > version && migration_run(s, m, err) != 0)
            return -1;
    }
    return 0;
}

int store_migrate_with(const char *state, const struct migration *all, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/slipway.db", state);
    struct store *s;
    int rc;

    if (file_make(path, err) != 0 || store_open_any(state, false, &s, err) != 0)
        return -1;
    rc = migrate_all(s, all, err);
    store_close(s);
    return rc == 0 ? 0 : err_wrap(err, "bringing %s up to date", path);
}

int store_migrate(const char *state, struct err *err)
{
    return store_migrate_with(state, migrations, err);
}
