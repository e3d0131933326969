/* What a peer is told that gets no session: the one packet that SSH has for it before keys are exchanged. Pure. */
#ifndef SLIPWAY_GATEWAY_REFUSAL_H
#define SLIPWAY_GATEWAY_REFUSAL_H

#include <stddef.h>

#define REFUSAL_TEXT_MAX 250 /* OpenSSH shows 400 bytes */
#define REFUSAL_MAX (REFUSAL_TEXT_MAX + 32)

/* SSH_MSG_DISCONNECT with the reason SSH_DISCONNECT_TOO_MANY_CONNECTIONS (RFC 4253 §11.1), as a packet without encryption or
 * MAC (§6), to be sent behind the identification. text: ASCII; what is longer than REFUSAL_TEXT_MAX is cut. Its length. */
size_t refusal_packet(const char *text, unsigned char ret[REFUSAL_MAX]);

#endif
