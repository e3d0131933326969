/* What runs over the WebSocket of an attach or exec: each message is a channel's number and its bytes.
 * Pure. Source: k8s.io/apimachinery remotecommand (v4.channel.k8s.io, v5.channel.k8s.io). */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_CHANNELS_H
#define SLIPWAY_DEPLOYER_KUBERNETES_CHANNELS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNELS_V5 "v5.channel.k8s.io" /* can end standard input; from Kubernetes 1.30 on */
#define CHANNELS_V4 "v4.channel.k8s.io"
#define CHANNELS_PROTOCOLS CHANNELS_V5 ", " CHANNELS_V4

enum channel {
    CHANNEL_STDIN = 0,
    CHANNEL_STDOUT = 1,
    CHANNEL_STDERR = 2,
    CHANNEL_STATUS = 3,      /* a Status document, once, at the end */
    CHANNEL_RESIZE = 4,      /* {"Width": columns, "Height": rows} */
    CHANNEL_CLOSE = 255,     /* v5: the number of the channel that ends */
};

/* The status channel's verdict. */
struct channels_status {
    bool is;                 /* it has come */
    int exit_code;           /* 0 on success; -1: not an exit code but a failure */
    char message[ERR_MSG_MAX]; /* of a failure */
};

/* Reads a Status document: "Success", or "NonZeroExitCode" with its cause "ExitCode", or a failure. */
void channels_status_parse(const char *data, size_t n, struct channels_status *ret);

/* Where a message's bytes belong. False: nothing for the caller (unknown channel, empty). A status is
 * taken into *status; *ret_data points into the message. */
bool channels_take(const uint8_t *message, size_t n, struct channels_status *status, enum channel *ret,
                   const char **ret_data, size_t *ret_n);

/* Appends a resize message. */
void channels_resize(struct buf *out, int cols, int rows);

#endif
