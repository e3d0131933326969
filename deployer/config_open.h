/* The config values that a release runs with. */
#ifndef SLIPWAY_DEPLOYER_CONFIG_OPEN_H
#define SLIPWAY_DEPLOYER_CONFIG_OPEN_H

#include "base/err.h"
#include "sql/model.h"
#include "sql/store.h"

#include <stdint.h>

/* The run scope's values of a config version, opened with the run key in the state folder. Release *ret. */
int config_open_run(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err);

#endif
