/* What the daemon starts of the gateway: one listener, and a session for each connection. */
#ifndef SLIPWAY_GATEWAY_GATEWAY_H
#define SLIPWAY_GATEWAY_GATEWAY_H

#include "base/conf.h"

#include <signal.h>

/* Tells a listener that is stopping that nothing else of the server runs any more. */
#define LISTENER_ALONE SIGUSR1

/* The listener's role: accepts on listen_fd, which is listening already and becomes its own, and gives each
 * connection that begins to speak SSH to a session process. SIGTERM: the server stops, which sessions tell
 * whoever still comes, until LISTENER_ALONE; then no new connections, and it waits for the sessions. SIGHUP:
 * reads the configuration again. Returns the exit code. */
int listener_main(const struct conf *c, int listen_fd);

/* A session's role: `fd` is its end of the listener's socket pair, from which the connection comes
 * (gateway/handoff.h). Serves one connection and returns the exit code. */
int session_main(const struct conf *c, int fd);

/* Where a session finds its settings. */
#define SESSION_CONF_FD 4
#define SESSION_CONF_PATH "/dev/fd/4"

/* The role that reads an archive from somebody's standard input (gateway/archive.h), for the session that starts it:
 * from standard input to standard output, both files or pipes, and why it failed, one sentence, to result_fd. Returns
 * the exit code. */
#define ARCHIVE_RESULT_FD 3
int archive_main(const struct conf *c, int result_fd);
/* The same for docker save's archives (gateway/image_archive.h): a line with the name of the image that is wanted ("":
 * the only one) stands in front of the archive, output is an empty file that can be read, too, and the result of
 * success is the image's name. */
int image_archive_main(const struct conf *c, int result_fd);

#endif
