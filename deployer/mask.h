/* Hides config values in text that people will read. Best effort: a value that a program prints in
 * pieces or encoded is not found. */
#ifndef SLIPWAY_DEPLOYER_MASK_H
#define SLIPWAY_DEPLOYER_MASK_H

#include "base/buf.h"
#include "sql/model.h"

#define MASK_MIN 8 /* bytes; shorter values ("true", "8080") would hide half of every log */

/* Appends line to out, with each value of the set (each line of it where it has several) replaced by
 * "[NAME hidden]". NULL: nothing is hidden. What does not fit into out is cut. */
void mask_line(const struct config_set *config, const char *line, struct buf *out);

#endif
