/* The pusher's end: text on sideband 2, the report on sideband 1, keepalives in between; for a client
 * without side-band-64k, text on standard error and the report as it is (gitprotocol-pack(5)). */
#ifndef SLIPWAY_GATEWAY_SIDEBAND_H
#define SLIPWAY_GATEWAY_SIDEBAND_H

#include "gateway/command.h"
#include "gateway/connection.h"

#include <stdbool.h>
#include <stdint.h>

/* As git's receive.keepAlive: proxies and firewalls forget connections that are silent for long. */
#define SIDEBAND_KEEPALIVE_MS 5000

struct sideband_io {
    struct command_io io; /* first; out and err are both the text's way */
    struct connection *conn;
    bool enabled;
    uint64_t last;        /* when something was sent */
};

void sideband_io_init(struct sideband_io *s, struct connection *conn, bool enabled);

/* Sends a keepalive if nothing was sent for long enough; returns the ms until the next one, -1: never. */
int sideband_tick(struct sideband_io *s);

/* The report of push_report, and the end of the sideband. 0, or -1 when the peer is gone. */
int sideband_finish(struct sideband_io *s, const void *report, size_t n);

/* A last word to a client whose push cannot even be reported: "fatal: remote error: TEXT". */
void sideband_fatal(struct sideband_io *s, const char *text);

#endif
