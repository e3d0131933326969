/* Names of images, as people and docker write them: [registry/]repository[:tag][@sha256:…]. */
#ifndef SLIPWAY_BASE_IMAGE_REF_H
#define SLIPWAY_BASE_IMAGE_REF_H

#include "base/digest.h"
#include "base/err.h"

#define IMAGE_NAME_MAX 255 /* registry and repository together: the distribution project's own limit */
#define IMAGE_TAG_MAX 128  /* OCI distribution specification 1.1, "Pulling manifests" */

struct image_ref {
    char registry[IMAGE_NAME_MAX + 1];   /* "host" or "host:port"; "docker.io" where none is named */
    char repository[IMAGE_NAME_MAX + 1]; /* "library/redis", "team/shop" */
    char tag[IMAGE_TAG_MAX + 1];         /* "" where none */
    char digest[DIGEST_SIZE];            /* "" where none */
};

/* Parses a reference by the grammar of the OCI distribution specification 1.1 ("Pulling manifests") and
 * docker's rule for the first component: it is a registry where it has a dot or a colon or is "localhost".
 * ERR_USAGE says what is wrong with it. */
int image_ref_parse(const char *s, struct image_ref *ret, struct err *err);

#endif
