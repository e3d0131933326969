#include "config.h"

#include "builder/docker.h"

#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FREE_TRIES 3 /* the engine may make a container late, for a pack that was ended; not one after another */
#define ANSWER_MAX (64 * 1024 * 1024) /* a list of some thousand images with buildpacks' labels */
#define REMOVE_MS 60000 /* an engine under load takes its time to stop a container */

struct docker {
    struct http *http;
};

struct docker *docker_new(const char *socket, struct err *err)
{
    struct http_options o = { .unix_socket = socket };
    struct docker *d = xcalloc(1, sizeof(*d));

    d->http = http_new(&o, err);
    if (d->http == NULL) {
        free(d);
        return NULL;
    }
    return d;
}

void docker_free(struct docker *d)
{
    if (d == NULL)
        return;
    http_free(d->http);
    free(d);
}

/* A request's body; type NULL: none. */
struct body {
    const char *type;
    const void *data;
    size_t n;
};

/* One request; the answer, where it is JSON, in *ret (the caller decrefs; NULL where it has none). */
static int send_body(struct docker *d, const char *method, const char *url, const struct body *body, json_t **ret,
                     struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = {
        .method = method, .url = url, .body = body->data, .body_len = body->n, .headers = &headers,
        .body_max = ANSWER_MAX, .timeout_ms = REMOVE_MS,
    };
    struct http_response r;
    json_t *j = NULL;
    int rc = 0;

    if (body->type != NULL)
        vec_addf(&headers, "Content-Type: %s", body->type);
    http_response_init(&r);
    if (http_do(d->http, &q, &r, err) != 0) {
        http_response_release(&r);
        return err_wrap(err, "asking the Docker engine");
    }
    if (buf_len(&r.body) > 0)
        j = json_parse(buf_str(&r.body), buf_len(&r.body), "the Docker engine's answer", NULL);
    if (r.status == 404)
        rc = err_set(err, ERR_NOT_FOUND, "the Docker engine: %.200s", json_str(j, "message", "not found"));
    else if (r.status == 409)
        rc = err_set(err, ERR_BUSY, "the Docker engine: %.200s", json_str(j, "message", "busy"));
    else if (r.status < 200 || r.status > 299)
        rc = err_set(err, r.status >= 500 ? ERR_DOWN : ERR_FAILED, "the Docker engine answers %ld: %.200s",
                     r.status, json_str(j, "message", ""));
    http_response_release(&r);
    if (rc == 0 && ret != NULL)
        *ret = j;
    else
        json_decref(j);
    return rc;
}

static int ask(struct docker *d, const char *method, const char *url, json_t **ret, struct err *err)
{
    const struct body none = { NULL, NULL, 0 };

    return send_body(d, method, url, &none, ret, err);
}

struct http *docker_http(struct docker *d)
{
    return d->http;
}

int docker_memory(struct docker *d, int64_t *ret, struct err *err)
{
    json_t *info = NULL;

    if (ask(d, "GET", DOCKER_BASE "/info", &info, err) != 0)
        return -1;
    *ret = json_int(info, "MemTotal", 0);
    json_decref(info);
    return *ret > 0 ? 0 : err_set(err, ERR_FAILED, "the Docker engine does not say how much memory its machine has");
}

int docker_update(struct docker *d, const char *id, const json_t *limits, struct err *err)
{
    cleanup_free char *url = xasprintf(DOCKER_BASE "/containers/%s/update", id), *text = json_text(limits);
    struct body body = { "application/json", text, strlen(text) };
    json_t *answer = NULL, *warning;
    struct err why = ERR_INIT;
    size_t i;

    if (send_body(d, "POST", url, &body, &answer, &why) != 0) {
        /* The engine answers 500 with runc's word for one that has ended, and of whose end it has not heard yet. */
        if (why.code == ERR_NOT_FOUND || why.code == ERR_BUSY || strstr(why.msg, "cannot update a stopped container") != NULL)
            return 0;
        *err = why;
        return err_wrap(err, "limiting the container %.12s", id);
    }
    json_array_foreach(json_object_get(answer, "Warnings"), i, warning)
        log_warn("the Docker engine, limiting the container %.12s: %s", id, json_string_value(warning));
    json_decref(answer);
    return 0;
}

int docker_image_id(struct docker *d, const char *name, char ret[DIGEST_SIZE], struct err *err)
{
    cleanup_free char *escaped = http_escape(name);
    cleanup_free char *url = xasprintf(DOCKER_BASE "/images/%s/json", escaped);
    json_t *j = NULL;
    const char *id;
    int rc = 0;

    if (ask(d, "GET", url, &j, err) != 0)
        return -1;
    id = json_str(j, "Id", "");
    if (digest_valid(id))
        (void) snprintf(ret, DIGEST_SIZE, "%s", id);
    else
        rc = err_set(err, ERR_FAILED, "the Docker engine names no id for %s", name);
    json_decref(j);
    return rc;
}

int docker_usage(struct docker *d, char **ret_root, json_t **ret, struct err *err)
{
    json_t *info = NULL;

    if (ask(d, "GET", DOCKER_BASE "/info", &info, err) != 0)
        return -1;
    if (ask(d, "GET", DOCKER_BASE "/system/df", ret, err) != 0) {
        json_decref(info);
        return -1;
    }
    *ret_root = xstrdup(json_str(info, "DockerRootDir", ""));
    json_decref(info);
    return 0;
}

/* The word `arg` in a command line. */
static bool has_word(const char *line, const char *arg)
{
    size_t n = strlen(arg);

    for (const char *at = line; (at = strstr(at, arg)) != NULL; at += n) {
        if ((at == line || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
            return true;
    }
    return false;
}

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* pack's volumes of one build; the cache has another name. */
static bool own_volume(const char *name)
{
    return strncmp(name, "pack-layers-", 12) == 0 || strncmp(name, "pack-app-", 9) == 0;
}

static bool belongs(const json_t *c, const char *dir, const char *tag, const struct vec *volumes)
{
    json_t *m;
    size_t i;

    if (has_word(json_str(c, "Command", ""), tag))
        return true;
    json_array_foreach(json_object_get(c, "Mounts"), i, m) {
        if (below(json_str(m, "Source", ""), dir) || vec_has(volumes, json_str(m, "Name", "")))
            return true;
    }
    return false;
}

static void add_volumes(const json_t *c, struct vec *volumes)
{
    json_t *m;
    size_t i;

    json_array_foreach(json_object_get(c, "Mounts"), i, m) {
        const char *name = json_str(m, "Name", "");

        if (own_volume(name) && !vec_has(volumes, name))
            vec_add(volumes, name);
    }
}

/* Missing is fine. *err is ERR_BUSY where it is in use, or where another removes it just now. */
static int remove_one(struct docker *d, const char *kind, const char *name, struct err *err)
{
    cleanup_free char *escaped = http_escape(name);
    cleanup_free char *url = xasprintf(DOCKER_BASE "/%s/%s?force=1", kind, escaped);
    struct err why = ERR_INIT;

    if (ask(d, "DELETE", url, NULL, &why) == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    if (err != NULL)
        *err = why;
    return err_wrap(err, "removing %s", name);
}

static int remove_container(struct docker *d, const char *id, struct err *err)
{
    cleanup_free char *url = xasprintf(DOCKER_BASE "/containers/%s/wait?condition=removed", id);
    struct err why = ERR_INIT;

    if (remove_one(d, "containers", id, &why) == 0)
        return 0;
    /* A pack that is told to end removes its containers too: wait for it. */
    if (why.code == ERR_BUSY
        && (ask(d, "POST", url, NULL, &why) == 0 || why.code == ERR_NOT_FOUND))
        return 0;
    if (err != NULL)
        *err = why;
    return -1;
}

/* All containers that pack has made, running or not; volume: those that have it, NULL: of any. The caller decrefs *ret. */
static int pack_containers(struct docker *d, const char *volume, json_t **ret, struct err *err)
{
    json_t *filters = json_pack("{s:[s]}", "label", "author=pack");
    cleanup_free char *text = NULL, *escaped = NULL, *url = NULL;

    if (volume != NULL)
        (void) json_object_set_new(filters, "volume", json_pack("[s]", volume));
    text = json_text(filters);
    json_decref(filters);
    escaped = http_escape(text);
    url = xasprintf(DOCKER_BASE "/containers/json?all=1&filters=%s", escaped);
    return ask(d, "GET", url, ret, err);
}

int docker_volume_free(struct docker *d, const char *name, struct err *err)
{
    json_t *list = NULL, *c;
    size_t i;
    int rc = 0;

    if (pack_containers(d, name, &list, err) != 0)
        return -1;
    json_array_foreach(list, i, c) {
        const char *id = json_str(c, "Id", "");

        if (rc == 0 && *id != '\0')
            rc = remove_container(d, id, err);
    }
    json_decref(list);
    return rc;
}

int docker_volume_remove(struct docker *d, const char *name, struct err *err)
{
    struct err why = ERR_INIT;

    for (int i = 0; i < FREE_TRIES; i++) {
        err_clear(&why);
        if (remove_one(d, "volumes", name, &why) == 0)
            return 0;
        if (why.code != ERR_BUSY || docker_volume_free(d, name, NULL) != 0)
            break;
    }
    *err = why;
    return -1;
}

int docker_own(struct docker *d, const char *dir, const char *tag, struct vec *volumes, struct vec *ret, struct err *err)
{
    json_t *list = NULL, *c;
    size_t i;

    if (pack_containers(d, NULL, &list, err) != 0)
        return -1;
    /* Twice: the first round learns the volumes from those that the second may recognize by them only. */
    for (int round = 0; round < 2; round++) {
        json_array_foreach(list, i, c) {
            const char *id = json_str(c, "Id", "");

            if (*id == '\0' || !belongs(c, dir, tag, volumes))
                continue;
            add_volumes(c, volumes);
            if (!vec_has(ret, id))
                vec_add(ret, id);
        }
    }
    json_decref(list);
    return 0;
}

int docker_clear(struct docker *d, const char *dir, const char *tag, struct err *err)
{
    cleanup_vec struct vec volumes = VEC_INIT, ids = VEC_INIT;
    size_t i;
    int rc = docker_own(d, dir, tag, &volumes, &ids, err);

    for (i = 0; i < ids.n && rc == 0; i++)
        rc = remove_container(d, ids.v[i], err);
    for (i = 0; i < volumes.n && rc == 0; i++)
        rc = remove_one(d, "volumes", volumes.v[i], err);
    return rc == 0 ? (int) ids.n : -1;
}

/* A header of one regular file and its zero-filled end (POSIX.1-2008, pax, "ustar Interchange Format"). */
static void tar_file(struct buf *tar, const char *name, const void *data, size_t n)
{
    static const char zeros[1024];
    char header[512] = "";
    unsigned sum = 0;

    (void) snprintf(header, 100, "%s", name);
    (void) snprintf(header + 100, 8, "%07o", 0644);
    (void) snprintf(header + 108, 8, "%07o", 0);
    (void) snprintf(header + 116, 8, "%07o", 0);
    (void) snprintf(header + 124, 12, "%011zo", n);
    (void) snprintf(header + 136, 12, "%011o", 0);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < sizeof(header); i++)
        sum += (unsigned char) header[i];
    (void) snprintf(header + 148, 8, "%06o", sum);
    (void) buf_add(tar, header, sizeof(header));
    (void) buf_add(tar, data, n);
    (void) buf_add(tar, zeros, (512 - n % 512) % 512);
    (void) buf_add(tar, zeros, sizeof(zeros));
}

/* A container that is never started, to put the file into. The caller frees its id. */
static char *container_create(struct docker *d, const char *image, struct err *err)
{
    json_t *o = json_pack("{s:s,s:[s]}", "Image", image, "Cmd", "-"), *answer = NULL;
    cleanup_free char *text = json_text(o);
    struct body body = { "application/json", text, strlen(text) };
    char *id = NULL;

    json_decref(o);
    if (send_body(d, "POST", DOCKER_BASE "/containers/create", &body, &answer, err) == 0) {
        id = http_escape(json_str(answer, "Id", ""));
        json_decref(answer);
    }
    return id;
}

int docker_image_add_file(struct docker *d, const char *base, const char *path, const void *data, size_t n,
                          const char *to, struct err *err)
{
    size_t name = strcspn(to, ":");
    cleanup_free char *repo_plain = xstrndup(to, name), *repo = http_escape(repo_plain);
    cleanup_free char *tag = http_escape(to[name] == ':' ? to + name + 1 : "latest");
    cleanup_free char *id = container_create(d, base, err), *put = NULL, *commit = NULL;
    struct body body = { "application/x-tar", NULL, 0 };
    cleanup_buf struct buf tar;
    int rc;

    buf_init(&tar, n + 4096);
    if (id == NULL)
        return -1;
    tar_file(&tar, path + 1, data, n);
    body.data = buf_str(&tar);
    body.n = buf_len(&tar);
    put = xasprintf(DOCKER_BASE "/containers/%s/archive?path=%%2F", id);
    commit = xasprintf(DOCKER_BASE "/commit?container=%s&repo=%s&tag=%s", id, repo, tag);
    rc = send_body(d, "PUT", put, &body, NULL, err);
    if (rc == 0)
        rc = ask(d, "POST", commit, NULL, err);
    (void) remove_container(d, id, NULL);
    return rc;
}
