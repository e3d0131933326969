#include "config.h"

#include "base/ipc.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define IPC_MODE 0660 /* the roles share a group */

/* A socket's address holds 107 characters, a state folder's path may be longer. The folder is
 * opened, and the address goes through its descriptor. Returns the folder, which stays open
 * until the address was used. */
static int address_open(const char *path, struct sockaddr_un *ret, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    cleanup_free char *folder = slash != NULL ? xstrndup(path, (size_t) (slash + 1 - path)) : xstrdup(".");
    cleanup_close int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int n;

    if (fd < 0)
        return err_errno(err, "cannot open folder %s", folder);
    memset(ret, 0, sizeof(*ret));
    ret->sun_family = AF_UNIX;
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", fd, name);
    if (n < 0 || (size_t) n >= sizeof(ret->sun_path))
        return err_set(err, ERR_FAILED, "the socket's name %s is too long", name);
    return steal_fd(fd);
}

int ipc_listen(const char *path, struct err *err)
{
    struct sockaddr_un address;
    cleanup_close int folder = address_open(path, &address, err);
    cleanup_close int fd = -1;

    if (folder < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "cannot replace %s", path);
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
        return err_errno(err, "cannot make socket %s", path);
    /* Nobody can connect before listen, so the mode is never too wide. */
    if (chmod(path, IPC_MODE) < 0 || listen(fd, SOMAXCONN) < 0)
        return err_errno(err, "cannot listen on %s", path);
    return steal_fd(fd);
}

int ipc_connect(const char *path, struct err *err)
{
    struct sockaddr_un address;
    cleanup_close int folder = address_open(path, &address, err);
    cleanup_close int fd = -1;
    int rc;

    if (folder < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    do
        rc = connect(fd, (struct sockaddr *) &address, sizeof(address));
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        err_errno(err, "cannot connect to %s", path);
        if (err != NULL && (errno == ECONNREFUSED || errno == ENOENT))
            err->code = ERR_DOWN;
        return -1;
    }
    return steal_fd(fd);
}

static void header_put(unsigned char h[IPC_HEADER], enum ipc_type type, size_t n)
{
    h[0] = (unsigned char) type;
    h[1] = (unsigned char) (n >> 24);
    h[2] = (unsigned char) (n >> 16);
    h[3] = (unsigned char) (n >> 8);
    h[4] = (unsigned char) n;
}

static int header_get(const unsigned char h[IPC_HEADER], enum ipc_type *ret_type, size_t *ret_n,
                      struct err *err)
{
    static const char known[] = { IPC_REQUEST, IPC_STDIN, IPC_RESIZE, IPC_STDOUT, IPC_STDERR, IPC_RESULT };
    size_t n = (size_t) h[1] << 24 | (size_t) h[2] << 16 | (size_t) h[3] << 8 | h[4];

    if (memchr(known, h[0], sizeof(known)) == NULL)
        return err_set(err, ERR_FAILED, "unknown frame type 0x%02x", h[0]);
    if (n > IPC_PAYLOAD_MAX)
        return err_set(err, ERR_FAILED, "a frame of %zu bytes; at most %d are allowed", n, IPC_PAYLOAD_MAX);
    *ret_type = (enum ipc_type) h[0];
    *ret_n = n;
    return 0;
}

int ipc_put(struct buf *out, enum ipc_type type, const void *payload, size_t n)
{
    unsigned char h[IPC_HEADER];

    if (n > IPC_PAYLOAD_MAX || buf_room(out) < n + IPC_HEADER) {
        out->overflow = true;
        return -1;
    }
    header_put(h, type, n);
    (void) buf_add(out, h, sizeof(h));
    return buf_add(out, payload, n);
}

int ipc_get(const struct buf *in, enum ipc_type *ret_type, const char **ret_payload, size_t *ret_n,
            struct err *err)
{
    enum ipc_type type;
    size_t n;

    if (buf_len(in) < IPC_HEADER)
        return 0;
    if (header_get((const unsigned char *) buf_str(in), &type, &n, err) < 0)
        return -1;
    if (buf_len(in) < IPC_HEADER + n)
        return 0;
    *ret_type = type;
    *ret_payload = buf_str(in) + IPC_HEADER;
    *ret_n = n;
    return 1;
}

int ipc_write(int fd, enum ipc_type type, const void *payload, size_t n, struct err *err)
{
    cleanup_buf struct buf b;

    buf_init(&b, IPC_HEADER + IPC_PAYLOAD_MAX);
    if (ipc_put(&b, type, payload, n) < 0)
        return err_set(err, ERR_FAILED, "a frame of %zu bytes; at most %d are allowed", n, IPC_PAYLOAD_MAX);
    for (size_t at = 0; at < buf_len(&b);) {
        ssize_t done = send(fd, buf_str(&b) + at, buf_len(&b) - at, MSG_NOSIGNAL);

        if (done < 0 && errno != EINTR)
            return err_errno(err, "cannot send");
        if (done > 0)
            at += (size_t) done;
    }
    return 0;
}

/* Exactly n bytes: 1, or 0 where the stream ends before the first of them. */
static int read_full(int fd, void *data, size_t n, struct err *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (char *) data + at, n - at);

        if (got == 0)
            return at == 0 ? 0 : err_set(err, ERR_DOWN, "the stream ended within a frame");
        if (got < 0 && errno != EINTR)
            return err_errno(err, "cannot receive");
        if (got > 0)
            at += (size_t) got;
    }
    return 1;
}

int ipc_read(int fd, enum ipc_type *ret_type, struct buf *payload, struct err *err)
{
    unsigned char h[IPC_HEADER];
    enum ipc_type type;
    char *at;
    size_t n;
    int rc;

    buf_clear(payload);
    rc = read_full(fd, h, sizeof(h), err);
    if (rc <= 0)
        return rc;
    if (header_get(h, &type, &n, err) < 0)
        return -1;
    if (n != 0) {
        at = buf_reserve(payload, n);
        if (at == NULL)
            return err_set(err, ERR_FAILED, "a frame of %zu bytes; room is for %zu", n, payload->max);
        rc = read_full(fd, at, n, err);
        if (rc == 0)
            return err_set(err, ERR_DOWN, "the stream ended within a frame");
        if (rc < 0)
            return -1;
        buf_added(payload, n);
    }
    *ret_type = type;
    return 1;
}
