/* Running git's own programs: fixed arguments, a fixed environment, nobody's configuration. */
#ifndef SLIPWAY_GATEWAY_GITPROG_H
#define SLIPWAY_GATEWAY_GITPROG_H

#include "base/conf.h"
#include "base/err.h"
#include "base/spawn.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

/* The environment of a git program that works on the repository at `repo`; objects, where not NULL, is
 * where it writes new objects, with the repository's own readable beside them. */
void gitprog_env(struct vec *ret, const char *repo, const char *objects);

/* "git" and the options that hold for all programs. The caller adds the program and its arguments. */
void gitprog_argv(struct vec *ret);

/* Milliseconds that receiving so many bytes of a push, and checking them, may take: index_time, and as long as a slow line
 * needs. A large push over such a line is slow all along; a peer that sends next to nothing gets index_time. */
uint64_t gitprog_time_ms(const struct conf *c, uint64_t bytes);

/* Limits and process group of conf for a program that reads what a client sent. */
void gitprog_limit(struct spawn *s, const struct conf *c);

/* -1 with the sentence that names the limit, where a program ended because of one of them; why: from gitprog_reason. */
int gitprog_limit_reached(const struct conf *c, const struct spawn_result *r, const char *why, struct err *err);

/* A pipe to or from a program, close-on-exec; our end does not block. */
int gitprog_pipe(int *ours, int *theirs, bool we_write, struct err *err);

/* Closes our end (or the other), if it is open; it is -1 then. */
void fd_drop(int *fd);

/* Why a git program failed, from its standard error: the first line that says fatal or error, else the
 * last one; made fit to be shown, at most size bytes. */
void gitprog_reason(const struct buf *err_out, char *ret, size_t size);

/* -1 with a sentence for who pushed, where why (of gitprog_reason, or an error's message) says that the disk, or the share
 * of it that the server may have, is full; else 0. */
int gitprog_disk_full(const char *why, struct err *err);

#endif
