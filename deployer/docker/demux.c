#include "config.h"

#include "deployer/docker/demux.h"

#include <string.h>

void demux_init(struct demux *d, enum demux_form form, size_t line_max, demux_line_fn *fn, void *arg)
{
    memset(d, 0, sizeof(*d));
    d->form = form;
    d->fn = fn;
    d->arg = arg;
    for (int i = 0; i < DEMUX_STREAMS; i++)
        buf_init(&d->lines[i], line_max);
}

void demux_release(struct demux *d)
{
    for (int i = 0; i < DEMUX_STREAMS; i++)
        buf_release(&d->lines[i]);
}

static void line_end(struct demux *d, int stream)
{
    struct buf *line = &d->lines[stream];

    d->fn(d->arg, stream, buf_str(line), buf_len(line));
    buf_clear(line);
}

static void text_feed(struct demux *d, int stream, const char *data, size_t n)
{
    struct buf *line = &d->lines[stream];

    while (n > 0) {
        const char *end = memchr(data, '\n', n);
        size_t len = end != NULL ? (size_t) (end - data) : n, room = buf_room(line);

        if (len > room) {
            (void) buf_add(line, data, room);
            line_end(d, stream);
            data += room;
            n -= room;
            continue;
        }
        (void) buf_add(line, data, len);
        if (end == NULL)
            return;
        line_end(d, stream);
        data += len + 1;
        n -= len + 1;
    }
}

static int header_read(struct demux *d, struct err *err)
{
    const unsigned char *h = d->header;

    if (h[0] >= DEMUX_STREAMS || h[1] != 0 || h[2] != 0 || h[3] != 0)
        return err_set(err, ERR_DOWN, "the engine's stream has a frame of an unknown kind");
    d->stream = h[0];
    d->left = (uint32_t) h[4] << 24 | (uint32_t) h[5] << 16 | (uint32_t) h[6] << 8 | h[7];
    d->header_n = 0;
    return 0;
}

int demux_feed(struct demux *d, const char *data, size_t n, struct err *err)
{
    if (d->form == DEMUX_LINES) {
        text_feed(d, 0, data, n);
        return 0;
    }
    while (n > 0) {
        size_t piece;

        if (d->left == 0) {
            piece = DEMUX_HEADER - d->header_n < n ? DEMUX_HEADER - d->header_n : n;
            memcpy(d->header + d->header_n, data, piece);
            d->header_n += piece;
            if (d->header_n == DEMUX_HEADER && header_read(d, err) < 0)
                return -1;
        } else {
            piece = d->left < n ? d->left : n;
            if (d->form == DEMUX_PIECES)
                d->fn(d->arg, d->stream, data, piece);
            else
                text_feed(d, d->stream, data, piece);
            d->left -= (uint32_t) piece;
        }
        data += piece;
        n -= piece;
    }
    return 0;
}

void demux_end(struct demux *d)
{
    for (int i = 0; i < DEMUX_STREAMS; i++)
        if (buf_len(&d->lines[i]) > 0)
            line_end(d, i);
}
