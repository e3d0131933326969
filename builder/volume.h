/* The volumes of the engine that hold the apps' build caches. */
#ifndef SLIPWAY_BUILDER_VOLUME_H
#define SLIPWAY_BUILDER_VOLUME_H

#include "base/conf.h"

#include <stdint.h>

#define VOLUME_PREFIX "slipway-cache-"

/* The name of an app's volume, NULL where it has none yet. The caller frees it. */
char *volume_of(const struct conf *c, int64_t app_id);

#endif
