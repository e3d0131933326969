#include "config.h"

#include "sql/seal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What stands before the value inside the box: format, scope, app id (8 bytes, big-endian), the
 * name's length (2 bytes, big-endian), the name. */
#define SEAL_FORMAT 1
#define SEAL_FIXED 12
#define SEAL_VALUE_MAX (16 * 1024 * 1024) /* far over what config accepts; bounds a damaged row */

struct keyfile {
    const char *name;
    unsigned mode;
    size_t len;
    char *state;              /* of the cached key; NULL: not read */
    unsigned char key[32];
};

enum { KEY_BUILD_PUB, KEY_BUILD_SECRET, KEY_RUN_PUB, KEY_RUN_SECRET, KEY_DIGEST };

/* Read once a process. */
static struct keyfile keyfiles[] = {
    [KEY_BUILD_PUB] = { "build.pub", 0440, crypto_box_PUBLICKEYBYTES, NULL, { 0 } },
    [KEY_BUILD_SECRET] = { "build.key", 0400, crypto_box_SECRETKEYBYTES, NULL, { 0 } },
    [KEY_RUN_PUB] = { "run.pub", 0440, crypto_box_PUBLICKEYBYTES, NULL, { 0 } },
    [KEY_RUN_SECRET] = { "run.key", 0400, crypto_box_SECRETKEYBYTES, NULL, { 0 } },
    [KEY_DIGEST] = { "digest.key", 0440, crypto_generichash_KEYBYTES, NULL, { 0 } },
};

static char *key_path(const char *state, int which)
{
    return xasprintf("%s/keys/%s", state, keyfiles[which].name);
}

static const unsigned char *key_read(const char *state, int which, struct err *err)
{
    struct keyfile *k = &keyfiles[which];
    cleanup_free char *path = NULL;
    struct buf b;

    if (sodium_init() < 0) {
        (void) err_set(err, ERR_FAILED, "libsodium does not start");
        return NULL;
    }
    if (k->state != NULL && strcmp(k->state, state) == 0)
        return k->key;
    path = key_path(state, which);
    buf_init(&b, k->len);
    if (path_read(path, &b, err) != 0 || buf_len(&b) != k->len) {
        if (buf_len(&b) != k->len && (err == NULL || err->code == ERR_NONE))
            (void) err_set(err, ERR_FAILED, "it does not hold %zu bytes", k->len);
        buf_release(&b);
        (void) err_wrap(err, "reading the sealing key %s", path);
        return NULL;
    }
    memcpy(k->key, buf_str(&b), k->len);
    sodium_memzero(b.data, b.cap);
    buf_release(&b);
    free(k->state);
    k->state = xstrdup(state);
    return k->key;
}

static int key_write(const char *state, int which, const unsigned char *key, struct err *err)
{
    cleanup_free char *path = key_path(state, which);

    return path_write(path, key, keyfiles[which].len, keyfiles[which].mode, err);
}

static bool key_exists(const char *state, int which)
{
    cleanup_free char *path = key_path(state, which);

    return path_exists(path);
}

/* The secret key is written first: after a crash between the two the public one is made from it. */
static int pair_init(const char *state, int pub, int secret, struct err *err)
{
    unsigned char p[crypto_box_PUBLICKEYBYTES], s[crypto_box_SECRETKEYBYTES];
    const unsigned char *old;
    int rc;

    if (key_exists(state, pub)) {
        if (key_exists(state, secret))
            return 0;
        return err_set(err, ERR_FAILED, "%s/keys/%s is missing but %s is there; restore it from a backup",
                       state, keyfiles[secret].name, keyfiles[pub].name);
    }
    if (key_exists(state, secret)) {
        old = key_read(state, secret, err);
        if (old == NULL)
            return -1;
        (void) crypto_scalarmult_base(p, old);
        return key_write(state, pub, p, err);
    }
    (void) crypto_box_keypair(p, s);
    rc = key_write(state, secret, s, err);
    if (rc == 0)
        rc = key_write(state, pub, p, err);
    sodium_memzero(s, sizeof(s));
    return rc;
}

int seal_init(const char *state, struct err *err)
{
    unsigned char digest[crypto_generichash_KEYBYTES];
    int rc = 0;

    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium does not start");
    if (pair_init(state, KEY_BUILD_PUB, KEY_BUILD_SECRET, err) != 0
        || pair_init(state, KEY_RUN_PUB, KEY_RUN_SECRET, err) != 0)
        return -1;
    if (!key_exists(state, KEY_DIGEST)) {
        crypto_generichash_keygen(digest);
        rc = key_write(state, KEY_DIGEST, digest, err);
        sodium_memzero(digest, sizeof(digest));
    }
    return rc;
}

static void put_big_endian(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, v >>= 8)
        p[i] = (unsigned char) v;
}

/* Fills the part before the value; `name` has at most 65535 bytes. Returns its length. */
static size_t head_fill(unsigned char *p, enum seal_scope scope, int64_t app_id, const char *name, size_t name_n)
{
    p[0] = SEAL_FORMAT;
    p[1] = (unsigned char) scope;
    put_big_endian(p + 2, (uint64_t) app_id, 8);
    put_big_endian(p + 10, name_n, 2);
    memcpy(p + SEAL_FIXED, name, name_n);
    return SEAL_FIXED + name_n;
}

int seal_value(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
               const void *value, size_t n, void **ret, size_t *ret_n, struct err *err)
{
    const unsigned char *key = key_read(state, scope == SEAL_RUN ? KEY_RUN_PUB : KEY_BUILD_PUB, err);
    size_t name_n = strlen(name), head, plain_n;
    unsigned char *plain, *sealed;

    if (key == NULL)
        return -1;
    if (name_n > UINT16_MAX || n > SEAL_VALUE_MAX)
        return err_set(err, ERR_USAGE, "the value of %.64s is too long to be sealed", name);
    plain = xmalloc(SEAL_FIXED + name_n + n);
    head = head_fill(plain, scope, app_id, name, name_n);
    if (n != 0)
        memcpy(plain + head, value, n);
    plain_n = head + n;
    sealed = xmalloc(plain_n + crypto_box_SEALBYTES);
    (void) crypto_box_seal(sealed, plain, plain_n, key);
    sodium_memzero(plain, plain_n);
    free(plain);
    *ret = sealed;
    *ret_n = plain_n + crypto_box_SEALBYTES;
    return 0;
}

int seal_open(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
              const void *sealed, size_t sealed_n, char **ret, size_t *ret_n, struct err *err)
{
    bool run = scope == SEAL_RUN;
    size_t name_n = strlen(name), head, plain_n;
    const unsigned char *secret, *pub;
    unsigned char *plain, *want;
    bool fits;

    secret = key_read(state, run ? KEY_RUN_SECRET : KEY_BUILD_SECRET, err);
    if (secret == NULL)
        return -1;
    pub = key_read(state, run ? KEY_RUN_PUB : KEY_BUILD_PUB, err);
    if (pub == NULL)
        return -1;
    if (name_n > UINT16_MAX || sealed_n < crypto_box_SEALBYTES + SEAL_FIXED + name_n
        || sealed_n > SEAL_VALUE_MAX + (size_t) UINT16_MAX + 1024)
        return err_set(err, ERR_FAILED, "the stored value of %s is damaged", name);
    plain_n = sealed_n - crypto_box_SEALBYTES;
    plain = xmalloc(plain_n + 1);
    want = xmalloc(SEAL_FIXED + name_n);
    head = head_fill(want, scope, app_id, name, name_n);
    fits = crypto_box_seal_open(plain, sealed, sealed_n, pub, secret) == 0 && memcmp(plain, want, head) == 0;
    free(want);
    if (!fits) {
        sodium_memzero(plain, plain_n);
        free(plain);
        return err_set(err, ERR_FAILED, "the stored value of %s does not belong to this app and name, "
                       "or was sealed to another key", name);
    }
    memmove(plain, plain + head, plain_n - head);
    sodium_memzero(plain + plain_n - head, head + 1);
    *ret = (char *) plain;
    *ret_n = plain_n - head;
    return 0;
}

int seal_digest(const char *state, int64_t app_id, const char *name, const void *value, size_t n,
                unsigned char ret[32], struct err *err)
{
    const unsigned char *key = key_read(state, KEY_DIGEST, err);
    unsigned char head[SEAL_FIXED];
    size_t name_n = strlen(name);
    crypto_generichash_state h;

    if (key == NULL)
        return -1;
    /* Lengths before texts: two different pairs cannot give the same bytes. */
    (void) crypto_generichash_init(&h, key, crypto_generichash_KEYBYTES, 32);
    head[0] = SEAL_FORMAT;
    head[1] = 0;
    put_big_endian(head + 2, (uint64_t) app_id, 8);
    put_big_endian(head + 10, name_n, 2);
    (void) crypto_generichash_update(&h, head, sizeof(head));
    (void) crypto_generichash_update(&h, (const unsigned char *) name, name_n);
    (void) crypto_generichash_update(&h, value, n);
    (void) crypto_generichash_final(&h, ret, 32);
    sodium_memzero(&h, sizeof(h));
    return 0;
}
