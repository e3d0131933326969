/* What an image's configuration says about its processes. Pure. */
#ifndef SLIPWAY_SQL_IMAGE_LABEL_H
#define SLIPWAY_SQL_IMAGE_LABEL_H

#include "sql/model.h"

#include <jansson.h>

/* Adds the process types of the label io.buildpacks.build.metadata (Cloud Native Buildpacks platform specification), each
 * with the command that a container needs. Types whose name cannot be used on the target are left out with a
 * warning. 1; 0 where there is no such label; -1 where it can't be read. */
int image_label_processes(const json_t *config, struct processes *ret, struct vec *warnings, struct err *err);

/* May this type be added? A sentence in warnings where not, unless it is there already. */
bool image_process_usable(const struct processes *p, const char *type, struct vec *warnings);
struct process *image_process_add(struct processes *p, const char *type, bool is_default);

/* Of any image: as its label says; without one Entrypoint and Cmd (OCI image specification, config.md) are "web".
 * ERR_FAILED where there is no command. Release *ret. */
int image_any_processes(const json_t *config, struct processes *ret, struct vec *warnings, struct err *err);

#endif
