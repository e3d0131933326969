/* Copying blobs between two registries, or from a file into one: the transfers in flight and their state. */
#ifndef SLIPWAY_DEPLOYER_BLOB_H
#define SLIPWAY_DEPLOYER_BLOB_H

#include "base/digest.h"
#include "base/err.h"
#include "base/oci.h"

#include <stdbool.h>
#include <stdint.h>

struct blob {
    char digest[DIGEST_SIZE];
    int64_t size;
    int64_t offset;          /* in a file */
};

struct blob_copy {
    struct oci *from, *to;   /* share a driver; from NULL: the blobs are in a file */
    const char *from_repository, *to_repository;
    int file;
    bool mount;              /* one host: ask the registry to take blobs from from_repository */
    const struct blob *v;
    size_t n;
    /* Called when a blob is there, and now and then while one moves. copied: bytes sent so far. */
    void (*progress)(void *arg, size_t done, int64_t copied);
    void *progress_arg;
};

/* Makes all of them be in to_repository. Spec: OCI distribution 1.1, "Pushing a blob monolithically" (POST, then PUT
 * with the body), for larger ones "Pushing a blob in chunks" (PATCH, resumed where it was cut), and "Mounting a blob
 * from another repository". */
int blob_copy_all(const struct blob_copy *c, struct err *err);

#endif
