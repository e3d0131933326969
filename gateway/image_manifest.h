/* What a docker archive (docker save) says about its images: manifest.json, as moby's image/tarexport writes it, and the
 * image's configuration (OCI image specification 1.1, config.md). Pure. */
#ifndef SLIPWAY_GATEWAY_IMAGE_MANIFEST_H
#define SLIPWAY_GATEWAY_IMAGE_MANIFEST_H

#include "base/err.h"
#include "base/image_ref.h"
#include "base/vec.h"

#include <jansson.h>
#include <stdint.h>

/* An image of an archive; the paths are as the archive writes them. */
struct image_entry {
    char *name;        /* "my/app:1.2"; "" where it has none */
    char *config;      /* the file with its configuration */
    struct vec layers; /* files, the lowest one first */
};
void image_entry_release(struct image_entry *e);

/* The image with the name `wanted` (without a tag: latest), or the only one where that is NULL. ERR_USAGE names those
 * that there are. Release *ret. */
int image_entry_choose(const json_t *doc, const struct image_ref *wanted, struct image_entry *ret, struct err *err);

enum layer_kind { LAYER_TAR, LAYER_GZIP, LAYER_ZSTD };
struct image_layer {
    char digest[DIGEST_SIZE]; /* as it is in the archive */
    char diff_id[DIGEST_SIZE]; /* of the tar in it */
    int64_t size;
    enum layer_kind kind;
};

/* Is it an image for Linux that has just these layers in this order? */
int image_config_check(const json_t *config, const struct image_layer *v, size_t n, struct err *err);

/* The text of its OCI manifest (manifest.md); the caller frees it. */
char *image_manifest_text(const char *config_digest, int64_t config_size, const struct image_layer *v, size_t n);

#endif
