/* The SSH server's host keys. */
#ifndef SLIPWAY_DAEMON_HOSTKEY_H
#define SLIPWAY_DAEMON_HOSTKEY_H

#include "base/conf.h"
#include "base/err.h"

/* Makes keys/ssh_host_ed25519_key and keys/ssh_host_rsa_key (3072 bits, for old clients) where missing, and
 * says so with the fingerprint on standard output. */
int hostkey_make(const struct conf *c, struct err *err);

/* The key's fingerprint, "SHA256:…"; the caller frees it. NULL and err where it can't be read. */
char *hostkey_fingerprint(const char *path, struct err *err);

#endif
