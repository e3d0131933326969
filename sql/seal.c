#include "config.h"

#include "sql/seal.h"

#include "base/mem.h"
#include "sql/seal_keys.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What stands before the value inside the box: format, scope, app id (8 bytes, big-endian), the
 * name's length (2 bytes, big-endian), the name. */
#define SEAL_FORMAT 1
#define SEAL_FIXED 12
#define SEAL_VALUE_MAX (16 * 1024 * 1024) /* far over what config accepts; bounds a damaged row */

int seal_init(const char *state, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium does not start");
    if (seal_pair_init(state, SEAL_BUILD, err) != 0 || seal_pair_init(state, SEAL_RUN, err) != 0)
        return -1;
    return seal_digest_init(state, err);
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
    unsigned char key[crypto_box_PUBLICKEYBYTES];
    size_t name_n = strlen(name), head, plain_n;
    unsigned char *plain, *sealed;

    if (seal_public(state, scope, key, err) != 0)
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

/* Opens with the first of the pairs that fits: its place in `pairs`, or -1. `plain` gets what was sealed. */
static int open_with(const struct seal_pair *pairs, int n, const void *sealed, size_t sealed_n, unsigned char *plain)
{
    for (int i = 0; i < n; i++) {
        if (crypto_box_seal_open(plain, sealed, sealed_n, pairs[i].public, pairs[i].secret) == 0)
            return i;
    }
    return -1;
}

/* As seal_open, but SEAL_DAMAGED instead of -1 where no key opens it, SEAL_IS_NEW where it is sealed to the pair in use,
 * SEAL_AGAIN where to the former one. */
static int open_which(const char *state, enum seal_scope scope, int64_t app_id, const char *name, const void *sealed,
                      size_t sealed_n, char **ret, size_t *ret_n, struct err *err)
{
    size_t name_n = strlen(name), head, plain_n;
    unsigned char *plain, *want;
    int which = -1;
    bool fits;

    if (name_n > UINT16_MAX || sealed_n < crypto_box_SEALBYTES + SEAL_FIXED + name_n
        || sealed_n > SEAL_VALUE_MAX + (size_t) UINT16_MAX + 1024) {
        (void) err_set(err, ERR_FAILED, "the stored value of %s is damaged", name);
        return SEAL_DAMAGED;
    }
    plain_n = sealed_n - crypto_box_SEALBYTES;
    plain = xmalloc(plain_n + 1);
    /* What this process has read may be from before a rotation. */
    for (int again = 0; which < 0 && again < 2; again++) {
        const struct seal_pair *pairs;
        int n = seal_pairs(state, scope, again, &pairs, err);

        if (n < 0) {
            free(plain);
            return -1;
        }
        which = open_with(pairs, n, sealed, sealed_n, plain);
    }
    want = xmalloc(SEAL_FIXED + name_n);
    head = head_fill(want, scope, app_id, name, name_n);
    fits = which >= 0 && memcmp(plain, want, head) == 0;
    free(want);
    if (!fits) {
        sodium_memzero(plain, plain_n);
        free(plain);
        (void) err_set(err, ERR_FAILED, "the stored value of %s does not belong to this app and name, "
                       "or was sealed to another key", name);
        return SEAL_DAMAGED;
    }
    memmove(plain, plain + head, plain_n - head);
    sodium_memzero(plain + plain_n - head, head + 1);
    *ret = (char *) plain;
    *ret_n = plain_n - head;
    return which == 0 ? SEAL_IS_NEW : SEAL_AGAIN;
}

int seal_open(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
              const void *sealed, size_t sealed_n, char **ret, size_t *ret_n, struct err *err)
{
    int rc = open_which(state, scope, app_id, name, sealed, sealed_n, ret, ret_n, err);

    return rc < 0 || rc == SEAL_DAMAGED ? -1 : 0;
}

int seal_again(const char *state, enum seal_scope scope, int64_t app_id, const char *name, const void *sealed,
               size_t sealed_n, void **ret, size_t *ret_n, struct err *err)
{
    char *value;
    size_t n;
    int which = open_which(state, scope, app_id, name, sealed, sealed_n, &value, &n, err), rc = 0;

    if (which < 0 || which == SEAL_DAMAGED)
        return which;
    if (which == SEAL_AGAIN)
        rc = seal_value(state, scope, app_id, name, value, n, ret, ret_n, err);
    sodium_memzero(value, n);
    free(value);
    return rc != 0 ? -1 : which;
}

int seal_digest(const char *state, int64_t app_id, const char *name, const void *value, size_t n,
                unsigned char ret[32], struct err *err)
{
    const unsigned char *key = seal_digest_key(state, err);
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
