/* What the files of `logs` share. */
#ifndef SLIPWAY_GATEWAY_CMD_LOGS_H
#define SLIPWAY_GATEWAY_CMD_LOGS_H

#include "gateway/cmd.h"

/* One of six SGR colours for a name (n bytes), the same each time. */
int logs_color(const char *name, size_t n);

/* Whose output, beside that of processes. */
enum logs_source { LOGS_PROCESSES, LOGS_BUILDS, LOGS_RELEASES, LOGS_ROUTER };

/* What builds or releases have printed, in the order in which they were made, each line behind "build.57" or
 * "release.v9" (--json: "time" is null): the last `lines` lines of those of the last since_s seconds (0: no limit). lines
 * -1: LOG_PAST_MAX, and where there are older ones a line in front says so. follow: and what comes, until the person
 * goes. */
int logs_output(struct command_ctx *c, enum logs_source source, long long lines, long long since_s, bool follow,
                struct err *err);

#endif
