/* The files of the sealing keys: keys/run/ and keys/build/, each a folder of the role that opens what is sealed.
 * `secret` and `public` are the pair in use; `secret.old` is there while values are still sealed to it. Used by
 * sql/seal.c only. */
#ifndef SLIPWAY_SQL_SEAL_KEYS_H
#define SLIPWAY_SQL_SEAL_KEYS_H

#include "sql/seal.h"

#include <sodium.h>

struct seal_pair {
    unsigned char public[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
};
#define SEAL_PAIRS_MAX 2 /* the one in use, and the one before */

/* Makes the pair of a scope where it is missing; the folder must be there. */
int seal_pair_init(const char *state, enum seal_scope scope, struct err *err);

/* What to seal to now. Read anew each time: whoever holds the database's write lock gets the key in use. */
int seal_public(const char *state, enum seal_scope scope, unsigned char ret[crypto_box_PUBLICKEYBYTES], struct err *err);

/* The pairs that open, the one in use first: their number, or -1. They are read once a process, and once more where
 * `again`. *ret stays ours. */
int seal_pairs(const char *state, enum seal_scope scope, bool again, const struct seal_pair **ret, struct err *err);

/* The key of the digests, read once a process; NULL with err. */
const unsigned char *seal_digest_key(const char *state, struct err *err);
int seal_digest_init(const char *state, struct err *err);

#endif
