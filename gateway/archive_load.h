/* libarchive, loaded by the roles that read archives. It brings libxml2 and ICU along: a session would start
 * 15 ms later and be 0.5 MiB larger. */
#ifndef SLIPWAY_GATEWAY_ARCHIVE_LOAD_H
#define SLIPWAY_GATEWAY_ARCHIVE_LOAD_H

#include "base/err.h"

#include <archive.h>
#include <archive_entry.h>

#define ARCHIVE_SONAME "libarchive.so.13" /* libarchive's ABI since 3.0 */

/* The functions that gateway/archive.c and gateway/image_archive.c call, without "archive_". */
#define ARCHIVE_FUNCTIONS(X)                                                                       \
    X(read_new) X(read_free) X(read_open) X(read_open_fd) X(read_next_header) X(read_data)          \
    X(read_support_filter_zstd) X(read_support_format_raw)                                         \
    X(read_support_filter_gzip) X(read_support_format_tar) X(read_support_format_zip_seekable)      \
    X(format) X(error_string)                                                                      \
    X(entry_pathname) X(entry_hardlink) X(entry_symlink) X(entry_filetype) X(entry_perm)            \
    X(entry_size) X(entry_size_is_set) X(entry_is_encrypted)

struct archive_api {
#define ARCHIVE_MEMBER(name) __typeof__(archive_##name) *name;
    ARCHIVE_FUNCTIONS(ARCHIVE_MEMBER)
#undef ARCHIVE_MEMBER
};

/* Valid after archive_load. */
extern struct archive_api libarchive;

/* Loads the library; the second call does nothing. */
int archive_load(struct err *err);

/* "the archive can't be read: …" as ERR_FAILED, with what the library says of it. Returns -1. */
int archive_damaged(struct archive *a, struct err *err);

#endif
