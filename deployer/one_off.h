/* One-off commands: what is the same wherever they run. */
#ifndef SLIPWAY_DEPLOYER_ONE_OFF_H
#define SLIPWAY_DEPLOYER_ONE_OFF_H

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>

#define ONE_OFF_KEEP_S (24 * 3600) /* for how long a detached one that has ended can be asked about; help says it, too */

#define RUN_NAME_PREFIX "run."
#define RUN_CRON_PREFIX "cron." /* of one that a schedule has started */
#define RUN_NUMBER_SIZE 32

/* Scheduled tasks: how late one may be started, how long it may run, in whose name. */
#define CRON_LATE_S 300
#define CRON_TTL_S (24 * 3600)
#define CRON_USER "cron"

/* "run.48213" to "48213": digits; "cron.1a2b3c4d-29384756" to "1a2b3c4d-29384756": a task's id and the minute since
 * 1970 that it was due. Either also without its prefix. -1 with ERR_USAGE. */
int run_number_parse(const char *name, char ret[RUN_NUMBER_SIZE], struct err *err);

/* The other way; the caller frees it. */
char *run_name(const char *number);
/* True for one that a schedule has started. */
bool run_is_cron(const char *number);

/* Who this process is, for whoever finds what it has left: "BOOT PID START"; the caller's. */
char *run_owner(struct err *err);
/* True where the owner was a process of this machine that is no more. */
bool run_owner_is_dead(const char *owner);

/* The container's command: argv exactly, or argv[0] as a line for a shell, or, without any, a shell alone. The
 * launcher, where the image has it, sets the buildpacks' environment; a sh behind it runs `first` ("" or statements that end in ";"),
 * and gives the usual codes for a program that isn't there (127, 126). Appended to ret. */
void run_command(struct vec *ret, const char *first, char *const *argv, bool shell);

/* A target lets a command go on that was started in a running process and whose client went away. Each is marked by
 * a variable of its own, which all that it starts inherits, and is looked for by it: `sh -c RUN_END_SCRIPT sh VALUE`
 * in the same process ends it. */
#define RUN_MARK "SLIPWAY_ENTER"
#define RUN_MARK_BYTES 8
#define RUN_END_SCRIPT                                                                             \
    "end() { for p in /proc/[0-9]*; do"                                                            \
    " if grep -qzF \"" RUN_MARK "=$2\" $p/environ 2>/dev/null; then kill -$1 ${p#/proc/} 2>/dev/null; fi;" \
    " done; }; end HUP \"$1\"; end TERM \"$1\"; sleep 3; end KILL \"$1\""

#endif
