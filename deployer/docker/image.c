#include "config.h"

#include "deployer/docker/docker.h"

#include "base/docker_auth.h"
#include "base/http.h"
#include "base/image_ref.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (64 * 1024) /* a line of progress has some 200 bytes */
#define MESSAGE_MAX 300

/* The X-Registry-Auth header: base64url of a JSON document (Docker Engine API, "Authentication"). NULL where
 * no login is known; err where it can't be read. */
static int auth_header(const struct conf *c, const char *registry, struct vec *headers, struct err *err)
{
    bool other = c->release_registry[0] != '\0';
    struct docker_auth a;
    json_auto_t *doc = NULL;
    char *text, *encoded;
    size_t n, size;

    if (docker_auth_get(other ? c->release_registry_auth : c->registry_auth, registry, &a, err) < 0)
        return -1;
    if (!a.found) {
        docker_auth_release(&a);
        return 0;
    }
    doc = json_pack("{s:s}", "serveraddress", registry);
    if (a.user != NULL) {
        json_object_set_new(doc, "username", json_string(a.user));
        json_object_set_new(doc, "password", json_string(a.password));
    }
    if (a.identity_token != NULL)
        json_object_set_new(doc, "identitytoken", json_string(a.identity_token));
    docker_auth_release(&a);
    text = json_text(doc);
    n = strlen(text);
    size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_URLSAFE);
    encoded = xmalloc(size);
    (void) sodium_bin2base64(encoded, size, (unsigned char *) text, n, sodium_base64_VARIANT_URLSAFE);
    vec_addf(headers, "X-Registry-Auth: %s", encoded);
    sodium_memzero(text, n);
    sodium_memzero(encoded, size);
    free(text);
    free(encoded);
    return 0;
}

static void headers_forget(struct vec *headers)
{
    for (size_t i = 0; i < headers->n; i++)
        sodium_memzero(headers->v[i], strlen(headers->v[i]));
    vec_release(headers);
}

/* A line of progress; the last one of a failed pull says why. */
static void on_line(void *arg, int stream, const char *line, size_t n)
{
    char **error = arg;
    json_auto_t *doc = json_parse(line, n, "progress", NULL);
    const char *text = json_str(doc, "error", NULL);

    (void) stream;
    if (text != NULL && *error == NULL)
        *error = text_plain(text, MESSAGE_MAX);
}

static int pull(struct target *t, const char *image, const char *registry, struct err *err)
{
    cleanup_free char *escaped = http_escape(image), *error = NULL;
    cleanup_free char *path = xasprintf("/images/create?fromImage=%s", escaped);
    struct vec headers = VEC_INIT;
    struct engine_stream *s;
    int rc;

    if (auth_header(t->conf, registry, &headers, err) < 0)
        return -1;
    s = engine_stream_open(t->engine, "POST", path, &headers, DEMUX_LINES, LINE_MAX_BYTES, on_line, &error, err);
    headers_forget(&headers);
    if (s == NULL)
        return -1;
    while ((rc = engine_stream_done(s, err)) == 0) {
        if (engine_wait(t->engine, -1, -1, NULL, err) < 0) {
            rc = -1;
            break;
        }
    }
    engine_stream_close(s);
    if (rc > 0 && error != NULL)
        return err_set(err, ERR_FAILED, "%s", error);
    return rc < 0 ? -1 : 0;
}

int image_ensure(struct target *t, const char *image, struct err *err)
{
    cleanup_free char *escaped = http_escape(image), *path = xasprintf("/images/%s/json", escaped);
    struct err why = ERR_INIT;
    struct image_ref ref;

    if (image_ref_parse(image, &ref, err) < 0)
        return -1;
    if (engine_do(t->engine, "GET", path, NULL, NULL, &why) == 0)
        return 0;
    if (why.code != ERR_NOT_FOUND) {
        *err = why;
        return -1;
    }
    if (pull(t, image, ref.registry, err) < 0)
        return err_wrap(err, "the image %s can't be pulled", image);
    return 0;
}

static bool is_kept(const char *digest, const struct vec *keep)
{
    for (size_t i = 0; i < keep->n; i++)
        if (strcmp(digest, keep->v[i]) == 0)
            return true;
    return false;
}

int image_prune(struct target *t, const char *repository, const struct vec *keep, struct err *err)
{
    json_auto_t *filters = json_pack("{s:[s]}", "reference", repository), *list = NULL;
    cleanup_free char *text = json_text(filters), *escaped = http_escape(text);
    cleanup_free char *path = xasprintf("/images/json?filters=%s", escaped);
    size_t i, k, n = strlen(repository);
    json_t *image, *name;
    int removed = 0;

    if (engine_do(t->engine, "GET", path, NULL, &list, err) < 0)
        return -1;
    json_array_foreach(list, i, image) {
        json_array_foreach(json_object_get(image, "RepoDigests"), k, name) {
            const char *s = json_string_value(name);
            cleanup_free char *one = NULL, *remove = NULL;
            struct err why = ERR_INIT;

            if (s == NULL || strncmp(s, repository, n) != 0 || s[n] != '@' || is_kept(s + n + 1, keep))
                continue;
            one = http_escape(s);
            remove = xasprintf("/images/%s", one);
            /* ERR_BUSY: a container that is not gone yet has it; the next time will do. */
            if (engine_do(t->engine, "DELETE", remove, NULL, NULL, &why) == 0)
                removed++;
            else if (why.code != ERR_BUSY && why.code != ERR_NOT_FOUND) {
                if (err != NULL)
                    *err = why;
                return err_wrap(err, "the image %s can't be removed", s);
            }
        }
    }
    return removed;
}
