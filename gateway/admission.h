/* Who may come in: the listener's arithmetic. Pure. */
#ifndef SLIPWAY_GATEWAY_ADMISSION_H
#define SLIPWAY_GATEWAY_ADMISSION_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* sshd_config(5), MaxStartups. */
struct startups { int begin, rate, full; };

/* "20:30:100". begin <= full, rate 1 to 100. */
int startups_parse(const char *s, struct startups *ret, struct err *err);

/* True where a new connection is to be refused while n have not authenticated yet; dice is a random
 * number from 0 to 99. */
bool startups_refuse(const struct startups *s, int n, int dice);

/* What counts as one peer: an IPv4 address, or an IPv6 /64, the smallest network that is given out. */
struct peer { uint8_t bytes[8]; bool v6; };
void peer_of(const struct sockaddr *a, struct peer *ret);
bool peer_equal(const struct peer *a, const struct peer *b);
/* "192.0.2.1" or "2001:db8::/64", for the log. */
#define PEER_TEXT 52
void peer_text(const struct peer *p, char ret[PEER_TEXT]);

#endif
