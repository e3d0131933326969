/* The first admin's public key: out of a file, or found where it mostly lies. */
#ifndef SLIPWAY_DAEMON_ADMIN_KEY_H
#define SLIPWAY_DAEMON_ADMIN_KEY_H

#include "base/err.h"

#define ADMIN_KEY_MAX (32 * 1024) /* of a file; the longest public keys have some 3 KiB */

/* Reads the file ("-": standard input) and takes its first line that is a public key, so that an authorized_keys
 * file will do, too. *ret is that line, which the caller frees. ERR_USAGE: why the first line is none. */
int admin_key_read(const char *file, char **ret, struct err *err);

/* Looks for one in ~/.ssh of who started this (of who called sudo(8)): authorized_keys, with which they came onto this
 * server, then id_*.pub. *ret_file and *ret are NULL where there is none; the caller frees both. */
void admin_key_find(char **ret_file, char **ret);

#endif
