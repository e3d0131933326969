#include "config.h"

#include "gateway/session.h"

#include <string.h>

#define TTY_PIECE 16384 /* bytes that are sent together */

static struct connection *conn_of(struct command_io *io)
{
    return ((struct channel_io *) io)->conn;
}

/* With a terminal at the other end, which is in raw mode, a new line needs its carriage return. */
static int put(struct command_io *io, bool to_stderr, const char *data, size_t n)
{
    struct connection *c = conn_of(io);
    char piece[TTY_PIECE];

    if (!io->tty)
        return connection_write(c, to_stderr, data, n);
    while (n > 0) {
        size_t used = 0;

        for (; n > 0 && used + 2 <= sizeof(piece); n--) {
            if (*data == '\n')
                piece[used++] = '\r';
            piece[used++] = *data++;
        }
        if (connection_write(c, to_stderr, piece, used) < 0)
            return -1;
    }
    return 0;
}

static int io_out(struct command_io *io, const void *data, size_t n)
{
    return put(io, false, data, n);
}

static int io_err(struct command_io *io, const void *data, size_t n)
{
    return put(io, true, data, n);
}

static long io_read(struct command_io *io, void *data, size_t max)
{
    return connection_read(conn_of(io), data, max);
}

static int io_wait(struct command_io *io, int fd, bool want_input, int timeout_ms)
{
    struct connection *c = conn_of(io);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int bits = connection_wait(c, &p, fd >= 0 ? 1 : 0, want_input ? WANT_INPUT : 0, timeout_ms);

    if ((bits & IO_RESIZE) != 0) {
        io->cols = c->cols;
        io->rows = c->rows;
    }
    return bits;
}

void channel_io_init(struct channel_io *io, struct connection *conn)
{
    memset(io, 0, sizeof(*io));
    io->conn = conn;
    io->io.out = io_out;
    io->io.err = io_err;
    io->io.read = io_read;
    io->io.wait = io_wait;
    io->io.tty = conn->tty;
    io->io.cols = conn->cols;
    io->io.rows = conn->rows;
    io->io.color = conn->tty;
    memcpy(io->io.term, conn->term, sizeof(io->io.term));
}
