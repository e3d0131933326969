/* SHA-256 digests as OCI writes them: "sha256:" and 64 lower-case hexadecimal digits
 * (OCI image specification 1.1, descriptor.md, "Digests"). */
#ifndef SLIPWAY_BASE_DIGEST_H
#define SLIPWAY_BASE_DIGEST_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE 72 /* "sha256:", 64 digits and a NUL */

/* A digest in the making, for data that streams by. */
struct digest {
    crypto_hash_sha256_state state;
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t n);
/* Ends it. */
void digest_text(struct digest *d, char ret[DIGEST_SIZE]);

/* All in one call. */
void digest_of(const void *data, size_t n, char ret[DIGEST_SIZE]);

/* True where s is a whole, well-formed sha256 digest. Other algorithms are not used here. */
bool digest_valid(const char *s);

#endif
