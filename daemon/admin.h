/* `slipway admin WORD …`: the commands of `ssh git@host WORD …`, on this machine. */
#ifndef SLIPWAY_DAEMON_ADMIN_H
#define SLIPWAY_DAEMON_ADMIN_H

/* Runs a command as a local admin, over standard input and output, and as the sessions' user where
 * started as root. Returns the exit code. */
int admin_run(const char *config, char *const *argv, int argc);

#endif
