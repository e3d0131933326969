/* Equal inputs give equal images, so a build whose inputs were built before needs no pack. */
#ifndef SLIPWAY_BUILDER_CACHE_H
#define SLIPWAY_BUILDER_CACHE_H

#include "base/conf.h"
#include "base/err.h"
#include "base/oci.h"
#include "builder/docker.h"
#include "sql/model.h"

#define CACHE_HASH_SIZE 65 /* 64 hexadecimal digits and a NUL */

/* BLAKE2b over what decides how an image turns out: tree, builder image, run image, lifecycle mode, settings
 * of the build, and the build variables (opened in vars; their values go in through the server's keyed
 * hash). 1: *ret is filled; 0: it cannot be told (the engine does not have the builder yet, or pack
 * is to look for a newer one each time); -1. */
int cache_hash(const struct conf *c, struct docker *d, const char *tree, const struct config_set *vars,
               char ret[CACHE_HASH_SIZE], struct err *err);

/* Makes the image of an earlier build available as `repository`:`tag`: it asks the registry whether the
 * digest is still there, and where it belongs to another app, has its blobs mounted and puts the manifest.
 * 1: it is there; 0: it cannot be had without a build; -1: the registry does not answer. */
int cache_take(struct oci *o, const struct build *earlier, const char *repository, const char *tag,
               struct err *err);

#endif
