/* Frames between a session and the deployer's streams, over a Unix stream socket. */
#ifndef SLIPWAY_BASE_IPC_H
#define SLIPWAY_BASE_IPC_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A frame is a type byte, the payload's length as 4 bytes big-endian, the payload. */
#define IPC_PAYLOAD_MAX (64 * 1024) /* one SSH window's worth; keeps a slow reader's memory small */
#define IPC_HEADER 5

enum ipc_type {
    IPC_REQUEST = 'Q', /* session → stream, first and once: a JSON object {"op": …} */
    IPC_STDIN = 'i',   /* session → stream; empty: end of input */
    IPC_RESIZE = 'w',  /* session → stream: JSON {"cols": n, "rows": n} */
    IPC_STDOUT = 'o',  /* stream → session */
    IPC_STDERR = 'e',  /* stream → session */
    IPC_RESULT = 'x',  /* stream → session, last and once: JSON {"code": enum err_code, "error": text or null,
                        * "exit": exit code of a command that was run, else 0} */
};

/* A Unix stream socket that listens (mode 0660, an old file of that name replaced), or is connected;
 * close-on-exec. A refused connection is ERR_DOWN. The caller closes it. */
int ipc_listen(const char *path, struct err *err);
int ipc_connect(const char *path, struct err *err);

/* Appends a frame to an output buffer; n <= IPC_PAYLOAD_MAX. -1 where the buffer is full. */
int ipc_put(struct buf *out, enum ipc_type type, const void *payload, size_t n);

/* Looks at the front of an input buffer: 1 and the frame (pointing into the buffer; consume
 * IPC_HEADER + *ret_n bytes when done with it), 0 where it is not yet complete, -1 on an
 * unknown type or a length over the maximum. */
int ipc_get(const struct buf *in, enum ipc_type *ret_type, const char **ret_payload, size_t *ret_n,
            struct err *err);

/* Blocking versions for simple callers. ipc_read: 1, 0 at end of stream, -1; *payload is cleared first. */
int ipc_write(int fd, enum ipc_type type, const void *payload, size_t n, struct err *err);
int ipc_read(int fd, enum ipc_type *ret_type, struct buf *payload, struct err *err);

#endif
