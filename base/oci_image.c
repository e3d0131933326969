#include "config.h"

#include "base/oci.h"

#include "base/image_file.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

#define MANIFEST_MAX (4 * 1024 * 1024) /* what registries must take, "Pushing manifests" of the specification */

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

bool oci_is_index(const char *media_type)
{
    return strcmp(media_type, OCI_INDEX) == 0 || strcmp(media_type, DOCKER_LIST) == 0;
}

static bool type_known(const char *type)
{
    return oci_is_index(type) || strcmp(type, OCI_MANIFEST) == 0 || strcmp(type, DOCKER_MANIFEST) == 0;
}

void oci_manifest_release(struct oci_manifest *m)
{
    free(m->media_type);
    free(m->body);
    json_decref(m->json);
    memset(m, 0, sizeof(*m));
}

static void add_accept(struct vec *headers)
{
    vec_add(headers, "Accept: " OCI_INDEX ", " OCI_MANIFEST ", " DOCKER_LIST ", " DOCKER_MANIFEST);
}

/* The header says the type; the document does too where the header is wrong, as plain file servers' is. */
int oci_manifest_read(const char *what, const char *ref, const char *content_type, struct buf *body,
                      struct oci_manifest *ret, struct err *err)
{
    struct oci_manifest m = { .len = buf_len(body) };

    digest_of(buf_str(body), m.len, m.digest);
    if (digest_valid(ref) && strcmp(ref, m.digest) != 0)
        return err_set(err, ERR_FAILED, "registry %s sent a manifest whose digest is %s instead of %s", what,
                       m.digest, ref);
    m.json = json_parse(buf_str(body), m.len, "the registry's manifest", err);
    if (m.json == NULL)
        return -1;
    m.media_type = content_type != NULL ? xstrndup(content_type, strcspn(content_type, "; ")) : xstrdup("");
    if (!type_known(m.media_type)) {
        free(m.media_type);
        m.media_type = xstrdup(json_str(m.json, "mediaType", ""));
    }
    if (!type_known(m.media_type)) {
        (void) err_set(err, ERR_FAILED, "registry %s: %s is neither an image manifest nor an index", what, ref);
        oci_manifest_release(&m);
        return -1;
    }
    m.body = buf_steal(body);
    *ret = m;
    return 0;
}

int oci_manifest_get(struct oci *o, const char *repository, const char *ref, struct oci_manifest *ret,
                     struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "manifests/%s", ref);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "GET", .url = url, .headers = &headers, .body_max = MANIFEST_MAX,
                              .follow = true };
    struct http_response r;
    int rc;

    add_accept(&headers);
    http_response_init(&r);
    rc = oci_do(o, repository, OCI_PULL, NULL, &q, &r, err);
    if (rc == 0 && r.status != 200) {
        cleanup_free char *what = xasprintf("image %s", ref);
        rc = oci_refused(o, repository, what, &r, err);
    } else if (rc == 0) {
        rc = oci_manifest_read(oci_registry(o), ref, http_header(&r, "content-type"), &r.body, ret, err);
    }
    http_response_release(&r);
    return rc;
}

int oci_manifest_head(struct oci *o, const char *repository, const char *ref, char ret_digest[DIGEST_SIZE],
                      struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "manifests/%s", ref);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "HEAD", .url = url, .headers = &headers, .follow = true };
    struct http_response r;
    const char *digest;
    int rc;

    add_accept(&headers);
    http_response_init(&r);
    rc = oci_do(o, repository, OCI_PULL, NULL, &q, &r, err);
    digest = http_header(&r, "docker-content-digest");
    if (rc == 0 && r.status != 200) {
        cleanup_free char *what = xasprintf("image %s", ref);
        rc = oci_refused(o, repository, what, &r, err);
    } else if (rc == 0 && digest == NULL && digest_valid(ref)) {
        digest = ref; /* the header is optional for what was asked by digest */
    } else if (rc == 0 && (digest == NULL || !digest_valid(digest) ||
                           (digest_valid(ref) && strcmp(ref, digest) != 0))) {
        rc = err_set(err, ERR_FAILED, "registry %s doesn't say the digest of %s", oci_registry(o), ref);
    }
    if (rc == 0 && ret_digest != NULL)
        (void) snprintf(ret_digest, DIGEST_SIZE, "%s", digest);
    http_response_release(&r);
    return rc;
}

int oci_manifest_put(struct oci *o, const char *repository, const char *ref, const struct oci_manifest *m,
                     struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "manifests/%s", ref);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "PUT", .url = url, .headers = &headers, .body = m->body,
                              .body_len = m->len };
    struct http_response r;
    const char *digest;
    int rc;

    vec_addf(&headers, "Content-Type: %s", m->media_type);
    http_response_init(&r);
    rc = oci_do(o, repository, OCI_PUSH, NULL, &q, &r, err);
    digest = http_header(&r, "docker-content-digest");
    if (rc == 0 && r.status != 201)
        rc = oci_refused(o, repository, "the manifest", &r, err);
    else if (rc == 0 && digest != NULL && strcmp(digest, m->digest) != 0)
        rc = err_set(err, ERR_FAILED, "registry %s stored %s as %s", oci_registry(o), m->digest,
                     digest_valid(digest) ? digest : "something else");
    http_response_release(&r);
    return rc;
}

int oci_manifest_delete(struct oci *o, const char *repository, const char *digest, struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "manifests/%s", digest);
    struct http_request q = { .method = "DELETE", .url = url };
    struct http_response r;
    int rc;

    http_response_init(&r);
    rc = oci_do(o, repository, OCI_DELETE, NULL, &q, &r, err);
    if (rc == 0 && (r.status == 202 || r.status == 404)) {
        rc = 1;
    } else if (rc == 0 && r.status != 405) {
        cleanup_free char *what = xasprintf("the deletion of image %s", digest);
        rc = oci_refused(o, repository, what, &r, err);
    }
    http_response_release(&r);
    return rc;
}

int oci_tag(struct oci *o, const char *repository, const char *digest, const char *tag, struct err *err)
{
    struct oci_manifest m;
    int rc;

    if (oci_manifest_get(o, repository, digest, &m, err) < 0)
        return -1;
    rc = oci_manifest_put(o, repository, tag, &m, err);
    oci_manifest_release(&m);
    return rc;
}

int oci_blob_head(struct oci *o, const char *repository, const char *digest, int64_t *ret_size,
                  struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "blobs/%s", digest);
    struct http_request q = { .method = "HEAD", .url = url, .follow = true };
    struct http_response r;
    const char *length;
    int rc;

    http_response_init(&r);
    rc = oci_do(o, repository, OCI_PULL, NULL, &q, &r, err);
    if (rc == 0 && r.status == 200) {
        length = http_header(&r, "content-length");
        if (ret_size != NULL)
            *ret_size = length != NULL ? strtoll(length, NULL, 10) : 0;
        rc = 1;
    } else if (rc == 0 && r.status != 404) {
        rc = oci_refused(o, repository, "a layer", &r, err);
    }
    http_response_release(&r);
    return rc;
}

int oci_blob_get(struct oci *o, const char *repository, const char *digest, struct buf *ret, struct err *err)
{
    cleanup_free char *url = oci_url(o, repository, "blobs/%s", digest);
    struct http_request q = { .method = "GET", .url = url, .follow = true, .body_max = buf_room(ret) };
    struct http_response r;
    char got[DIGEST_SIZE];
    int rc;

    http_response_init(&r);
    rc = oci_do(o, repository, OCI_PULL, NULL, &q, &r, err);
    if (rc == 0 && r.status != 200) {
        cleanup_free char *what = xasprintf("blob %s", digest);
        rc = oci_refused(o, repository, what, &r, err);
    } else if (rc == 0) {
        digest_of(buf_str(&r.body), buf_len(&r.body), got);
        if (strcmp(got, digest) != 0)
            rc = err_set(err, ERR_FAILED, "registry %s sent data whose digest is %s instead of %s",
                         oci_registry(o), got, digest);
        else
            rc = buf_add(ret, buf_str(&r.body), buf_len(&r.body));
    }
    http_response_release(&r);
    return rc;
}

/* The manifest of an index to look at: linux/amd64, or the first one for linux. */
static const char *pick_platform(const json_t *index)
{
    const char *found = NULL;
    size_t i;
    json_t *m;

    json_array_foreach(json_object_get(index, "manifests"), i, m) {
        const char *digest = json_str(m, "digest", "");

        if (!digest_valid(digest) || strcmp(json_str(m, "platform.os", "linux"), "linux") != 0)
            continue;
        if (strcmp(json_str(m, "platform.architecture", ""), "amd64") == 0)
            return digest;
        if (found == NULL)
            found = digest;
    }
    return found;
}

int oci_image_config(struct oci *o, const char *repository, const char *ref, json_t **ret,
                     char ret_digest[DIGEST_SIZE], struct err *err)
{
    struct oci_manifest m, inner;
    cleanup_buf struct buf text;
    const char *digest;
    int rc = -1;

    buf_init(&text, IMAGE_CONFIG_MAX);
    if (oci_manifest_get(o, repository, ref, &m, err) < 0)
        return -1;
    if (ret_digest != NULL)
        memcpy(ret_digest, m.digest, DIGEST_SIZE);
    if (oci_is_index(m.media_type)) {
        digest = pick_platform(m.json);
        rc = digest != NULL ? oci_manifest_get(o, repository, digest, &inner, err)
                            : err_set(err, ERR_FAILED, "%s of %s has no image for Linux", ref, repository);
        oci_manifest_release(&m);
        if (rc < 0)
            return -1;
        m = inner;
    }
    digest = json_str(m.json, "config.digest", "");
    rc = digest_valid(digest) ? oci_blob_get(o, repository, digest, &text, err)
                              : err_set(err, ERR_FAILED, "%s of %s names no configuration", ref, repository);
    oci_manifest_release(&m);
    if (rc < 0)
        return -1;
    *ret = json_parse(buf_str(&text), buf_len(&text), "the image's configuration", err);
    return *ret != NULL ? 0 : -1;
}
