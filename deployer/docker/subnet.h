/* Which addresses an app's network and its web containers have. Pure. IPv4 only: the addresses are between this
 * machine and its containers. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_SUBNET_H
#define SLIPWAY_DEPLOYER_DOCKER_SUBNET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBNET_BITS 24       /* of an app's network */

struct subnet { uint32_t base; int bits; };

/* "10.213.0.0/16". ERR_USAGE where it is none, or has bits set behind its length. */
int subnet_parse(const char *text, struct subnet *ret, struct err *err);

/* The network of an interface's address and mask, both in the host's byte order. */
struct subnet subnet_of(uint32_t address, uint32_t netmask);

/* The first network of SUBNET_BITS within range that overlaps none of used. False: there is none. */
bool subnet_pick(const struct subnet *range, const struct subnet *used, size_t n, struct subnet *ret);

/* "10.213.5.0/24"; the caller frees it. */
char *subnet_text(const struct subnet *s);
/* The n-th address of it: 0 is the network's own, 1 the gateway. The caller frees it. */
char *subnet_address(const struct subnet *s, unsigned n);

/* The upper half, out of which the engine gives addresses to who wants any; the lower is web's. */
struct subnet subnet_dynamic(const struct subnet *s);
/* Web's: number counts from 1. The caller frees it. */
char *subnet_web_address(const struct subnet *s, int set, int number);

#endif
