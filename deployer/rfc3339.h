/* Times as the Kubernetes API and the Docker engine write them. */
#ifndef SLIPWAY_DEPLOYER_RFC3339_H
#define SLIPWAY_DEPLOYER_RFC3339_H

#include <stddef.h>
#include <stdint.h>

/* Parses "2026-01-02T03:04:05[.fraction](Z|+hh:mm)" at the front of s (n bytes). Returns how many
 * bytes it has, 0 where it is none. *ret_ns: nanoseconds since 1970. Source: RFC 3339 §5.6. */
size_t rfc3339_parse(const char *s, size_t n, int64_t *ret_ns);

/* The same for a whole string, in milliseconds; 0 where s is NULL or no time. */
int64_t rfc3339_ms(const char *s);

/* "2026-01-02T03:04:05Z" into ret. */
#define RFC3339_SIZE 32
void rfc3339_format(int64_t ms, char ret[RFC3339_SIZE]);

#endif
