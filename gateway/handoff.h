/* Between the listener and a session, over a SOCK_SEQPACKET pair: the connection goes one way, what has
 * become of it the other. A session waits for its connection fully started, so that
 * the person at the other end does not wait for exec, libraries and keys. */
#ifndef SLIPWAY_GATEWAY_HANDOFF_H
#define SLIPWAY_GATEWAY_HANDOFF_H

#include "base/err.h"

#include <stdbool.h>

/* How the server names itself (RFC 4253 §4.2): sent by the listener when it accepts a connection, and hashed by the session's
 * libssh. */
#define SSH_SOFTWARE "Slipway"
#define SSH_IDENTIFICATION "SSH-2.0-" SSH_SOFTWARE "\r\n"
#define SSH_IDENTIFICATION_LEN (sizeof(SSH_IDENTIFICATION) - 1)

/* Sends a copy of the descriptor; the caller still closes its own. */
int handoff_send(int sock, int fd, struct err *err);

/* Waits for one: the descriptor, close-on-exec; -1 with an untouched *err where the listener has gone or
 * needs this session no more. */
int handoff_receive(int sock, struct err *err);

/* Session to listener. A listener that has gone meanwhile is no error. */
enum handoff_news {
    HANDOFF_NONE = 0,
    HANDOFF_RECEIVED = 'r',      /* the connection has arrived: the listener need not keep it */
    HANDOFF_AUTHENTICATED = 'a', /* its peer is known */
};
void handoff_tell(int sock, enum handoff_news news);
/* Listener: the next of them, without waiting; *ret_closed where the session has ended its side. */
enum handoff_news handoff_read(int sock, bool *ret_closed);

#endif
