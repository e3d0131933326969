/* The opening handshake of a WebSocket, as text. Pure. Source: RFC 6455 §4.1, §4.2.2. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_WEBSOCKET_HEAD_H
#define SLIPWAY_DEPLOYER_KUBERNETES_WEBSOCKET_HEAD_H

#include "base/err.h"

#include <stddef.h>

#define WEBSOCKET_KEY_SIZE 25    /* 16 random bytes in base64, and a NUL */
#define WEBSOCKET_ACCEPT_SIZE 29 /* a SHA-1 in base64, and a NUL */
#define WEBSOCKET_PROTOCOL_MAX 64

/* What a server that has understood the request answers to this key. */
void websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE]);

struct websocket_head {
    size_t len;              /* with the empty line at its end */
    int status;
    size_t content_length;   /* of a refusal's body; 0 where unknown */
    char protocol[WEBSOCKET_PROTOCOL_MAX]; /* the subprotocol chosen; "" where none */
};

/* Reads the answer to a request with this key. 1: *ret is filled; 0: its end is not there yet; -1: it is
 * no HTTP, or it is a 101 without the right proof. */
int websocket_head_parse(const char *data, size_t n, const char *key, struct websocket_head *ret,
                         struct err *err);

#endif
