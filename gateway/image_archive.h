/* The archive that docker save writes (docker's own layout, and the one with an OCI layout in it that Docker 25 and later
 * write; uncompressed or gzip), as an image file. */
#ifndef SLIPWAY_GATEWAY_IMAGE_ARCHIVE_H
#define SLIPWAY_GATEWAY_IMAGE_ARCHIVE_H

#include "base/conf.h"
#include "base/err.h"
#include "base/image_ref.h"

/* Reads the archive from `in` to its end, once and from front to back, and writes an image file (base/image_file.h) to
 * `out`, which is empty and can be read, too. wanted: as image_entry_choose has it. Contents are bounded by [git]
 * max_image; paths and links must stay in the archive; names that are digests, the layers' digests and the ids that the
 * image's configuration gives them are checked. ret_name: the image's own name, the caller frees it. ERR_USAGE or
 * ERR_FAILED with one sentence. */
int image_archive_read(const struct conf *c, const struct image_ref *wanted, int in, int out, char **ret_name,
                       struct err *err);

#endif
