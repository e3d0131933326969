/* Between the listener and a session, over a SOCK_SEQPACKET pair: the connection goes one way, the news
 * that its peer has authenticated the other. A session waits for its connection fully started, so that
 * the person at the other end does not wait for exec, libraries and keys. */
#ifndef SLIPWAY_GATEWAY_HANDOFF_H
#define SLIPWAY_GATEWAY_HANDOFF_H

#include "base/err.h"

#include <stdbool.h>

/* Sends a copy of the descriptor; the caller still closes its own. */
int handoff_send(int sock, int fd, struct err *err);

/* Waits for one: the descriptor, close-on-exec; -1 with an untouched *err where the listener has gone or
 * needs this session no more. */
int handoff_receive(int sock, struct err *err);

/* Session to listener: the peer is known. A listener that has gone meanwhile is no error. */
void handoff_authenticated(int sock);
/* Listener: true where that was said; *ret_closed where the session has ended its side. */
bool handoff_was_authenticated(int sock, bool *ret_closed);

#endif
