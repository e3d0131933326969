#include "config.h"

#include "deployer/log_join.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES 10                       /* a reader may end, or another may start one, while one comes */
#define MARKS_MAX (16 * 1024 * 1024)

static char *socket_path(const struct log_place *p)
{
    return conf_state_path(p->conf, "run/logs-%" PRId64 "-%s.sock", p->app_id, p->target);
}

int log_place_listen(const struct log_place *p, int *ret_lock, struct err *err)
{
    /* One file for all: each has a byte of it. The lock ends with the process. */
    struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
                       .l_start = (off_t) p->app_id * LOG_TARGETS_MAX + p->number };
    cleanup_free char *path = conf_state_path(p->conf, "run/logs.lock"), *name = socket_path(p);
    cleanup_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int fd;

    if (lock < 0)
        return err_errno(err, "cannot open %s", path);
    if (fcntl(lock, F_OFD_SETLK, &l) < 0)
        return errno == EAGAIN || errno == EACCES ? err_set(err, ERR_BUSY, "the logs have a reader")
                                                  : err_errno(err, "cannot lock %s", path);
    fd = ipc_listen(name, err);
    if (fd >= 0)
        *ret_lock = steal_fd(lock);
    return fd;
}

void log_place_leave(const struct log_place *p)
{
    cleanup_free char *name = socket_path(p);

    (void) unlink(name);
}

/* What comes up to the result. 1; 0: the other one ended. */
static int answer_read(int fd, struct buf *text, struct buf *ret_result, struct err *err)
{
    cleanup_buf struct buf payload;
    enum ipc_type type = IPC_STDIN;
    int rc;

    buf_init(&payload, IPC_PAYLOAD_MAX);
    while ((rc = ipc_read(fd, &type, &payload, err)) == 1 && type == IPC_STDOUT)
        if (buf_add(text, buf_str(&payload), buf_len(&payload)) < 0)
            return err_set(err, ERR_FAILED, "the answer is too long");
    if (rc == 1 && buf_add(ret_result, buf_str(&payload), buf_len(&payload)) < 0)
        return err_set(err, ERR_FAILED, "the answer is too long");
    return rc;
}

/* Asks for a reader as a session asks for a stream (deployer/stream.h). That there is one meanwhile is fine. */
static int reader_start(const struct log_place *p, struct err *err)
{
    cleanup_free char *path = conf_state_path(p->conf, "run/deployer.sock"), *text = NULL;
    json_auto_t *request = json_pack("{s:s, s:I, s:s}", "op", "follow", "app_id", (json_int_t) p->app_id, "target",
                                     p->target);
    json_auto_t *doc = NULL;
    cleanup_close int fd = ipc_connect(path, err);
    cleanup_buf struct buf none;
    struct buf result;
    int rc;

    buf_init(&none, 1);
    if (fd < 0)
        return -1;
    buf_init(&result, IPC_PAYLOAD_MAX);
    text = json_text(request);
    (void) ipc_write(fd, IPC_REQUEST, text, strlen(text), NULL);
    rc = answer_read(fd, &none, &result, err);
    if (rc == 1)
        doc = json_parse(buf_str(&result), buf_len(&result), "the reader's answer", err);
    buf_release(&result);
    if (rc == 0)
        return err_set(err, ERR_DOWN, "what reads the logs ended at its start; try again");
    if (doc == NULL)
        return -1;
    return json_int(doc, "code", ERR_FAILED) == 0 ? 0
         : err_set(err, (enum err_code) json_int(doc, "code", ERR_FAILED), "%s", json_str(doc, "error", "failed"));
}

/* 1; 0: it ended meanwhile. */
static int reader_ask(int fd, const char *only, struct log_marks *marks, struct err *err)
{
    json_auto_t *request = json_pack("{s:s?}", "only", only), *doc = NULL;
    cleanup_free char *text = json_text(request);
    cleanup_buf struct buf b, result;
    int rc;

    buf_init(&b, MARKS_MAX);
    buf_init(&result, IPC_PAYLOAD_MAX);
    if (ipc_write(fd, IPC_REQUEST, text, strlen(text), NULL) < 0)
        return 0;
    rc = answer_read(fd, &b, &result, NULL);
    if (rc <= 0)
        return 0;
    doc = json_parse(buf_str(&b), buf_len(&b), "how far the logs were read", err);
    return doc != NULL && log_marks_read(doc, marks, err) == 0 ? 1 : -1;
}

int log_join(const struct log_place *p, const char *only, struct log_marks *marks, struct err *err)
{
    cleanup_free char *path = socket_path(p);

    for (int i = 0; i < TRIES; i++) {
        cleanup_close int fd = ipc_connect(path, NULL);
        int rc = fd >= 0 ? reader_ask(fd, only, marks, err) : 0;

        if (rc != 0)
            return rc < 0 ? -1 : steal_fd(fd);
        if (reader_start(p, err) < 0)
            return -1;
    }
    return err_set(err, ERR_BUSY, "the logs are just being opened by others; try again in a moment");
}

int log_join_hand(int fd, int session, struct err *err)
{
    union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } control = { .space = { 0 } };
    char byte = 0;
    struct iovec io = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &session, sizeof(session));
    if (sendmsg(fd, &m, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1)
        return 0;
    return err_set(err, ERR_DOWN, "what reads the logs has ended; try again");
}
