#include "config.h"

#include "daemon/listen.h"

#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A killed supervisor's listener ends a moment after it, and nothing tells when the port is free. */
#define BIND_TRIES 40
#define BIND_AGAIN_MS 50

static int bind_and_listen(int fd, const struct addrinfo *a)
{
    int rc = bind(fd, a->ai_addr, a->ai_addrlen);

    for (int i = 0; rc < 0 && errno == EADDRINUSE && i < BIND_TRIES; i++) {
        (void) poll(NULL, 0, BIND_AGAIN_MS);
        rc = bind(fd, a->ai_addr, a->ai_addrlen);
    }
    return rc < 0 ? -1 : listen(fd, SOMAXCONN);
}

int listen_open(const char *address, int port, struct err *err)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found;
    char service[16];
    const int on = 1, off = 0;
    cleanup_close int fd = -1;
    int rc, family;

    (void) snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_USAGE, "[ssh] listen: \"%s\" is not an IP address", address);
    family = found->ai_family;
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && family == AF_INET6 && strcmp(address, "::") == 0) {
        freeaddrinfo(found);
        return listen_open("0.0.0.0", port, err);
    }
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
        || (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        || bind_and_listen(fd, found) < 0) {
        err_errno(err, "cannot listen on %s port %d", address, port);
        freeaddrinfo(found);
        return -1;
    }
    freeaddrinfo(found);
    return steal_fd(fd);
}
