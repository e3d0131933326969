/* What an API server sends on the WebSocket of an attach or exec: the answer to the handshake, then messages,
 * here separated by newlines. */
#include "config.h"

#include "deployer/kubernetes/channels.h"
#include "deployer/kubernetes/gate.h"
#include "deployer/kubernetes/websocket_head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct channels_status status = { 0 };
    struct gate gate;
    struct websocket_head head;
    struct err err = ERR_INIT;

    if (websocket_head_parse((const char *) data, n, "dGhlIHNhbXBsZSBub25jZQ==", &head, &err) == 1) {
        if (head.len > n || strnlen(head.protocol, sizeof(head.protocol)) == sizeof(head.protocol))
            abort();
        data += head.len;
        n -= head.len;
    }
    gate_init(&gate, false);
    memcpy(gate.token + sizeof(GATE_PREFIX) - 1, "0123456789abcdef", 16);
    while (n > 0) {
        const uint8_t *end = memchr(data, '\n', n);
        size_t len = end != NULL ? (size_t) (end - data) : n, part;
        enum channel channel;
        const char *at;

        if (channels_take(data, len, &status, &channel, &at, &part)) {
            if (at != (const char *) data + 1 || part != len - 1)
                abort();
            if (gate_take(&gate, channel, at, part, &at, &part) && part > len - 1)
                abort();
        }
        if (status.is && (status.exit_code < -1 || status.exit_code > 255))
            abort();
        status.is = false;
        data += len + (end != NULL);
        n -= len + (end != NULL);
    }
    gate_release(&gate);
    return 0;
}
