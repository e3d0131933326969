#include "config.h"

#include "base/mem.h"
#include "gateway/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define READ_PIECE 16384

int io_outf(struct command_io *io, const char *fmt, ...)
{
    cleanup_free char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    return io->out(io, text, strlen(text));
}

int io_errf(struct command_io *io, const char *fmt, ...)
{
    cleanup_free char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    return io->err(io, text, strlen(text));
}

int io_read_all(struct command_io *io, struct buf *b, struct err *err)
{
    char piece[READ_PIECE];

    for (;;) {
        long n = io->read(io, piece, sizeof(piece));

        if (n == 0)
            return 0;
        if (n < 0)
            return err_set(err, ERR_FAILED, "standard input was cut off; nothing was changed");
        if (buf_add(b, piece, (size_t) n) != 0)
            return err_set(err, ERR_USAGE, "standard input is larger than %zu KiB", b->max / 1024);
    }
}
