/* Removing the files of images that people have sent (base/image_file.h), once nobody needs them. */
#ifndef SLIPWAY_DEPLOYER_IMAGE_SWEEP_H
#define SLIPWAY_DEPLOYER_IMAGE_SWEEP_H

#include "sql/store.h"

/* Removes those that no release that isn't published yet names, and those that a session which has ended was writing. Costs
 * next to nothing where there are none. Errors are logged: what stays is tried again by the next worker. */
void image_sweep(struct store *s);

#endif
