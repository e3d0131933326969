/* What the containers of a process type run. */
#ifndef SLIPWAY_DEPLOYER_PROCESS_H
#define SLIPWAY_DEPLOYER_PROCESS_H

#include "sql/model.h"

/* Appends its words: for an image of buildpacks the launcher's link (or the launcher with a line of the Procfile), which sets
 * their environment; for any other its Entrypoint and Cmd. A type that the release doesn't have is taken for a link. */
void process_words(const struct release *r, const char *type, struct vec *ret);

#endif
