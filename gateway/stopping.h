/* A server that stops still lets people in, so that they hear why their push isn't taken. */
#ifndef SLIPWAY_GATEWAY_STOPPING_H
#define SLIPWAY_GATEWAY_STOPPING_H

#include <stdbool.h>

/* True once the server with this state folder has begun to stop (the supervisor makes STATE/run/draining). */
bool server_is_stopping(const char *state);

#endif
