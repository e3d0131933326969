/* A WebSocket as client, over a connection of base/http.h: messages out and in, nothing blocks after the
 * handshake. Pings keep it alive and notice a peer that is gone.
 * Source: RFC 6455; frames by libwslay. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_WEBSOCKET_H
#define SLIPWAY_DEPLOYER_KUBERNETES_WEBSOCKET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/http.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBSOCKET_MESSAGE_MAX (256 * 1024) /* API servers send 32 KiB */
#define WEBSOCKET_REFUSAL_MAX (64 * 1024)  /* of an answer that is no WebSocket: a Status document */

struct websocket;

/* Connects and waits for the answer. headers: "Name: value" each, for the credential; protocols: the
 * subprotocols offered, best first. 0: *ret is a WebSocket; 1: the server refused: *ret_status is HTTP's and
 * refusal (initialized by the caller) holds the answer's body; -1: no connection. */
int websocket_open(struct http *h, const char *url, const struct vec *headers, const char *protocols,
                   struct websocket **ret, long *ret_status, struct buf *refusal, struct err *err);
void websocket_close(struct websocket *w);

/* The subprotocol that the server chose. */
const char *websocket_protocol(const struct websocket *w);

/* Queues one binary message (copied). */
void websocket_send(struct websocket *w, const void *data, size_t n);
/* Bytes queued that have not gone out. */
size_t websocket_queued(const struct websocket *w);

/* Called for each message; must not close w. */
typedef void websocket_message_fn(void *arg, const uint8_t *data, size_t n);
/* Moves what can be moved now, but begins no further message once room says false. 0: open, 1: ended in
 * order, -1: broken (err). */
typedef bool websocket_room_fn(void *arg);
int websocket_service(struct websocket *w, websocket_message_fn *fn, websocket_room_fn *room, void *arg,
                      struct err *err);

/* What to wait for: its socket, epoll events (EPOLLIN always; the caller leaves it out where it has no
 * room), and until when it wants to be serviced for its pings: ms, at most. */
int websocket_fd(const struct websocket *w);
bool websocket_wants_write(const struct websocket *w);
int websocket_timeout(const struct websocket *w);

#endif
