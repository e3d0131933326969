#include "config.h"

#include "deployer/docker/requests.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/docker/docker.h"
#include "deployer/log_lines.h"
#include "deployer/rfc3339.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "run/docker/requests"
#define ROLL_MIB 10               /* of a file; there are two */
#define KEEP_DAYS 7               /* an address is a person's: no longer than is of use */
#define LINE_MAX_BYTES (64 * 1024) /* a path may have some KiB */
#define LINES_SPARE 1000          /* over those that are asked for, before they are sorted out */

json_t *requests_log(const struct conf *c)
{
    cleanup_free char *path = conf_state_path(c, REQUESTS_FILE);

    /* What follows the path's ? is often a token, headers are: neither is kept. */
    return json_pack("{s:{s:s, s:s, s:i, s:i, s:i, s:b}, s:{s:s, s:{s:s}, s:{s:{s:s}, s:{s:s}, s:{s:s, s:s, s:s}}},"
                     " s:[s]}", "writer", "output", "file", "filename", path, "roll_size_mb", ROLL_MIB, "roll_keep", 1,
                     "roll_keep_days", KEEP_DAYS, "roll_gzip", 0, "encoder", "format", "filter", "wrap", "format",
                     "json", "fields", "request>headers", "filter", "delete", "resp_headers", "filter", "delete",
                     "request>uri", "filter", "regexp", "regexp", "\\?.*", "value", "", "include", "http.log.access");
}

/* "Shop.localhost:8080" is shop.localhost. */
static bool is_one_of(const char *host, const struct vec *hosts)
{
    size_t n = strcspn(host, ":");

    for (size_t i = 0; i < hosts->n; i++)
        if (strlen(hosts->v[i]) == n && strncasecmp(hosts->v[i], host, n) == 0)
            return true;
    return false;
}

char *requests_line(const char *line, size_t n, const struct vec *hosts)
{
    json_auto_t *doc = json_parse(line, n, "a request", NULL);
    const char *host = json_str(doc, "request.host", NULL);
    const json_t *request = json_object_get(doc, "request");
    char when[RFC3339_SIZE];
    cleanup_free char *path = NULL;
    json_auto_t *uri = NULL;

    if (host == NULL || !is_one_of(host, hosts))
        return NULL;
    uri = json_string(json_str(request, "uri", ""));
    path = json_dumps(uri, JSON_ENCODE_ANY);
    rfc3339_format((int64_t) (json_number_value(json_object_get(doc, "ts")) * 1000), when);
    return xasprintf("%s at=info method=%s path=%s host=%.*s fwd=\"%s\" service=%.0fms status=%lld bytes=%lld protocol=%s",
                     when, json_str(request, "method", "-"), path, (int) strcspn(host, ":"), host,
                     json_str(request, "remote_ip", ""), json_number_value(json_object_get(doc, "duration")) * 1000,
                     json_int(doc, "status", 0), json_int(doc, "size", 0),
                     json_object_get(request, "tls") != NULL ? "https" : "http");
}

/* --- reading them */

struct requests {
    const struct target_logs *query;
    struct vec hosts;
    struct log_lines lines;
    struct log_cursor cursor;
    struct demux demux;
    char *folder, *path;
    int64_t since_ns;
    int fd;                  /* the newest file */
    bool past;               /* what there was before is being read: no more of it than is asked for is kept */
};

static void on_line(void *arg, int stream, const char *line, size_t n)
{
    struct requests *r = arg;
    cleanup_free char *text = requests_line(line, n, &r->hosts);
    int64_t ns;

    (void) stream;
    if (text == NULL || rfc3339_parse(text, strlen(text), &ns) == 0 || ns < r->since_ns)
        return;
    log_lines_take(&r->lines, &r->cursor, "router", text, strlen(text));
    if (r->past && r->lines.n > (size_t) log_lines_asked(r->query->tail) + LINES_SPARE)
        log_lines_last(&r->lines, (size_t) log_lines_asked(r->query->tail));
}

static int file_read(struct requests *r, int fd, struct err *err)
{
    char piece[65536];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno != EINTR)
            return err_errno(err, "cannot read what the router has seen");
        if (n > 0 && demux_feed(&r->demux, piece, (size_t) n, err) < 0)
            return -1;
    }
    return 0;
}

static int file_open(struct requests *r, struct err *err)
{
    int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_errno(err, "cannot open %s", r->path);
    if (r->fd >= 0)
        (void) close(r->fd);
    r->fd = fd;
    return 0;
}

/* True where the path is another file than the one that is open. */
static bool file_is_other(const struct requests *r)
{
    struct stat open_, named;

    return fstat(r->fd, &open_) == 0 && stat(r->path, &named) == 0 && open_.st_ino != named.st_ino;
}

static int is_before(const struct dirent *e)
{
    return strncmp(e->d_name, "requests-", strlen("requests-")) == 0;
}

static int before_read(struct requests *r, const char *name, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", r->folder, name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat newest, this;

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot open %s", path);
    /* It may have been the newest when that was opened. */
    if (fstat(fd, &this) == 0 && fstat(r->fd, &newest) == 0 && this.st_ino == newest.st_ino)
        return 0;
    return file_read(r, fd, err);
}

static int history(struct requests *r, struct err *err)
{
    struct dirent **v = NULL;
    int n, rc = file_open(r, err);

    if (rc < 0)
        return -1;
    n = scandir(r->folder, &v, is_before, alphasort);
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = before_read(r, v[i]->d_name, err);
        free(v[i]);
    }
    free(v);
    return rc == 0 ? file_read(r, r->fd, err) : -1;
}

/* What is there now; also of a file that has taken the place of this one. */
static int news(struct requests *r, struct err *err)
{
    int rc = file_read(r, r->fd, err);

    if (rc == 0 && file_is_other(r)) {
        rc = file_read(r, r->fd, err); /* what came between the two */
        if (rc == 0)
            rc = file_open(r, err);
        if (rc == 0)
            rc = file_read(r, r->fd, err);
    }
    return rc;
}

static int follow(struct requests *r, int watch, int fd, struct err *err)
{
    struct pollfd p[] = { { .fd = watch, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
    char scratch[4096];
    int rc = 0;

    while (rc == 0) {
        rc = news(r, err);
        if (rc == 0)
            rc = log_lines_write(&r->lines, fd, err);
        if (rc == 0 && poll(p, countof(p), -1) < 0 && errno != EINTR)
            rc = err_errno(err, "cannot wait for requests");
        while (read(watch, scratch, sizeof(scratch)) > 0)
            ;
        if (rc == 0 && p[1].revents != 0 && log_peer_gone(fd))
            rc = 1;
    }
    return rc;
}

int docker_requests(struct target *t, const struct app *app, const struct target_logs *q, const struct target_stream *io,
                    struct err *err)
{
    cleanup_close int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct requests r = { .query = q, .fd = -1, .hosts = VEC_INIT, .past = true };
    int rc;

    r.folder = conf_state_path(t->conf, FOLDER);
    r.path = conf_state_path(t->conf, REQUESTS_FILE);
    router_hosts_of(t->conf, app->name, &app->domains, &r.hosts);
    r.since_ns = q->since_s > 0 ? ((int64_t) time(NULL) - q->since_s) * 1000000000 : 0;
    demux_init(&r.demux, DEMUX_LINES, LINE_MAX_BYTES, on_line, &r);
    rc = watch < 0 || inotify_add_watch(watch, r.folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0
       ? err_errno(err, "cannot watch %s", r.folder) : history(&r, err);
    if (rc == 0)
        log_lines_cut(&r.lines, q->tail);
    r.past = false;
    if (rc == 0)
        rc = log_lines_write(&r.lines, io->fd, err);
    if (rc == 0 && q->follow)
        rc = follow(&r, watch, io->fd, err);
    if (r.fd >= 0)
        (void) close(r.fd);
    demux_release(&r.demux);
    log_lines_release(&r.lines);
    vec_release(&r.hosts);
    free(r.folder);
    free(r.path);
    return rc < 0 ? -1 : 0;
}
