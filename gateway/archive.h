/* An archive (tar, tar.gz, zip) as the files of a commit, in the language of git-fast-import(1). */
#ifndef SLIPWAY_GATEWAY_ARCHIVE_H
#define SLIPWAY_GATEWAY_ARCHIVE_H

#include "base/conf.h"
#include "base/err.h"

/* Reads the archive from `in`, which can be seeked, and writes a filemodify or filecopy command for each file and
 * link to `out`. Where all lies in one folder at the top, that folder is left out, as Dokku does. Every entry is
 * checked before the first is written: paths (archive_path.h), links that would leave the tree, kinds other
 * than files, folders and links, and conf's [git] limits on number, sizes and depth. Contents are read by libarchive in
 * pieces. ERR_FAILED with one sentence; ERR_DOWN where `out` takes no more. */
int archive_write(const struct conf *c, int in, int out, struct err *err);

#endif
