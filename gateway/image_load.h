/* From docker save's archive on a person's standard input to a file that a release worker publishes. */
#ifndef SLIPWAY_GATEWAY_IMAGE_LOAD_H
#define SLIPWAY_GATEWAY_IMAGE_LOAD_H

#include "base/digest.h"
#include "gateway/command.h"

struct image_load {
    int fd;                    /* the file, locked (flock) */
    char *path;                /* its name, until image_load_keep */
    char *name;                /* the image's in the archive; "" where it has none */
    char digest[DIGEST_SIZE];  /* of its manifest */
    char *architecture;        /* as its configuration says; "" where it doesn't */
    size_t layers;
    int64_t bytes;             /* of all that is to be published */
    struct processes processes;
    struct vec warnings;       /* about them */
};
void image_load_release(struct image_load *l); /* removes the file where it was not kept */

/* Reads all of standard input: a process of its own (role "image") takes it apart while it comes. wanted (NULL: the only
 * one): the name of the image. What breaks off changes nothing. ERR_DOWN where the person went away. */
int image_load(struct command_ctx *c, const char *wanted, struct image_load *ret, struct err *err);

/* Gives the file the name that a release's row has (release_new.image_file). In the transaction that makes that row: who
 * removes files that no row names takes one, too. The caller frees *ret_name. */
int image_load_keep(struct image_load *l, char **ret_name, struct err *err);

#endif
