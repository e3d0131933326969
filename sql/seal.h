/* Sealed config values: libsodium's crypto_box_seal to one key pair a scope. Who faces the network
 * holds the public keys only. Scope, app and name stand inside the box and are checked on opening,
 * so a row cannot be moved to another app or name. Which values a version has is in the row of the version. */
#ifndef SLIPWAY_SQL_SEAL_H
#define SLIPWAY_SQL_SEAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum seal_scope { SEAL_BUILD, SEAL_RUN };

/* Makes keys/build.pub, build.key, run.pub, run.key (secret ones mode 0400) and digest.key where missing.
 * A public key without its secret one is an error: what was sealed to it would be lost. */
int seal_init(const char *state, struct err *err);

/* Seals value (bytes, may hold NUL). *ret is the caller's. */
int seal_value(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
               const void *value, size_t n, void **ret, size_t *ret_n, struct err *err);

/* Opens with the scope's secret key; ERR_FAILED where it does not fit app_id and name. *ret gets a NUL
 * after its *ret_n bytes; the caller zeroes (sodium_memzero) and frees it. */
int seal_open(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
              const void *sealed, size_t sealed_n, char **ret, size_t *ret_n, struct err *err);

/* Keyed hash (BLAKE2b, key in keys/digest.key) of app, name and value: equal values, equal digests. */
int seal_digest(const char *state, int64_t app_id, const char *name, const void *value, size_t n,
                unsigned char ret[32], struct err *err);

#endif
