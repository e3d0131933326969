#include "config.h"

#include "daemon/listen.h"

#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
        || bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
        err_errno(err, "cannot listen on %s port %d", address, port);
        freeaddrinfo(found);
        return -1;
    }
    freeaddrinfo(found);
    return steal_fd(fd);
}
