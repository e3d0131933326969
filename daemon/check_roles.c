/* What only a role's own user can see. */
#include "config.h"

#include "base/http.h"
#include "base/image_ref.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/docker.h"
#include "builder/storage.h"
#include "daemon/check.h"
#include "daemon/check_line.h"
#include "daemon/hostkey.h"
#include "deployer/target.h"
#include "sql/store.h"
#include "sql/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_readable(struct check *k, const char *what, const char *path, const char *todo)
{
    struct err err = ERR_INIT;

    if (access(path, R_OK) == 0) {
        check_ok(k, what, "%s", path);
        return;
    }
    err_errno(&err, "cannot read %s", path);
    check_missing(k, what, &err, todo);
}

static long long folder_mib(const struct conf *c, const char *name)
{
    cleanup_free char *path = conf_state_path(c, "%s", name);
    int64_t n = 0;

    (void) path_size(path, &n, NULL);
    return (long long) n >> 20;
}

static void check_state_room(struct check *k, const struct conf *c)
{
    cleanup_free char *said = xasprintf("repositories %lld MiB, logs %lld MiB, database %lld MiB", folder_mib(c, "repos"),
                                        folder_mib(c, "logs"), folder_mib(c, "slipway.db"));

    check_room(k, "disk", c->state, c->build_disk, said);
}

int check_git_run(const struct conf *c)
{
    static const char *const keys[] = { "ssh_host_ed25519_key", "ssh_host_rsa_key" };
    struct check k = { 0 };
    struct err err = ERR_INIT;
    struct store *s;

    if (store_open(c->state, false, &s, &err) < 0) {
        check_missing(&k, "database", &err, NULL);
    } else {
        check_ok(&k, "database", "%s/slipway.db", c->state);
        store_close(s);
    }
    for (size_t i = 0; i < countof(keys); i++) {
        cleanup_free char *path = conf_state_path(c, "keys/%s", keys[i]);
        cleanup_free char *print = hostkey_fingerprint(path, &err);

        if (print == NULL)
            check_missing(&k, "host key", &err, "run: slipway init");
        else
            check_ok(&k, "host key", "%s %s", keys[i], print);
    }
    check_program(&k, "git", "git", "--version", "install git");
    check_state_room(&k, c);
    return k.missing != 0;
}

/* GET of the engine's API over its socket (Docker Engine API 1.43). Returns the status or -1. */
static long engine_get(struct http *h, const char *path, struct http_response *r, struct err *err)
{
    cleanup_free char *url = xasprintf("http://localhost%s", path);
    const struct http_request q = { .method = "GET", .url = url };

    return http_do(h, &q, r, err) < 0 ? -1 : r->status;
}

static void check_image(struct check *k, const struct conf *c, struct http *h)
{
    cleanup_free char *path = xasprintf("/images/%s/json", c->builder), *todo = NULL;
    struct http_response r;
    struct err err = ERR_INIT;
    struct image_ref ref;
    long status;

    if (image_ref_parse(c->builder, &ref, &err) < 0) {
        check_missing(k, "builder image", &err, "correct [build] builder");
        return;
    }
    http_response_init(&r);
    status = engine_get(h, path, &r, &err);
    if (status == 200) {
        check_ok(k, "builder image", "%s", c->builder);
    } else if (status == 404 && strcmp(c->pull_policy, "never") != 0) {
        check_ok(k, "builder image", "%s, not here yet: the first build pulls it", c->builder);
    } else {
        if (status == 404)
            err_set(&err, ERR_NOT_FOUND, "the engine does not have %s", c->builder);
        else if (status > 0)
            err_set(&err, ERR_FAILED, "the engine answered %ld", status);
        todo = xasprintf("run: docker pull %s", c->builder);
        check_missing(k, "builder image", &err, todo);
    }
    http_response_release(&r);
}

/* What the engine's folder holds. Where it is another machine's, its disk can't be seen from here. */
static void check_engine_room(struct check *k, const struct conf *c)
{
    struct err err = ERR_INIT;
    struct docker *d = docker_new(c->docker_socket, &err);
    cleanup_free char *root = NULL, *said = NULL;
    json_t *df = NULL, *o;

    if (d == NULL || docker_usage(d, &root, &df, &err) < 0) {
        check_missing(k, "docker's disk", &err, "see the engine's log");
    } else {
        o = storage_engine(df, root);
        said = xasprintf("images %lld MiB, build caches %lld MiB, all volumes %lld MiB", (long long) json_int(o, "images", 0) >> 20,
                         (long long) json_int(o, "caches", 0) >> 20, (long long) json_int(o, "volumes", 0) >> 20);
        if (json_is_integer(json_object_get(o, "free")))
            check_room(k, "docker's disk", root, c->build_disk, said);
        else
            check_ok(k, "docker's disk", "%s can't be seen from here; %s", root, said);
        json_decref(o);
    }
    json_decref(df);
    docker_free(d);
}

static void check_engine(struct check *k, const struct conf *c)
{
    const struct http_options o = { .unix_socket = c->docker_socket };
    struct http_response r;
    struct err err = ERR_INIT;
    struct http *h = NULL;
    json_t *version = NULL;

    http_response_init(&r);
    if (access(c->docker_socket, W_OK) < 0)
        err_errno(&err, "cannot use %s", c->docker_socket);
    else if ((h = http_new(&o, &err)) != NULL && engine_get(h, "/version", &r, &err) == 200
             && (version = json_parse(buf_str(&r.body), buf_len(&r.body), "the engine's answer", &err)) != NULL)
        check_ok(k, "docker", "%s, %s", json_str(version, "Version", "?"), c->docker_socket);
    else if (err.code == ERR_NONE)
        err_set(&err, ERR_FAILED, "the engine answered %ld", r.status);
    if (err.code != ERR_NONE)
        check_missing(k, "docker", &err, "start the Docker engine, or correct [build] docker_socket");
    else {
        check_image(k, c, h);
        check_engine_room(k, c);
    }
    json_decref(version);
    http_response_release(&r);
    http_free(h);
}

int check_build_run(const struct conf *c)
{
    cleanup_free char *key = conf_state_path(c, "keys/build/secret"), *spool = conf_state_path(c, "spool");
    struct check k = { 0 };

    check_readable(&k, "build key", key, "run: slipway init");
    if (strcmp(c->build_switch, "none") == 0) {
        check_ok(&k, "builds", "switched off");
        return k.missing != 0;
    }
    (void) setenv("PACK_HOME", spool, 1); /* it looks for its settings there, and a build has its own */
    check_program(&k, "pack", c->pack, "version", "install pack, or correct [build] pack");
    check_engine(&k, c);
    check_registry(&k, "registry", c->registry, c->registry_insecure, c->registry_ca, c->registry_auth,
                   "see [registry] in slipway.conf(5)");
    return k.missing != 0;
}

/* The target's own findings: "ok …", "note …", or what to do. */
static void target_say(void *arg, const char *line)
{
    (void) arg;
    if (strncmp(line, "ok ", 3) == 0)
        (void) printf("ok       %s\n", line + 3);
    else if (strncmp(line, "note ", 5) == 0)
        (void) printf("note     %s\n", line + 5);
    else
        (void) printf("missing  %s\n", line);
}

static void check_target(struct check *k, const struct conf *c, const char *name)
{
    cleanup_free char *what = xasprintf("target %s", name);
    const struct target_ops *ops = target_find(name);
    struct err err = ERR_INIT;
    struct target *t = NULL;

    if (ops == NULL)
        err_set(&err, ERR_USAGE, "this program has no target %s", name);
    else if (conf_target_check(c, name, &err) == 0 && ops->open(c, &t, &err) == 0 && ops->check(t, target_say, NULL, &err) == 0)
        check_ok(k, "target", "%s%s", name, strcmp(name, conf_target(c)) == 0 ? ", of new apps" : "");
    if (err.code != ERR_NONE)
        check_missing(k, what, &err, "see slipway.conf(5), [target] and the sections behind it");
    if (t != NULL)
        ops->close(t);
}

static void certificate_say(void *arg, const char *line)
{
    (void) arg;
    (void) printf("note     %s; put a new one in its place: certs:add\n", line);
}

/* The apps' own, which nobody renews by himself. */
static void check_certificates(struct check *k, const struct conf *c)
{
    struct err err = ERR_INIT;
    struct store *s = NULL;

    if (store_open(c->state, true, &s, &err) < 0 || certificates_ending(s, certificate_say, NULL, &err) < 0)
        check_missing(k, "apps' certificates", &err, "see the server's log");
    if (s != NULL)
        store_close(s);
}

/* All that are configured, and those that apps are on. */
static void check_targets(struct check *k, const struct conf *c)
{
    cleanup_vec struct vec used = VEC_INIT;
    struct err err = ERR_INIT;
    struct store *s = NULL;

    if (store_open(c->state, true, &s, &err) < 0 || targets_used(s, &used, &err) < 0)
        check_missing(k, "apps' targets", &err, "see the server's log");
    if (s != NULL)
        store_close(s);
    for (const char *const *t = conf_targets; *t != NULL; t++)
        if (conf_target_check(c, *t, NULL) == 0 || vec_has(&used, *t))
            check_target(k, c, *t);
}

int check_deploy_run(const struct conf *c)
{
    cleanup_free char *key = conf_state_path(c, "keys/run/secret");
    struct check k = { 0 };

    check_readable(&k, "run key", key, "run: slipway init");
    if (c->release_registry[0] != '\0')
        check_registry(&k, "release registry", c->release_registry, c->release_registry_insecure,
                       c->release_registry_ca, c->release_registry_auth,
                       "see [release-registry] in slipway.conf(5)");
    check_targets(&k, c);
    check_certificates(&k, c);
    return k.missing != 0;
}
