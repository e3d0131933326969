#include "config.h"

#include "deployer/docker/router.h"

#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "deployer/docker/certificates.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/un.h>
#include <unistd.h>

#define FOLDER_MODE 02770    /* the deployer writes, Caddy reads, and makes its socket */
#define FILE_MODE 0660
#define ROUTE_MAX 65536      /* a route's document has some 100 bytes, and its domains */
#define CONFIG_MAX (16 * 1024 * 1024) /* 30 KiB for each of some hundred apps */
#define START_MS 8000        /* until Caddy, just started, answers; shorter than a lease */
#define ANSWER_MS 10000      /* a change takes milliseconds */
#define LISTEN_AGAIN_MS 100  /* between the socket's appearance and its listening lies an instant without an event */

static const char *const folders[] = { "run/docker", "run/docker/routes", "run/docker/sets", "run/docker/requests",
                                       "run/docker/maintenance", "run/docker/certs", ISSUANCE_FOLDER };

static int folders_make(const struct conf *c, struct err *err)
{
    for (size_t i = 0; i < countof(folders); i++) {
        cleanup_free char *path = conf_state_path(c, "%s", folders[i]);

        if (path_mkdir(path, FOLDER_MODE, err) < 0)
            return -1;
    }
    return 0;
}

/* Who changes the routes, one at a time; closing the descriptor ends it. */
static int lock_take(const struct conf *c, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "run/docker/router.lock");
    int fd;

    if (folders_make(c, err) < 0)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno == EINTR)
            continue;
        err_errno(err, "cannot lock %s", path);
        (void) close(fd);
        return -1;
    }
    return fd;
}

/* A file that says something by being there. */
static int flag_make(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

    if (fd < 0)
        return err_errno(err, "cannot make %s", path);
    (void) close(fd);
    return 0;
}

static int flag_clear(const char *path, struct err *err)
{
    return unlink(path) < 0 && errno != ENOENT ? err_errno(err, "cannot remove %s", path) : 0;
}

int router_maintenance(const struct conf *c, const char *app, bool on, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "run/docker/maintenance/%s", app);

    if (folders_make(c, err) < 0)
        return -1;
    return on ? flag_make(path, err) : flag_clear(path, err);
}

/* --- certificates */

static char *certificate_path(const struct conf *c, const char *app, const char *hash)
{
    return conf_state_path(c, "run/docker/certs/%s.%s", app, hash);
}

int router_certificate_put(const struct conf *c, const char *app, const struct certificate *v, struct err *err)
{
    cleanup_free char *path = certificate_path(c, app, v->hash), *text = NULL;
    int rc;

    if (folders_make(c, err) < 0)
        return -1;
    if (path_exists(path))
        return 0;
    text = xasprintf("%s%s", v->chain, v->key);
    rc = path_write(path, text, strlen(text), FILE_MODE, err);
    sodium_memzero(text, strlen(text));
    return rc;
}

/* Removes the app's, but the one with this hash (NULL: all). */
static int certificates_clear(const struct conf *c, const char *app, const char *keep, struct err *err)
{
    cleanup_free char *folder = conf_state_path(c, "run/docker/certs");
    size_t n = strlen(app);
    DIR *d = opendir(folder);
    struct dirent *e;
    int rc = 0;

    if (d == NULL)
        return err_errno(err, "cannot read %s", folder);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        cleanup_free char *path = NULL;

        if (strncmp(e->d_name, app, n) != 0 || e->d_name[n] != '.' || (keep != NULL && strcmp(e->d_name + n + 1, keep) == 0))
            continue;
        path = xasprintf("%s/%s", folder, e->d_name);
        rc = flag_clear(path, err);
    }
    (void) closedir(d);
    return rc;
}

/* Caddy would refuse all of its configuration where one is missing. The route's file then says what Caddy has, so that the
 * reconciler sees what it lacks. */
static int certificate_find(const struct conf *c, struct route *r, struct err *err)
{
    cleanup_free char *path = NULL, *file = conf_state_path(c, "run/docker/routes/%s", r->app), *text = NULL;
    json_auto_t *doc = NULL;

    if (r->certificate == NULL)
        return 0;
    path = certificate_path(c, r->app, r->certificate);
    if (path_exists(path))
        return 0;
    log_warn("the certificate of %s is not there and is written anew", r->app);
    free(r->certificate);
    r->certificate = NULL;
    doc = route_json(r);
    text = json_text(doc);
    return path_write(file, text, strlen(text), FILE_MODE, err);
}

/* --- which set is live */

static char *set_path(const struct conf *c, const char *app, int set)
{
    return conf_state_path(c, "run/docker/sets/%s.%d", app, set);
}

int router_live_set(const struct conf *c, const char *app)
{
    for (int s = SETS - 1; s > 0; s--) {
        cleanup_free char *path = set_path(c, app, s);

        if (path_exists(path))
            return s;
    }
    return 0;
}

static int set_clear(const struct conf *c, const char *app, int set, struct err *err)
{
    cleanup_free char *path = set_path(c, app, set);

    return set > 0 ? flag_clear(path, err) : 0;
}

/* Caddy looks for the files one after the other, from the highest on. So that it sees the old set or the new one
 * at each moment, exactly one file decides: the new set's, where it is higher, or else the old set's. */
int router_switch(const struct conf *c, const char *app, int set, struct err *err)
{
    int live = router_live_set(c, app);

    if (set == live)
        return 0;
    for (int s = set + 1; s < live; s++)
        if (set_clear(c, app, s, err) < 0)
            return -1;
    if (set > 0) {
        cleanup_free char *path = set_path(c, app, set);

        if (flag_make(path, err) < 0)
            return -1;
    }
    return set < live ? set_clear(c, app, live, err) : 0;
}

/* --- routes */

static char *route_path(const struct conf *c, const char *app)
{
    return conf_state_path(c, "run/docker/routes/%s", app);
}

int router_route_get(const struct conf *c, const char *app, struct route *ret, struct err *err)
{
    cleanup_free char *path = route_path(c, app);
    json_auto_t *doc = NULL;
    cleanup_buf struct buf b;

    buf_init(&b, ROUTE_MAX);
    if (path_read(path, &b, err) < 0)
        return -1;
    doc = json_parse(buf_str(&b), buf_len(&b), path, err);
    return doc != NULL ? route_read(doc, ret, err) : -1;
}

struct routes { struct route *v; size_t n; };

static void routes_release(struct routes *all)
{
    for (size_t i = 0; i < all->n; i++)
        route_release(&all->v[i]);
    free(all->v);
}

static void routes_add(struct routes *all, const struct route *r)
{
    struct app names = route_names(r);

    all->v = xrealloc_n(all->v, all->n + 1, sizeof(*all->v));
    all->v[all->n] = *r;
    all->v[all->n].app = xstrdup(r->app);
    all->v[all->n].name = all->v[all->n].certificate = NULL;
    all->v[all->n].domains = (struct vec) VEC_INIT;
    route_names_set(&all->v[all->n++], &names);
}

static int by_app(const void *a, const void *b)
{
    return strcmp(((const struct route *) a)->app, ((const struct route *) b)->app);
}

/* The routes, without those of two apps (NULL: of none). One that can't be read is left out: its app's next release writes
 * it anew. */
static int routes_read(const struct conf *c, const char *one, const char *other, struct routes *all, struct err *err)
{
    cleanup_free char *folder = conf_state_path(c, "run/docker/routes");
    struct dirent *e;
    DIR *d = opendir(folder);

    if (d == NULL)
        return err_errno(err, "cannot read %s", folder);
    while ((e = readdir(d)) != NULL) {
        struct err why = ERR_INIT;
        struct route r;

        if (app_name_check(e->d_name, NULL) < 0 || (one != NULL && strcmp(e->d_name, one) == 0) ||
            (other != NULL && strcmp(e->d_name, other) == 0))
            continue;
        if (router_route_get(c, e->d_name, &r, &why) < 0) {
            log_warn("the route of %s: %s", e->d_name, why.msg);
            continue;
        }
        routes_add(all, &r);
        route_release(&r);
    }
    (void) closedir(d);
    return 0;
}

int router_hosts(const struct conf *c, struct vec *ret, struct err *err)
{
    struct routes all = { 0 };

    if (routes_read(c, NULL, NULL, &all, err) < 0)
        return -1;
    for (size_t i = 0; i < all.n; i++)
        router_hosts_of(c, all.v[i].name, &all.v[i].domains, ret);
    routes_release(&all);
    return 0;
}

/* All routes, with `changed` in the place of its app's (NULL: none), without `left_out`. */
static int routes_load(const struct conf *c, const struct route *changed, const char *left_out, struct routes *ret,
                       struct err *err)
{
    struct routes all = { 0 };

    if (routes_read(c, changed != NULL ? changed->app : NULL, left_out, &all, err) < 0)
        return -1;
    if (changed != NULL)
        routes_add(&all, changed);
    for (size_t i = 0; i < all.n; i++) {
        if (certificate_find(c, &all.v[i], err) < 0) {
            routes_release(&all);
            return -1;
        }
    }
    if (all.n > 0)
        qsort(all.v, all.n, sizeof(*all.v), by_app);
    *ret = all;
    return 0;
}

/* Writes the configuration; locked. */
static int config_write(const struct conf *c, const struct route *changed, const char *left_out, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "run/docker/caddy.json"), *text = NULL;
    json_auto_t *doc = NULL;
    struct routes all;

    if (routes_load(c, changed, left_out, &all, err) < 0)
        return -1;
    doc = router_render(c, all.v, all.n);
    routes_release(&all);
    text = json_text(doc);
    return path_write(path, text, strlen(text), FILE_MODE, err);
}

int router_prepare(const struct conf *c, struct err *err)
{
    cleanup_free char *admin = conf_state_path(c, "run/docker/admin.sock");
    cleanup_close int lock = -1;

    if (strlen(admin) >= sizeof(((struct sockaddr_un *) 0)->sun_path))
        return err_set(err, ERR_USAGE, "%s is too long a path for a socket: choose a shorter state folder", admin);
    lock = lock_take(c, err);
    return lock < 0 ? -1 : config_write(c, NULL, NULL, err);
}

/* --- Caddy */

static int load_once(struct http *h, const char *config, size_t n, struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "POST", .url = "http://localhost/load", .headers = &headers, .body = config,
                              .body_len = n, .timeout_ms = ANSWER_MS };
    struct http_response r;
    int rc;

    vec_addl(&headers, "Content-Type: application/json", "Origin: http://localhost", NULL);
    http_response_init(&r);
    rc = http_do(h, &q, &r, err);
    if (rc == 0 && r.status != 200)
        rc = err_set(err, ERR_FAILED, "the router refuses its configuration (%ld): %.300s", r.status,
                     buf_str(&r.body));
    http_response_release(&r);
    return rc;
}

/* Waits until something in Caddy's folder changes, its socket perhaps. */
static void folder_wait(int fd, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char scratch[4096];

    (void) poll(&p, 1, timeout_ms < LISTEN_AGAIN_MS ? timeout_ms : LISTEN_AGAIN_MS);
    while (read(fd, scratch, sizeof(scratch)) > 0)
        ;
}

int router_load(const struct conf *c, struct err *err)
{
    cleanup_free char *folder = conf_state_path(c, "run/docker"), *path = xasprintf("%s/caddy.json", folder);
    cleanup_free char *admin = xasprintf("%s/admin.sock", folder);
    struct http_options o = { .unix_socket = admin };
    cleanup_close int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    uint64_t until = loop_now() + START_MS;
    cleanup_buf struct buf config;
    struct http *h;
    int rc;

    buf_init(&config, CONFIG_MAX);
    if (watch < 0 || inotify_add_watch(watch, folder, IN_CREATE | IN_MOVED_TO) < 0)
        return err_errno(err, "cannot watch %s", folder);
    if (path_read(path, &config, err) < 0)
        return -1;
    h = http_new(&o, err);
    if (h == NULL)
        return -1;
    for (;;) {
        struct err why = ERR_INIT;
        uint64_t now;

        rc = load_once(h, buf_str(&config), buf_len(&config), &why);
        now = loop_now();
        if (rc == 0 || why.code != ERR_DOWN || now >= until) {
            if (rc < 0 && why.code == ERR_DOWN)
                (void) err_wrap(&why, "the router (Caddy) does not answer");
            if (rc < 0 && err != NULL)
                *err = why;
            break;
        }
        folder_wait(watch, (int) (until - now));
    }
    http_free(h);
    return rc;
}

int router_route_put(const struct conf *c, const struct route *r, struct err *err)
{
    cleanup_free char *path = route_path(c, r->app), *text = NULL;
    json_auto_t *doc = route_json(r), *old = NULL;
    cleanup_close int lock = lock_take(c, err);
    struct route before;

    if (lock < 0)
        return -1;
    if (router_route_get(c, r->app, &before, NULL) == 0) {
        old = route_json(&before);
        route_release(&before);
        if (json_equal(old, doc))
            return 0;
    }
    text = json_text(doc);
    /* The route's own file comes last: where this is cut off, it is done again. */
    if (config_write(c, r, NULL, err) < 0 || router_load(c, err) < 0 ||
        path_write(path, text, strlen(text), FILE_MODE, err) < 0)
        return -1;
    return certificates_clear(c, r->app, r->certificate, err);
}

int router_route_remove(const struct conf *c, const char *app, struct err *err)
{
    cleanup_free char *path = route_path(c, app);
    cleanup_close int lock = lock_take(c, err);

    if (lock < 0)
        return -1;
    if (path_exists(path)) {
        if (config_write(c, NULL, app, err) < 0 || router_load(c, err) < 0)
            return -1;
        if (unlink(path) < 0 && errno != ENOENT)
            return err_errno(err, "cannot remove %s", path);
    }
    for (int s = 1; s < SETS; s++)
        if (set_clear(c, app, s, err) < 0)
            return -1;
    if (certificates_clear(c, app, NULL, err) < 0)
        return -1;
    return router_maintenance(c, app, false, err);
}
