/* One file that holds an image between who takes it from a person and who publishes it: its blobs, at any place among
 * other bytes, and at the end a table (JSON) that says where, the manifest's text, and the table's length. */
#ifndef SLIPWAY_BASE_IMAGE_FILE_H
#define SLIPWAY_BASE_IMAGE_FILE_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"

#include <stdint.h>

#define IMAGE_FILE_FOLDER "images"  /* in the state folder */
#define IMAGE_FILE_INCOMING "incoming-" /* how the name of one begins that a session still writes, and has locked (flock) */
#define IMAGE_LAYERS_MAX 256        /* overlay file systems end at 128 layers an image */
#define IMAGE_CONFIG_MAX (8 * 1024 * 1024) /* a buildpack's labels are tens of KiB; nothing sane comes near */

struct image_blob {
    char digest[DIGEST_SIZE];
    int64_t offset, size;
};

struct image_file {
    char *manifest;          /* an OCI image manifest, exactly as it is to be published */
    size_t manifest_len;
    struct image_blob *v;    /* what the manifest names, each once */
    size_t n;
};
void image_file_release(struct image_file *f);

/* Appends the table at the file's position, which is its end. */
int image_file_end(int fd, const struct image_file *f, struct err *err);

/* Reads the table; what it says lies within the file. Whether the bytes have the digests is for who reads them. */
int image_file_read(int fd, struct image_file *ret, struct err *err);

const struct image_blob *image_file_find(const struct image_file *f, const char *digest);

/* n bytes from an offset, all of them or -1. */
int image_file_bytes(int fd, int64_t offset, void *ret, size_t n, struct err *err);

#endif
