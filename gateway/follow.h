/* Following a build or a release from a connection: its log file is relayed line by line as it grows,
 * until its row has ended. Nothing here changes the work: a connection that goes away changes nothing. */
#ifndef SLIPWAY_GATEWAY_FOLLOW_H
#define SLIPWAY_GATEWAY_FOLLOW_H

#include "gateway/command.h"

/* Relays to io->out. A queued build says once behind which build it waits. When the build has made a
 * release, goes on with the release's log. Returns 0 when it has ended (*ret: the final row; release it),
 * 1 when the peer is gone, 2 when the server is stopping and the work was handed to its next start
 * (the person is told how to attach again), -1 with err. */
int follow_build(struct store *s, struct command_io *io, int64_t build_id, struct build *ret, struct err *err);
int follow_release(struct store *s, struct command_io *io, int64_t release_id, struct release *ret, struct err *err);

#endif
