/* What an image built by buildpacks says of its processes. Pure. */
#ifndef SLIPWAY_BUILDER_IMAGE_H
#define SLIPWAY_BUILDER_IMAGE_H

#include "base/err.h"
#include "base/vec.h"
#include "builder/procfile.h"
#include "sql/model.h"

#include <jansson.h>

/* Fills *ret with the process types of the image's configuration (label io.buildpacks.build.metadata;
 * Cloud Native Buildpacks platform specification, "io.buildpacks.build.metadata (JSON)"), each with the
 * command and args that a container needs, then with those of the tree's Procfile that the image
 * lacks: they run through the image's launcher. Types whose name cannot be used on the target are left
 * out with a warning, a sentence added to *warnings. ERR_FAILED where the label is missing or wrong. */
int image_processes(const json_t *config, const struct procfile *procfile, struct processes *ret,
                    struct vec *warnings, struct err *err);

#endif
