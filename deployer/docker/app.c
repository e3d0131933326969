#include "config.h"

#include "deployer/docker/docker.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_AGAIN_MS 100    /* a lock has no event, and the caller's lease must be kept while waiting */
#define NETWORK_TRIES 16     /* other releases take networks at the same time */

bool app_lives_elsewhere(const struct app *a)
{
    return a->target[0] != '\0' && strcmp(a->target, target_docker.name) != 0;
}

/* --- the lock */

void app_unlock(struct target *t)
{
    if (t->lock >= 0)
        (void) close(t->lock);
    t->lock = -1;
    free(t->locked);
    t->locked = NULL;
}

int app_lock(struct target *t, const char *app, bool wait, struct err *err)
{
    cleanup_free char *folder = conf_state_path(t->conf, "run/docker"), *path = xasprintf("%s/lock.%s", folder, app);
    cleanup_close int fd = -1;

    if (t->locked != NULL && strcmp(t->locked, app) == 0)
        return 0;
    app_unlock(t);
    if (path_mkdir(folder, 02770, err) < 0)
        return -1;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(err, "cannot lock %s", path);
        if (!wait)
            return err_set(err, ERR_BUSY, "another process changes what %s runs", app);
        if (engine_wait(t->engine, LOCK_AGAIN_MS, -1, NULL, err) < 0)
            return -1;
    }
    t->lock = steal_fd(fd);
    t->locked = xstrdup(app);
    return 0;
}

/* --- queries */

char *app_query(const struct conf *c, const char *path, const char *app, const char *type, const char *more)
{
    json_auto_t *filters = json_object();
    json_t *labels = json_array();
    cleanup_free char *text = NULL, *escaped = NULL;

    json_array_append_new(labels, json_sprintf(LABEL_STATE "=%s", c->state));
    if (app != NULL)
        json_array_append_new(labels, json_sprintf(LABEL_APP "=%s", app));
    json_object_set_new(filters, "label", labels);
    if (type != NULL)
        json_object_set_new(filters, "type", json_pack("[s]", type));
    text = json_text(filters);
    escaped = http_escape(text);
    return xasprintf("%s?filters=%s%s", path, escaped, more);
}

int app_containers(struct target *t, const char *app, struct containers *ret, struct err *err)
{
    cleanup_free char *path = app_query(t->conf, "/containers/json", app, NULL, "&all=1");
    json_auto_t *list = NULL;

    if (engine_do(t->engine, "GET", path, NULL, &list, err) < 0)
        return -1;
    containers_read(list, t->conf->state, ret);
    return 0;
}

/* --- the network */

char *app_network_name(const struct conf *c, const char *app)
{
    return xasprintf("%s%s", c->container_prefix, app);
}

static const char *network_subnet(const json_t *network)
{
    return json_str(json_array_get(json_at(network, "IPAM.Config"), 0), "Subnet", "");
}

/* What the engine's networks use; IPv6 and networks without addresses are none. */
static size_t used_read(const json_t *list, struct subnet **ret)
{
    size_t i, k, n = 0;
    json_t *network, *config;

    *ret = NULL;
    json_array_foreach(list, i, network) {
        json_array_foreach(json_at(network, "IPAM.Config"), k, config) {
            struct subnet s;

            if (subnet_parse(json_str(config, "Subnet", ""), &s, NULL) < 0)
                continue;
            *ret = xrealloc_n(*ret, n + 1, sizeof(**ret));
            (*ret)[n++] = s;
        }
    }
    return n;
}

/* Adds what interfaces of this machine use: a bridge that an engine left, a VPN. Their routes would take our
 * containers' packets. Wider ones do not: ours are more exact. */
static size_t used_here(size_t n, struct subnet **used)
{
    struct ifaddrs *all;

    if (getifaddrs(&all) < 0)
        return n;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        struct subnet s;

        if (i->ifa_addr == NULL || i->ifa_netmask == NULL || i->ifa_addr->sa_family != AF_INET)
            continue;
        s = subnet_of(ntohl(((const struct sockaddr_in *) (const void *) i->ifa_addr)->sin_addr.s_addr),
                      ntohl(((const struct sockaddr_in *) (const void *) i->ifa_netmask)->sin_addr.s_addr));
        if (s.bits < SUBNET_BITS)
            continue;
        *used = xrealloc_n(*used, n + 1, sizeof(**used));
        (*used)[n++] = s;
    }
    freeifaddrs(all);
    return n;
}

static json_t *network_body(const struct conf *c, const char *app, const char *name, const struct subnet *s)
{
    struct subnet dynamic = subnet_dynamic(s);
    cleanup_free char *subnet = subnet_text(s), *range = subnet_text(&dynamic), *gateway = subnet_address(s, 1);

    return json_pack("{s:s, s:s, s:b, s:{s:s, s:s}, s:{s:s, s:[{s:s, s:s, s:s}]}}", "Name", name, "Driver", "bridge",
                     "CheckDuplicate", 1, "Labels", LABEL_STATE, c->state, LABEL_APP, app, "IPAM", "Driver", "default",
                     "Config", "Subnet", subnet, "IPRange", range, "Gateway", gateway);
}

static int network_make(struct target *t, const char *app, const char *name, struct subnet *ret, struct err *err)
{
    struct subnet range, *used = NULL;
    json_auto_t *list = NULL;
    size_t n;
    int rc = -1;

    if (subnet_parse(t->conf->subnets, &range, err) < 0)
        return err_wrap(err, "[docker] subnets");
    if (engine_do(t->engine, "GET", "/networks", NULL, &list, err) < 0)
        return -1;
    n = used_here(used_read(list, &used), &used);
    for (int i = 0; rc < 0; i++) {
        json_auto_t *body = NULL;
        struct err why = ERR_INIT;

        if (!subnet_pick(&range, used, n, ret)) {
            err_set(err, ERR_FAILED, "no /%d of [docker] subnets = %s is free: give it a larger range", SUBNET_BITS,
                    t->conf->subnets);
            break;
        }
        body = network_body(t->conf, app, name, ret);
        rc = engine_do(t->engine, "POST", "/networks/create", body, NULL, &why);
        if (rc == 0)
            break;
        /* Taken since the list was read. */
        if (strstr(why.msg, "overlap") == NULL || i == NETWORK_TRIES) {
            *err = why;
            err_wrap(err, "the network %s can't be made", name);
            break;
        }
        used = xrealloc_n(used, n + 1, sizeof(*used));
        used[n++] = *ret;
    }
    free(used);
    return rc;
}

/* 1: it is there, 0: it is not, -1: it is not ours. */
static int network_get(struct target *t, const char *app, const char *name, struct subnet *ret, struct err *err)
{
    cleanup_free char *path = xasprintf("/networks/%s", name);
    json_auto_t *live = NULL;
    struct err why = ERR_INIT;
    const json_t *labels;
    const char *state, *of;

    if (engine_do(t->engine, "GET", path, NULL, &live, &why) < 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *err = why;
        return -1;
    }
    labels = json_object_get(live, "Labels");
    state = json_string_value(json_object_get(labels, LABEL_STATE));
    of = json_string_value(json_object_get(labels, LABEL_APP));
    if (state == NULL || strcmp(state, t->conf->state) != 0 || of == NULL || strcmp(of, app) != 0)
        return err_set(err, ERR_FAILED, "there is a Docker network %s that is not this Slipway's: make the app under "
                       "another name (apps:clone), or "
                       "set another [docker] prefix", name);
    if (subnet_parse(network_subnet(live), ret, err) < 0)
        return err_wrap(err, "the network %s", name);
    return 1;
}

int app_network(struct target *t, const char *app, struct subnet *ret, struct err *err)
{
    cleanup_free char *name = app_network_name(t->conf, app);
    int rc = network_get(t, app, name, ret, err);

    return rc != 0 ? (rc < 0 ? -1 : 0) : network_make(t, app, name, ret, err);
}

int app_network_remove(struct target *t, const char *app, struct err *err)
{
    cleanup_free char *name = app_network_name(t->conf, app), *path = xasprintf("/networks/%s", name);
    struct err why = ERR_INIT;
    struct subnet s;
    int rc = network_get(t, app, name, &s, &why);

    if (rc <= 0) {
        if (rc == 0 || why.code == ERR_FAILED)
            return 0; /* not there, or never ours */
        *err = why;
        return -1;
    }
    if (engine_do(t->engine, "DELETE", path, NULL, NULL, &why) < 0 && why.code != ERR_NOT_FOUND) {
        *err = why;
        return err_wrap(err, "the network %s can't be removed", name);
    }
    return 0;
}
