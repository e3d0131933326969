/* A command in the target with the person at its other end: input, output and the terminal's size go
 * through the deployer's stream (base/ipc.h), each way as fast as its reader takes it. */
#ifndef SLIPWAY_GATEWAY_ATTACH_H
#define SLIPWAY_GATEWAY_ATTACH_H

#include "gateway/command.h"

#include <jansson.h>

/* Sends the request (borrowed; its members "tty", "cols", "rows" and "term" are set here from the person's
 * terminal; a terminal is given unless no_tty) and stays until the command has ended. 0: *ret_exit is its exit
 * code; the person may have gone away, then the stream ends it. -1: the stream's code and sentence; ERR_DOWN
 * where the deployer does not answer, or died. */
int attach_run(struct command_ctx *c, json_t *request, bool no_tty, int *ret_exit, struct err *err);

#endif
