/* The process of its own that reads what a person sends to a session (roles "archive" and "image"), and programs like it:
 * started, waited for while the person's connection is kept alive, and ended. */
#ifndef SLIPWAY_GATEWAY_READER_H
#define SLIPWAY_GATEWAY_READER_H

#include "base/spawn.h"
#include "gateway/command.h"

struct reader {
    pid_t pid;       /* 0: it doesn't run */
    int pidfd;
    int result;      /* what it says in the end; -1 */
};
#define READER_INIT { .pidfd = -1, .result = -1 }

int reader_pipe(int *ret_read, int *ret_write, struct err *err);

/* Starts the role with the limits of [git] on time and memory; max_file: of what it writes, 0:
 * as for a push. */
int reader_start(struct reader *r, const struct conf *c, const char *role, int in, int out, uint64_t max_file, struct err *err);

/* Waits for its end, until `deadline` (loop_now). ERR_DOWN where the person has gone. */
int reader_wait(struct reader *r, struct command_ctx *c, uint64_t deadline, struct spawn_result *ret, struct err *err);

/* What a program that has ended left in a pipe. */
void reader_text(int fd, char *ret, size_t size);

/* Kills it where it still runs. */
void reader_stop(struct reader *r);

#endif
