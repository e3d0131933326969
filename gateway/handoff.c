#include "config.h"

#include "gateway/handoff.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define BYTE_CONNECTION 'c'

union fd_message {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int handoff_send(int sock, int fd, struct err *err)
{
    char byte = BYTE_CONNECTION;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    union fd_message u;
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.bytes,
                        .msg_controllen = sizeof(u.bytes) };
    struct cmsghdr *h;

    memset(&u, 0, sizeof(u));
    h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    while (sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EINTR)
            return err_errno(err, "cannot hand a connection to its session");
    }
    return 0;
}

int handoff_receive(int sock, struct err *err)
{
    char byte = 0;
    struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
    union fd_message u;
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.bytes,
                        .msg_controllen = sizeof(u.bytes) };
    struct cmsghdr *h;
    ssize_t n;
    int fd;

    do
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(err, "cannot receive a connection");
    if (n == 0)
        return -1;
    h = CMSG_FIRSTHDR(&m);
    if (byte != BYTE_CONNECTION || h == NULL || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
        h->cmsg_len != CMSG_LEN(sizeof(int)))
        return err_set(err, ERR_FAILED, "the listener sent something that is no connection");
    memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

void handoff_tell(int sock, enum handoff_news news)
{
    char byte = (char) news;

    (void) !send(sock, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum handoff_news handoff_read(int sock, bool *ret_closed)
{
    char byte = 0;
    ssize_t n;

    do
        n = recv(sock, &byte, 1, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    *ret_closed = n == 0 || (n < 0 && errno != EAGAIN);
    if (n == 1 && (byte == HANDOFF_RECEIVED || byte == HANDOFF_AUTHENTICATED))
        return (enum handoff_news) byte;
    return HANDOFF_NONE;
}
