/* The few things that a builder asks the Docker engine itself (Docker Engine API, over its Unix socket):
 * which image a name is, to limit a build's containers, and to remove what a killed pack left behind. */
#ifndef SLIPWAY_BUILDER_DOCKER_H
#define SLIPWAY_BUILDER_DOCKER_H

#include "base/digest.h"
#include "base/err.h"
#include "base/vec.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define DOCKER_BASE "http://docker" /* of the requests' URLs: the host is not looked up, the socket is the address */

struct docker;
struct http;

/* Opens no connection yet. */
struct docker *docker_new(const char *socket, struct err *err);
void docker_free(struct docker *d);

/* The id of an image that the engine has. ERR_NOT_FOUND where it has none of that name. */
int docker_image_id(struct docker *d, const char *name, char ret[DIGEST_SIZE], struct err *err);

/* What the engine holds (Docker Engine API, "Get data usage information"), and the folder where, as it says itself. The caller
 * frees and decrefs them. */
int docker_usage(struct docker *d, char **ret_root, json_t **ret, struct err *err);

/* Removes the containers of pack that have this volume (its name: letters, digits, "-"). For who knows that no pack uses it:
 * the engine makes the container that it was asked for also when the pack that asked has been killed meanwhile. */
int docker_volume_free(struct docker *d, const char *name, struct err *err);

/* Removes such a volume, and those containers first; one that is not there is fine. ERR_BUSY where somebody else uses it. */
int docker_volume_remove(struct docker *d, const char *name, struct err *err);

/* Makes the image `to` ("name:tag") out of `base`, which the engine must have, with one more file: path
 * (absolute, its folders are made) with these n bytes, mode 0644. */
int docker_image_add_file(struct docker *d, const char *base, const char *path, const void *data, size_t n,
                          const char *to, struct err *err);

/* The client of all requests. It stays the docker's. */
struct http *docker_http(struct docker *d);

/* The memory of the engine's machine, in bytes (Docker Engine API, "Get system information"). */
int docker_memory(struct docker *d, int64_t *ret, struct err *err);

/* Sets a container's limits, whether it runs or not yet (Docker Engine API, "Update a container"). One that is gone, or
 * is going, is fine; what the engine can't limit on its machine is logged. */
int docker_update(struct docker *d, const char *id, const json_t *limits, struct err *err);

/* Adds to ret the ids of all containers that pack has made for one build and that are still there: those that mount a
 * folder below `dir` (absolute, the build's own) or name `tag` ("host/app:b57") as an argument, and those that share
 * pack's volumes of layers with them, whose names are added to volumes, or were there from the call before. */
int docker_own(struct docker *d, const char *dir, const char *tag, struct vec *volumes, struct vec *ret, struct err *err);

/* Kills and removes those containers and volumes, but not the cache. Returns how many containers there were, or -1. */
int docker_clear(struct docker *d, const char *dir, const char *tag, struct err *err);

#endif
