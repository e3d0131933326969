/* Brings a built image from the build registry into the one that the target pulls from. */
#ifndef SLIPWAY_DEPLOYER_PUBLISH_H
#define SLIPWAY_DEPLOYER_PUBLISH_H

#include "base/conf.h"
#include "base/digest.h"
#include "base/err.h"
#include "deployer/target.h"

#include <stdint.h>

struct publish {
    const struct conf *conf;
    const char *app;           /* its handle: the repository's last part in another registry */
    const char *source_image;  /* name in the build registry, without tag or digest */
    const char *digest;        /* of a manifest or an index */
    const char *image_file;    /* the path of a file that has it (base/image_file.h); NULL: source_image */
    bool foreign;              /* source_image is anybody's, not one that was built here */
    int64_t version;           /* the tag is "v7" */
    const struct target_call *call;
};

/* The name that publish_image gives it, without asking a registry: the caller frees it. */
int publish_name(const struct publish *p, char **ret_image, struct err *err);

/* Copies the manifest or index with all that it names, from the other registry or the file: only missing blobs, four at a time, mounted where both
 * registries are one host, each digest checked while it streams, tried again after a cut; then tags it. Where
 * both are the same it is a tag alone. Doing it again copies nothing. *ret_image: host/name@sha256:…, the
 * caller frees it. Errors name the registry (base/oci.h). */
int publish_image(const struct publish *p, char **ret_image, struct err *err);

/* Looks up an image that wasn't built here: `ref` is a tag or a digest. The registries of the settings are spoken to as
 * those say, all others with https and [registry] auth's login for them. *ret_config: its configuration, the caller
 * decrefs it. */
int publish_resolve(const struct publish *p, const char *ref, char ret_digest[DIGEST_SIZE], json_t **ret_config,
                    struct err *err);

#endif
