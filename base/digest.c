#include "config.h"

#include "base/digest.h"

#include <string.h>

#define PREFIX "sha256:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

void digest_init(struct digest *d)
{
    (void) crypto_hash_sha256_init(&d->state);
}

void digest_add(struct digest *d, const void *data, size_t n)
{
    (void) crypto_hash_sha256_update(&d->state, data, n);
}

void digest_text(struct digest *d, char ret[DIGEST_SIZE])
{
    unsigned char sum[crypto_hash_sha256_BYTES];

    (void) crypto_hash_sha256_final(&d->state, sum);
    memcpy(ret, PREFIX, PREFIX_LEN);
    (void) sodium_bin2hex(ret + PREFIX_LEN, DIGEST_SIZE - PREFIX_LEN, sum, sizeof(sum));
}

void digest_of(const void *data, size_t n, char ret[DIGEST_SIZE])
{
    struct digest d;

    digest_init(&d);
    digest_add(&d, data, n);
    digest_text(&d, ret);
}

bool digest_valid(const char *s)
{
    return s != NULL && strncmp(s, PREFIX, PREFIX_LEN) == 0 &&
           strlen(s + PREFIX_LEN) == 2 * crypto_hash_sha256_BYTES &&
           strspn(s + PREFIX_LEN, "0123456789abcdef") == 2 * crypto_hash_sha256_BYTES;
}
