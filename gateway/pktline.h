/* git's packet lines (gitprotocol-common(5), gitprotocol-pack(5)): four hexadecimal digits that
 * count themselves and the payload. Pure. */
#ifndef SLIPWAY_GATEWAY_PKTLINE_H
#define SLIPWAY_GATEWAY_PKTLINE_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define PKTLINE_HEADER 4
#define PKTLINE_MAX 65520                            /* whole packet, by the protocol */
#define PKTLINE_PAYLOAD_MAX (PKTLINE_MAX - PKTLINE_HEADER)

enum pktline_type { PKTLINE_DATA, PKTLINE_FLUSH, PKTLINE_DELIM, PKTLINE_END };

/* Looks at the front of n bytes: 1 and the packet (its payload points into data; *ret_size bytes
 * belong to it), 0 where it is not complete yet, -1 with ERR_USAGE on digits or lengths that the
 * protocol does not have. */
int pktline_get(const char *data, size_t n, enum pktline_type *ret_type, const char **ret_payload,
                size_t *ret_len, size_t *ret_size, struct err *err);

/* Appends one packet; len at most PKTLINE_PAYLOAD_MAX. 0, or -1 where it does not fit. */
int pktline_put(struct buf *b, const void *payload, size_t len);
int pktline_putf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int pktline_flush(struct buf *b);

/* Bands of side-band-64k. */
enum sideband { SIDEBAND_DATA = 1, SIDEBAND_PROGRESS = 2, SIDEBAND_ERROR = 3 };
#define SIDEBAND_PAYLOAD_MAX (PKTLINE_PAYLOAD_MAX - 1)

/* Appends n bytes on a band, in as many packets as they need; n = 0 gives one empty packet (a keepalive). */
int sideband_put(struct buf *b, enum sideband band, const void *data, size_t n);

#endif
