/* Files and folders of the state folder: whole reads and writes that survive a crash. */
#ifndef SLIPWAY_BASE_PATH_H
#define SLIPWAY_BASE_PATH_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole file into b (which bounds it). A missing file is ERR_NOT_FOUND. */
int path_read(const char *path, struct buf *b, struct err *err);

/* Writes path whole or not at all: temporary file in the same folder, fsync, rename, fsync of the folder. */
int path_write(const char *path, const void *data, size_t n, mode_t mode, struct err *err);

/* Makes a folder (parents must exist) with exactly this mode; an existing folder is fine and keeps its mode. */
int path_mkdir(const char *path, mode_t mode, struct err *err);

/* Removes a folder and all below it; follows no symlink, crosses no mount. Missing is fine. */
int path_remove_all(const char *path, struct err *err);

/* What a folder and all below it take on the disk, in bytes; follows no symlink, crosses no mount. What can't be looked into,
 * or goes meanwhile, isn't counted. A folder that is missing takes nothing. */
int path_size(const char *path, int64_t *ret, struct err *err);

/* How many bytes are free, and how many there are, on the disk on which this is. ret_size may be NULL. */
int path_room(const char *path, int64_t *ret_free, int64_t *ret_size, struct err *err);

/* Opens a file of the state folder that several roles write to, for reading and writing. Whoever makes it gives it its mode,
 * past the umask, for the others. The descriptor, or -1. */
int path_open_shared(const char *path, struct err *err);

/* True where the path exists (symlinks followed). */
bool path_exists(const char *path);

/* Writes all n bytes to fd, through EINTR and short writes. */
int fd_write_all(int fd, const void *data, size_t n, struct err *err);

#endif
