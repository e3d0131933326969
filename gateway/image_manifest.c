#include "config.h"

#include "gateway/image_manifest.h"

#include "base/image_file.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/archive_path.h"

#include <stdlib.h>
#include <string.h>

#define IMAGES_MAX 64  /* of one archive */
#define NAMES_MAX 64   /* of one image */
#define NAMED 5        /* names in a sentence */

#define OCI "application/vnd.oci.image."

void image_entry_release(struct image_entry *e)
{
    free(e->name);
    free(e->config);
    vec_release(&e->layers);
    memset(e, 0, sizeof(*e));
}

static const char *tag_of(const struct image_ref *r)
{
    return r->tag[0] != '\0' ? r->tag : "latest";
}

static bool same(const struct image_ref *a, const char *name)
{
    struct image_ref b;

    return image_ref_parse(name, &b, NULL) == 0 && strcmp(a->registry, b.registry) == 0 &&
           strcmp(a->repository, b.repository) == 0 && strcmp(tag_of(a), tag_of(&b)) == 0;
}

/* The image's name number i; NULL behind the last. */
static const char *name_at(const json_t *image, size_t i)
{
    return i < NAMES_MAX ? json_string_value(json_array_get(json_object_get(image, "RepoTags"), i)) : NULL;
}

static const json_t *find(const json_t *doc, const struct image_ref *wanted, const char **ret_name)
{
    const char *name;

    for (size_t i = 0; i < json_array_size(doc); i++) {
        const json_t *image = json_array_get(doc, i);

        for (size_t k = 0; (name = name_at(image, k)) != NULL; k++) {
            if (same(wanted, name)) {
                *ret_name = name;
                return image;
            }
        }
    }
    return NULL;
}

/* "my/app:1 and my/app:2", for a sentence. */
static char *names(const json_t *doc)
{
    cleanup_buf struct buf b;
    const char *name;
    size_t n = 0;

    buf_init(&b, NAMED * (ARCHIVE_SHOWN + 8) + 16);
    for (size_t i = 0; i < json_array_size(doc); i++) {
        for (size_t k = 0; (name = name_at(json_array_get(doc, i), k)) != NULL; k++, n++) {
            char shown[ARCHIVE_SHOWN];

            if (n < NAMED)
                (void) buf_addf(&b, "%s%s", n > 0 ? ", " : "", archive_path_shown(name, shown));
        }
    }
    if (n > NAMED)
        (void) buf_addf(&b, " and %zu more", n - NAMED);
    return n == 0 ? xstrdup("none with a name") : buf_steal(&b);
}

static int choose(const json_t *doc, const struct image_ref *wanted, const json_t **ret, const char **ret_name,
                  struct err *err)
{
    cleanup_free char *there = names(doc);

    if (wanted == NULL && json_array_size(doc) > 1)
        return err_set(err, ERR_USAGE, "the archive has %zu images; say which one, for example: git:load-image APP my/app:1.2. "
                       "It has %s", json_array_size(doc), there);
    *ret = wanted == NULL ? json_array_get(doc, 0) : find(doc, wanted, ret_name);
    if (*ret == NULL)
        return err_set(err, ERR_USAGE, "the archive has no image with that name; it has %s", there);
    if (wanted == NULL)
        *ret_name = name_at(*ret, 0);
    return 0;
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_FAILED, "the archive's manifest.json is none that docker save writes");
}

int image_entry_choose(const json_t *doc, const struct image_ref *wanted, struct image_entry *ret, struct err *err)
{
    struct image_entry e = { .layers = VEC_INIT };
    const json_t *image = NULL, *layers, *l;
    const char *name = NULL, *config;
    size_t i;

    if (!json_is_array(doc) || json_array_size(doc) == 0 || json_array_size(doc) > IMAGES_MAX)
        return damaged(err);
    if (choose(doc, wanted, &image, &name, err) < 0)
        return -1;
    config = json_str(image, "Config", "");
    layers = json_object_get(image, "Layers");
    if (config[0] == '\0' || json_array_size(layers) == 0)
        return damaged(err);
    if (json_array_size(layers) > IMAGE_LAYERS_MAX)
        return err_set(err, ERR_FAILED, "the image has more than %d layers", IMAGE_LAYERS_MAX);
    json_array_foreach(layers, i, l) {
        if (!json_is_string(l)) {
            vec_release(&e.layers);
            return damaged(err);
        }
        vec_add(&e.layers, json_string_value(l));
    }
    e.name = xstrdup(name != NULL && image_ref_parse(name, &(struct image_ref) { .tag = "" }, NULL) == 0 ? name : "");
    e.config = xstrdup(config);
    *ret = e;
    return 0;
}

int image_config_check(const json_t *config, const struct image_layer *v, size_t n, struct err *err)
{
    const json_t *ids = json_at(config, "rootfs.diff_ids");
    const char *os = json_str(config, "os", "linux");
    char shown[ARCHIVE_SHOWN];

    if (!json_is_object(config))
        return err_set(err, ERR_FAILED, "the image's configuration is no JSON object");
    if (strcmp(os, "linux") != 0)
        return err_set(err, ERR_FAILED, "the image is for %s; apps run on Linux", archive_path_shown(os, shown));
    if (json_array_size(ids) != n)
        return err_set(err, ERR_FAILED, "the image's configuration names %zu layers, and the archive has %zu of it",
                       json_array_size(ids), n);
    for (size_t i = 0; i < n; i++) {
        const char *id = json_string_value(json_array_get(ids, i));

        if (id == NULL || strcmp(id, v[i].diff_id) != 0)
            return err_set(err, ERR_FAILED, "the image's layer %zu is damaged: its digest is %s, and not the one that the "
                           "image's configuration names", i + 1, v[i].diff_id);
    }
    return 0;
}

char *image_manifest_text(const char *config_digest, int64_t config_size, const struct image_layer *v, size_t n)
{
    static const char *const types[] = { [LAYER_TAR] = OCI "layer.v1.tar", [LAYER_GZIP] = OCI "layer.v1.tar+gzip",
                                         [LAYER_ZSTD] = OCI "layer.v1.tar+zstd" };
    json_t *layers = json_array(), *doc;
    char *text;

    for (size_t i = 0; i < n; i++)
        (void) json_array_append_new(layers, json_pack("{s:s, s:s, s:I}", "mediaType", types[v[i].kind], "digest", v[i].digest,
                                                       "size", (json_int_t) v[i].size));
    doc = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType", OCI "manifest.v1+json",
                    "config", "mediaType", OCI "config.v1+json", "digest", config_digest, "size", (json_int_t) config_size,
                    "layers", layers);
    text = json_text(doc);
    json_decref(doc);
    return text;
}
