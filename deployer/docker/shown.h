/* A process's containers as people compare them. Pure.
 * Source: Docker Engine API, "Create a container", "Inspect a container". */
#ifndef SLIPWAY_DEPLOYER_DOCKER_SHOWN_H
#define SLIPWAY_DEPLOYER_DOCKER_SHOWN_H

#include <jansson.h>
#include <stdbool.h>

/* {"instances": 2, "image": …, "memory": …, "template": …}: out of the document that makes such a container, or (live)
 * what inspecting one answers. What isn't set is left out. The caller decrefs. */
json_t *container_shown(const json_t *doc, bool live, const char *template, int instances);

/* A container whose template is the release's is kept, whatever somebody has changed of it: true where that is so, and
 * they differ in more than their number. */
bool container_is_kept_changed(const json_t *before, const json_t *after);

#endif
