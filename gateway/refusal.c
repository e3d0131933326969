#include "config.h"

#include "gateway/refusal.h"

#include <stdint.h>
#include <string.h>

#define SSH_MSG_DISCONNECT 1
#define TOO_MANY_CONNECTIONS 12
#define BLOCK 8       /* a packet is a multiple of it, where there is no cipher */
#define PADDING_MIN 4

static unsigned char *put32(unsigned char *p, size_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (unsigned char) (n >> shift);
    return p;
}

size_t refusal_packet(const char *text, unsigned char ret[REFUSAL_MAX])
{
    size_t n = strnlen(text, REFUSAL_TEXT_MAX), payload = 1 + 4 + 4 + n + 4, padding;
    unsigned char *p;

    padding = BLOCK - (4 + 1 + payload) % BLOCK;
    if (padding < PADDING_MIN)
        padding += BLOCK;
    memset(ret, 0, REFUSAL_MAX);
    p = put32(ret, 1 + payload + padding);
    *p++ = (unsigned char) padding;
    *p++ = SSH_MSG_DISCONNECT;
    p = put32(p, TOO_MANY_CONNECTIONS);
    p = put32(p, n);
    memcpy(p, text, n); /* then a language tag of no bytes, and the padding, which nobody looks at */
    return 4 + 1 + payload + padding;
}
