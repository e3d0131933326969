/* Packet lines: what was read and is written again is the same packet. */
#include "config.h"

#include "gateway/pktline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *) data;
    enum pktline_type type;
    const char *payload;
    size_t len, size;
    struct buf b;

    buf_init(&b, PKTLINE_MAX);
    while (pktline_get(p, n, &type, &payload, &len, &size, NULL) == 1) {
        if (size > n || payload + len != p + size)
            abort();
        if (type == PKTLINE_DATA) {
            buf_clear(&b);
            /* The digits may have been capitals. */
            if (pktline_put(&b, payload, len) < 0 || buf_len(&b) != size ||
                memcmp(buf_str(&b) + PKTLINE_HEADER, p + PKTLINE_HEADER, size - PKTLINE_HEADER) != 0)
                abort();
        }
        p += size;
        n -= size;
    }
    buf_release(&b);
    return 0;
}
