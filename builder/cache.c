#include "config.h"

#include "builder/cache.h"

#include "base/image_ref.h"
#include "base/json.h"
#include "base/mem.h"
#include "builder/pack.h"
#include "sql/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_FORMAT "slipway-build-1" /* changed when a build's result changes for another reason */
#define BLOBS_MAX 200   /* layers of an image; engines take 127 */

/* A field and its end, so that two fields cannot run into one another. */
static void put(crypto_generichash_state *s, const void *data, size_t n)
{
    unsigned long long len = n;

    (void) crypto_generichash_update(s, (const unsigned char *) &len, sizeof(len));
    (void) crypto_generichash_update(s, data, n);
}

static void put_text(crypto_generichash_state *s, const char *text)
{
    put(s, text, strlen(text));
}

int cache_hash(const struct conf *c, struct docker *d, const char *tree, const struct config_set *vars,
               char ret[CACHE_HASH_SIZE], struct err *err)
{
    unsigned char hash[32], value[32];
    crypto_generichash_state s;
    char builder[DIGEST_SIZE];
    struct err why = ERR_INIT;

    if (strcmp(c->pull_policy, "always") == 0)
        return 0;
    if (docker_image_id(d, c->builder, builder, &why) != 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        if (err != NULL)
            *err = why;
        return -1;
    }
    (void) crypto_generichash_init(&s, NULL, 0, sizeof(hash));
    put_text(&s, CACHE_FORMAT);
    put_text(&s, tree);
    put_text(&s, builder); /* its id covers buildpacks, lifecycle and the name of its run image */
    put_text(&s, c->run_image);
    put_text(&s, pack_trusts(c) ? "creator" : "five phases");
    put_text(&s, c->lifecycle_image);
    put_text(&s, c->allow_project_toml ? "project.toml" : "");
    for (size_t i = 0; i < vars->n; i++) {
        const struct config_var *v = &vars->v[i];

        if (!v->build)
            continue;
        /* App 0: the same value in two apps is the same input. */
        if (seal_digest(c->state, 0, v->name, v->value, v->value_len, value, err) != 0)
            return -1;
        put_text(&s, v->name);
        put(&s, value, sizeof(value));
    }
    (void) crypto_generichash_final(&s, hash, sizeof(hash));
    (void) sodium_bin2hex(ret, CACHE_HASH_SIZE, hash, sizeof(hash));
    return 1;
}

struct mount {
    struct oci *o;
    const char *to, *from;
    struct vec blobs;
};

/* One mount (OCI distribution specification 1.1, "Mounting a blob from another repository"): 201 where it
 * is mounted; 202 opens an upload instead, which is left alone and which the registry forgets. */
static int mount_blob(const struct mount *m, const char *digest, struct err *err)
{
    cleanup_free char *from = http_escape(m->from);
    cleanup_free char *url = oci_url(m->o, m->to, "blobs/uploads/?mount=%s&from=%s", digest, from);
    struct http_request q = { .method = "POST", .url = url, .body = "", .body_len = 0 };
    struct http_response r;
    int rc;

    http_response_init(&r);
    rc = oci_do(m->o, m->to, OCI_PUSH, m->from, &q, &r, err);
    if (rc == 0)
        rc = r.status == 201 ? 1 : 0;
    http_response_release(&r);
    return rc;
}

static int mount_all(const struct mount *m, struct err *err)
{
    int rc = 1;

    for (size_t i = 0; i < m->blobs.n && rc == 1; i++)
        rc = mount_blob(m, m->blobs.v[i], err);
    return rc;
}

/* Digests of the configuration and of the layers; false where the manifest has others than sha256. */
static bool collect(const json_t *manifest, struct vec *ret)
{
    json_t *layers = json_object_get(manifest, "layers"), *layer;
    const char *config = json_str(manifest, "config.digest", "");
    size_t i;

    if (!digest_valid(config) || json_array_size(layers) > BLOBS_MAX)
        return false;
    vec_add(ret, config);
    json_array_foreach(layers, i, layer) {
        const char *digest = json_str(layer, "digest", "");

        if (!digest_valid(digest))
            return false;
        vec_add(ret, digest);
    }
    return true;
}

/* Outcomes that mean "build it, then": only a registry that does not answer ends the build. */
static int unless_down(const struct err *why, struct err *err)
{
    if (why->code != ERR_DOWN)
        return 0;
    if (err != NULL)
        *err = *why;
    return -1;
}

static int copy(struct oci *o, const char *from, const char *digest, const char *to, const char *tag,
                struct err *err)
{
    struct mount m = { .o = o, .to = to, .from = from };
    struct oci_manifest manifest;
    struct err why = ERR_INIT;
    int rc;

    if (oci_manifest_get(o, from, digest, &manifest, &why) != 0)
        return unless_down(&why, err);
    rc = !oci_is_index(manifest.media_type) && collect(manifest.json, &m.blobs) ? 1 : 0;
    if (rc == 1)
        rc = mount_all(&m, &why);
    if (rc == 1 && oci_manifest_put(o, to, tag, &manifest, &why) != 0)
        rc = -1;
    if (rc < 0)
        rc = unless_down(&why, err);
    vec_release(&m.blobs);
    oci_manifest_release(&manifest);
    return rc;
}

int cache_take(struct oci *o, const struct build *earlier, const char *repository, const char *tag,
               struct err *err)
{
    struct err why = ERR_INIT;
    struct image_ref from;

    if (earlier->image == NULL || earlier->digest == NULL || earlier->processes_json == NULL
        || image_ref_parse(earlier->image, &from, NULL) != 0
        || strcmp(from.registry, oci_registry(o)) != 0) /* the setting has changed since */
        return 0;
    if (strcmp(from.repository, repository) != 0)
        return copy(o, from.repository, earlier->digest, repository, tag, err);
    if (oci_manifest_head(o, repository, earlier->digest, NULL, &why) != 0)
        return unless_down(&why, err);
    return 1;
}
