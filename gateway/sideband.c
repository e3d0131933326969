#include "config.h"

#include "gateway/sideband.h"

#include "base/loop.h"
#include "gateway/pktline.h"

#include <string.h>

#define PACKETS_MAX (128 * 1024) /* one call's text with its headers; longer text goes in pieces */
#define PIECE (32 * 1024)

static int send_band(struct sideband_io *s, enum sideband band, const char *data, size_t n)
{
    struct buf b;
    int rc = 0;

    buf_init(&b, PACKETS_MAX);
    do {
        size_t piece = n < PIECE ? n : PIECE;

        buf_clear(&b);
        if (sideband_put(&b, band, data, piece) < 0 ||
            connection_write(s->conn, false, buf_str(&b), buf_len(&b)) < 0) {
            rc = -1;
            break;
        }
        data += piece;
        n -= piece;
    } while (n > 0);
    buf_release(&b);
    s->last = loop_now();
    return rc;
}

static int io_text(struct command_io *io, const void *data, size_t n)
{
    struct sideband_io *s = (struct sideband_io *) io;

    if (n == 0)
        return s->conn->gone ? -1 : 0;
    if (s->enabled)
        return send_band(s, SIDEBAND_PROGRESS, data, n);
    return connection_write(s->conn, true, data, n);
}

static long io_read(struct command_io *io, void *data, size_t max)
{
    (void) io;
    (void) data;
    (void) max;
    return 0; /* the channel's input is the pack */
}

int sideband_tick(struct sideband_io *s)
{
    uint64_t now = loop_now();

    if (!s->enabled)
        return -1;
    /* Band 1 and empty, as git's own receive-pack does it: every client knows it. */
    if (now - s->last >= SIDEBAND_KEEPALIVE_MS && send_band(s, SIDEBAND_DATA, "", 0) < 0)
        return -1;
    now = loop_now();
    return now - s->last >= SIDEBAND_KEEPALIVE_MS ? 0 : (int) (SIDEBAND_KEEPALIVE_MS - (now - s->last));
}

static int io_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct sideband_io *s = (struct sideband_io *) io;
    uint64_t begin = loop_now();
    struct pollfd p = { .fd = fd, .events = POLLIN };

    (void) want_input;
    for (;;) {
        int ms = sideband_tick(s), bits;

        if (timeout_ms >= 0) {
            uint64_t spent = loop_now() - begin;
            int left = spent >= (uint64_t) timeout_ms ? 0 : timeout_ms - (int) spent;

            if (ms < 0 || left < ms)
                ms = left;
        }
        bits = connection_wait(s->conn, &p, fd >= 0 ? 1 : 0, 0, ms);
        if (bits != 0 || (timeout_ms >= 0 && loop_now() - begin >= (uint64_t) timeout_ms))
            return bits;
    }
}

void sideband_io_init(struct sideband_io *s, struct connection *conn, bool enabled)
{
    memset(s, 0, sizeof(*s));
    s->conn = conn;
    s->enabled = enabled;
    s->last = loop_now();
    s->io.out = io_text;
    s->io.err = io_text;
    s->io.read = io_read;
    s->io.wait = io_wait;
    s->io.color = enabled; /* git keeps SGR sequences of the remote's text */
}

int sideband_finish(struct sideband_io *s, const void *report, size_t n)
{
    if (!s->enabled)
        return connection_write(s->conn, false, report, n);
    if (n > 0 && send_band(s, SIDEBAND_DATA, report, n) < 0)
        return -1;
    return connection_write(s->conn, false, "0000", 4);
}

void sideband_fatal(struct sideband_io *s, const char *text)
{
    if (s->enabled) {
        (void) send_band(s, SIDEBAND_ERROR, text, strlen(text));
    } else {
        (void) connection_write(s->conn, true, text, strlen(text));
        (void) connection_write(s->conn, true, "\n", 1);
    }
}
