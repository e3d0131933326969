/* Ranges of addresses: "192.0.2.0/24", "2001:db8::/32", or one address (RFC 4632 §3.1, RFC 4291 §2.3). Pure. */
#ifndef SLIPWAY_GATEWAY_CIDR_H
#define SLIPWAY_GATEWAY_CIDR_H

#include "base/err.h"

#include <stdbool.h>

struct cidr {
    int family;               /* AF_INET, AF_INET6 */
    unsigned char bytes[16];
    int bits;
};

/* ERR_USAGE for what is no range, also where bits behind the prefix are set. */
int cidr_parse(const char *s, struct cidr *ret, struct err *err);

/* False for what is no address, and for one of the other family. */
bool cidr_contains(const struct cidr *c, const char *address);

#endif
