/* Own certificates of apps. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define KEY_NAME "tls.key"   /* no variable's: config_name_check refuses it */
#define HASH_BYTES 16
#define SOON_MS (14LL * 24 * 3600 * 1000) /* as long as a person who renews by hand may need */

void certificate_release(struct certificate *c)
{
    if (c->key != NULL)
        sodium_memzero(c->key, strlen(c->key));
    free(c->key);
    free(c->chain);
    free(c->hash);
    free(c->subject);
    free(c->issuer);
    free(c->fingerprint);
    vec_release(&c->names);
    memset(c, 0, sizeof(*c));
}

bool certificate_covers(const struct certificate *c, const char *host)
{
    const char *rest = strchr(host, '.');

    for (size_t i = 0; i < c->names.n; i++) {
        const char *name = c->names.v[i];

        if (strcasecmp(name, host) == 0 || (rest != NULL && name[0] == '*' && strcasecmp(name + 1, rest) == 0))
            return true;
    }
    return false;
}

char *certificate_end_text(int64_t not_after)
{
    int64_t now = store_now();
    time_t s = (time_t) (not_after / 1000);
    char day[16] = "?";
    struct tm tm;

    if (not_after > now + SOON_MS)
        return NULL;
    if (gmtime_r(&s, &tm) != NULL)
        (void) strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    return xasprintf("%s on %s", not_after < now ? "has ended" : "ends", day);
}

int certificates_ending(struct store *s, void (*say)(void *arg, const char *line), void *arg, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    int rc;

    if (store_prepare(s, &st, err, "SELECT a.name, c.names, c.not_after FROM certificates c JOIN apps a ON a.id = c.app_id "
                      "WHERE c.not_after <= ? ORDER BY a.name", "i", store_now() + SOON_MS) != 0)
        return -1;
    while ((rc = store_step(s, st, err)) == 1) {
        cleanup_free char *end = certificate_end_text(sqlite3_column_int64(st, 2));
        cleanup_free char *line = xasprintf("certificate of %s (%s): it %s", (const char *) sqlite3_column_text(st, 0),
                                            (const char *) sqlite3_column_text(st, 1), end);

        say(arg, line);
    }
    return rc;
}

static int key_put(struct store *s, int64_t app_id, const char *key, int64_t *ret_id, struct err *err)
{
    cleanup_free void *sealed = NULL;
    unsigned char digest[32];
    size_t n = strlen(key), sealed_n = 0;

    if (seal_digest(s->state, app_id, KEY_NAME, key, n, digest, err) != 0
        || seal_value(s->state, SEAL_RUN, app_id, KEY_NAME, key, n, &sealed, &sealed_n, err) != 0
        || store_exec(s, err, "INSERT INTO config_values (app_id, name, sealed_run, hint, digest) VALUES (?, ?, ?, '', ?)",
                      "isbb", app_id, KEY_NAME, sealed, sealed_n, digest, sizeof(digest)) != 0)
        return -1;
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

/* The row goes with its key. */
int certificates_remove(struct store *s, int64_t app_id, struct err *err)
{
    return store_exec(s, err, "DELETE FROM config_values WHERE id IN (SELECT key_id FROM certificates WHERE app_id = ?)", "i",
                      app_id);
}

int certificates_put(struct store *s, int64_t app_id, const struct certificate *c, struct err *err)
{
    unsigned char hash[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    cleanup_buf struct buf names;
    int64_t key_id = 0;

    buf_init(&names, 65536);
    for (size_t i = 0; i < c->names.n; i++)
        (void) buf_addf(&names, "%s%s", i > 0 ? " " : "", c->names.v[i]);
    (void) crypto_generichash(hash, sizeof(hash), (const unsigned char *) c->chain, strlen(c->chain), NULL, 0);
    (void) sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    if (certificates_remove(s, app_id, err) != 0 || key_put(s, app_id, c->key, &key_id, err) != 0)
        return -1;
    return store_exec(s, err, "INSERT INTO certificates (app_id, chain, key_id, hash, names, subject, issuer, fingerprint, "
                      "not_before, not_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "isisssssii", app_id, c->chain,
                      key_id, hex, buf_str(&names), c->subject, c->issuer, c->fingerprint, c->not_before, c->not_after);
}

static int row_get(struct store *s, int64_t app_id, bool open, struct certificate *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *st = NULL;
    struct certificate c = { .chain = NULL };
    cleanup_free void *sealed = NULL;
    size_t n = 0;
    int rc;

    if (store_prepare(s, &st, err, "SELECT c.chain, c.hash, c.names, c.subject, c.issuer, c.fingerprint, c.not_before, "
                      "c.not_after, v.sealed_run FROM certificates c JOIN config_values v ON v.id = c.key_id "
                      "WHERE c.app_id = ?", "i", app_id) != 0)
        return -1;
    rc = store_step(s, st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "the app has no certificate of its own");
    if (rc < 0)
        return -1;
    c.chain = store_text(st, 0);
    c.hash = store_text(st, 1);
    vec_add_words(&c.names, (const char *) sqlite3_column_text(st, 2));
    c.subject = store_text(st, 3);
    c.issuer = store_text(st, 4);
    c.fingerprint = store_text(st, 5);
    c.not_before = sqlite3_column_int64(st, 6);
    c.not_after = sqlite3_column_int64(st, 7);
    sealed = store_blob(st, 8, &n);
    if (open && seal_open(s->state, SEAL_RUN, app_id, KEY_NAME, sealed, n, &c.key, &n, err) != 0) {
        certificate_release(&c);
        return err_wrap(err, "the certificate's key");
    }
    *ret = c;
    return 0;
}

int certificates_get(struct store *s, int64_t app_id, struct certificate *ret, struct err *err)
{
    return row_get(s, app_id, false, ret, err);
}

int certificates_open(struct store *s, const struct app *a, struct certificate *ret, struct err *err)
{
    struct err first = ERR_INIT;

    memset(ret, 0, sizeof(*ret));
    if (a->certificate == NULL)
        return 0;
    /* A rotation may have destroyed the key between the reading of a row and its opening. */
    if (row_get(s, a->id, true, ret, &first) == 0 || first.code == ERR_NOT_FOUND)
        return 0;
    return row_get(s, a->id, true, ret, err);
}
