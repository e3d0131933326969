/* Requests of the Engine API that turn their connection into a stream for both directions. libcurl has no such
 * thing; the engine's side of it is plain HTTP/1.1 on a Unix socket. */
#include "config.h"

#include "deployer/docker/engine.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX (64 * 1024) /* of an answer with an error's document */
#define HEAD_MS 30000        /* an engine under load takes its time to start a command */

static int socket_open(const char *path, struct err *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(a.sun_path))
        return err_set(err, ERR_USAGE, "the Docker engine's socket %s has too long a path", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *) &a, sizeof(a)) < 0) {
        err_errno(err, "the Docker engine at %s does not answer", path);
        if (err != NULL)
            err->code = ERR_DOWN;
        return -1;
    }
    return steal_fd(fd);
}

static int request_send(int fd, int version, const char *path, const json_t *body, struct err *err)
{
    cleanup_free char *text = body != NULL ? json_text(body) : xstrdup("");
    cleanup_free char *all = xasprintf("POST /v1.%d%s HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
                                       "Upgrade: tcp\r\n%sContent-Length: %zu\r\n\r\n%s", version, path,
                                       body != NULL ? "Content-Type: application/json\r\n" : "", strlen(text), text);
    size_t n = strlen(all), done = 0;

    while (done < n) {
        ssize_t k = send(fd, all + done, n - done, MSG_NOSIGNAL);

        if (k < 0 && errno != EINTR)
            return err_errno(err, "the Docker engine takes no request");
        done += k > 0 ? (size_t) k : 0;
    }
    return 0;
}

/* One byte at a time: what follows the head belongs to the stream. */
static int head_read(int fd, struct buf *head, struct err *err)
{
    while (buf_len(head) < 4 || strcmp(buf_str(head) + buf_len(head) - 4, "\r\n\r\n") != 0) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char c;
        int ready = poll(&p, 1, HEAD_MS);
        ssize_t n = ready > 0 ? read(fd, &c, 1) : -1;

        if (ready < 0 && errno == EINTR)
            continue;
        if (n <= 0 || buf_addch(head, c) < 0)
            return err_set(err, ERR_DOWN, "the Docker engine does not answer as expected");
    }
    return 0;
}

/* The document behind the head of a refusal: to the connection's end, or to what is allowed. */
static void rest_read(int fd, struct buf *rest)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char *at;

    while ((at = buf_reserve(rest, 1024)) != NULL && poll(&p, 1, 1000) == 1) {
        ssize_t n = read(fd, at, 1024);

        if (n <= 0)
            return;
        buf_added(rest, (size_t) n);
        if (strchr(buf_str(rest), '}') != NULL)
            return;
    }
}

int engine_hijack(struct engine *e, const char *path, const json_t *body, struct err *err)
{
    const char *name, *at;
    int version = engine_version(e, &name, err), flags;
    cleanup_close int fd = version < 0 ? -1 : socket_open(name, err);
    cleanup_buf struct buf head, rest;
    long status;

    buf_init(&head, HEAD_MAX);
    buf_init(&rest, HEAD_MAX);
    if (fd < 0 || request_send(fd, version, path, body, err) < 0 || head_read(fd, &head, err) < 0)
        return -1;
    status = strncmp(buf_str(&head), "HTTP/1.", 7) == 0 ? strtol(buf_str(&head) + 8, NULL, 10) : 0;
    if (status != 101 && status != 200) {
        rest_read(fd, &rest);
        at = strchr(buf_str(&rest), '{'); /* behind the length, where it comes in chunks */
        return engine_refused(status, at != NULL ? at : "", at != NULL ? strcspn(at, "}") + 1 : 0, err);
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_errno(err, "the connection to the Docker engine");
    return steal_fd(fd);
}
