#include "config.h"

#include "gateway/pktline.h"

#include <stdarg.h>
#include <stdio.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int pktline_get(const char *data, size_t n, enum pktline_type *ret_type, const char **ret_payload,
                size_t *ret_len, size_t *ret_size, struct err *err)
{
    size_t size = 0;

    /* Wrong digits are seen at once, not only when four are there: a peer that speaks something
     * else must not wait for us while we wait for it. */
    for (size_t i = 0; i < PKTLINE_HEADER && i < n; i++) {
        int d = hex_digit(data[i]);

        if (d < 0)
            return err_set(err, ERR_USAGE, "not git's protocol: a packet's length has a digit that is none");
        size = size * 16 + (size_t) d;
    }
    if (n < PKTLINE_HEADER)
        return 0;
    if (size < PKTLINE_HEADER) {
        if (size == 3)
            return err_set(err, ERR_USAGE, "not git's protocol: a packet of length 3");
        *ret_type = size == 0 ? PKTLINE_FLUSH : size == 1 ? PKTLINE_DELIM : PKTLINE_END;
        *ret_payload = data + PKTLINE_HEADER;
        *ret_len = 0;
        *ret_size = PKTLINE_HEADER;
        return 1;
    }
    if (size > PKTLINE_MAX)
        return err_set(err, ERR_USAGE, "not git's protocol: a packet of %zu bytes", size);
    if (n < size)
        return 0;
    *ret_type = PKTLINE_DATA;
    *ret_payload = data + PKTLINE_HEADER;
    *ret_len = size - PKTLINE_HEADER;
    *ret_size = size;
    return 1;
}

static int put_header(struct buf *b, size_t len, size_t total_room)
{
    if (len > PKTLINE_PAYLOAD_MAX || buf_room(b) < total_room) {
        b->overflow = true;
        return -1;
    }
    return buf_addf(b, "%04x", (unsigned) (len + PKTLINE_HEADER));
}

int pktline_put(struct buf *b, const void *payload, size_t len)
{
    if (put_header(b, len, len + PKTLINE_HEADER) < 0)
        return -1;
    return buf_add(b, payload, len);
}

int pktline_putf(struct buf *b, const char *fmt, ...)
{
    struct buf text;
    va_list ap;
    int rc;

    buf_init(&text, PKTLINE_PAYLOAD_MAX);
    va_start(ap, fmt);
    rc = buf_vaddf(&text, fmt, ap);
    va_end(ap);
    if (rc == 0)
        rc = pktline_put(b, buf_str(&text), buf_len(&text));
    else
        b->overflow = true;
    buf_release(&text);
    return rc;
}

int pktline_flush(struct buf *b)
{
    return buf_add(b, "0000", PKTLINE_HEADER);
}

int sideband_put(struct buf *b, enum sideband band, const void *data, size_t n)
{
    const char *p = data;

    do {
        size_t piece = n < SIDEBAND_PAYLOAD_MAX ? n : SIDEBAND_PAYLOAD_MAX;

        if (put_header(b, piece + 1, piece + 1 + PKTLINE_HEADER) < 0 || buf_addch(b, (char) band) < 0 ||
            buf_add(b, p, piece) < 0)
            return -1;
        p += piece;
        n -= piece;
    } while (n > 0);
    return 0;
}
