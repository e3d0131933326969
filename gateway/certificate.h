/* A certificate with its chain and its private key, as people have them: PEM (RFC 7468). Read by OpenSSL's libcrypto. */
#ifndef SLIPWAY_GATEWAY_CERTIFICATE_H
#define SLIPWAY_GATEWAY_CERTIFICATE_H

#include "base/err.h"
#include "sql/model.h"

#include <stddef.h>
#include <stdint.h>

/* Reads a private key and the certificates of its chain, in any order; what of them is not of the chain is left out. Refused
 * (ERR_USAGE) where no certificate fits the key, where the key is sealed by a passphrase, of a kind that clients don't take or
 * too short, where the certificate is for no host name, and where it is not valid at `now` (ms since 1970). Pure. *ret is the
 * caller's, without a hash; nothing of the key is left elsewhere. */
int certificate_read(const char *pem, size_t n, int64_t now, struct certificate *ret, struct err *err);

#endif
