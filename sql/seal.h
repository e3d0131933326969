/* Sealed config values: libsodium's crypto_box_seal to one key pair a scope. Who faces the network
 * holds the public keys only. Scope, app and name stand inside the box and are checked on opening,
 * so a row cannot be moved to another app or name. Which values a version has is in the row of the version. */
#ifndef SLIPWAY_SQL_SEAL_H
#define SLIPWAY_SQL_SEAL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum seal_scope { SEAL_BUILD, SEAL_RUN };

/* Makes keys/build/public, build/secret, run/public, run/secret (secret ones mode 0400) and keys/digest.key where
 * missing; the folders must be there. A public key without its secret one is an error: what was sealed to it would be
 * lost. */
int seal_init(const char *state, struct err *err);
/* ERR_FAILED where a secret key is not there, be it that this role could read it or not. */
int seal_keys_check(const char *state, struct err *err);

/* Seals value (bytes, may hold NUL). *ret is the caller's. */
int seal_value(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
               const void *value, size_t n, void **ret, size_t *ret_n, struct err *err);

/* Opens with the scope's secret key; ERR_FAILED where it does not fit app_id and name. *ret gets a NUL
 * after its *ret_n bytes; the caller zeroes (sodium_memzero) and frees it. */
int seal_open(const char *state, enum seal_scope scope, int64_t app_id, const char *name,
              const void *sealed, size_t sealed_n, char **ret, size_t *ret_n, struct err *err);

/* --- replacing a scope's pair, by the role that has its secret key; sql/rotation.c does all of it */

/* Makes a new pair and seals to it from now on; the former one still opens. Inside a transaction that writes, so that
 * no value is sealed to the former one afterwards. Goes on where an earlier call was interrupted. */
int seal_rotate_begin(const char *state, enum seal_scope scope, struct err *err);
/* True from seal_rotate_begin to seal_rotate_end: the former secret key is there. */
bool seal_rotate_is_open(const char *state, enum seal_scope scope);
/* SEAL_AGAIN: *ret (the caller's) is the value sealed to the pair in use; SEAL_IS_NEW: it is sealed to that already;
 * SEAL_DAMAGED, with err: no key opens it. -1: the keys can't be read, so nothing is known. */
enum { SEAL_AGAIN, SEAL_IS_NEW, SEAL_DAMAGED };
int seal_again(const char *state, enum seal_scope scope, int64_t app_id, const char *name, const void *sealed,
               size_t sealed_n, void **ret, size_t *ret_n, struct err *err);
/* Destroys the former secret key, and what a process that was killed had begun to write. */
int seal_rotate_end(const char *state, enum seal_scope scope, struct err *err);
/* 1: ours until *ret_fd is closed; 0: another process has it; -1. */
int seal_rotate_lock(const char *state, enum seal_scope scope, int *ret_fd, struct err *err);

/* Keyed hash (BLAKE2b, key in keys/digest.key) of app, name and value: equal values, equal digests. */
int seal_digest(const char *state, int64_t app_id, const char *name, const void *value, size_t n,
                unsigned char ret[32], struct err *err);

#endif
