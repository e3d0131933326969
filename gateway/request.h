/* What a client asks for in its exec request: one of git's two services, or a command. Pure. */
#ifndef SLIPWAY_GATEWAY_REQUEST_H
#define SLIPWAY_GATEWAY_REQUEST_H

#include "base/err.h"
#include "base/vec.h"
#include "sql/model.h"

#include <stddef.h>

/* A config value may stand in the line with its quotes; longer input goes through standard input. */
#define REQUEST_LINE_MAX (160 * 1024)

enum request_kind { REQUEST_RECEIVE_PACK, REQUEST_UPLOAD_PACK, REQUEST_COMMAND };

struct request {
    enum request_kind kind;
    char app[APP_NAME_MAX + 1]; /* of the git services; a checked name */
    struct vec words;           /* of a command; at least one */
};
#define REQUEST_INIT { REQUEST_COMMAND, "", VEC_INIT }
void request_release(struct request *r);

/* Parses the exec line (RFC 4254 §6.5) of n bytes. git's services have one exact form,
 *   git-receive-pack PATH | git receive-pack PATH | the same with upload-pack
 * where PATH is APP, /APP, APP.git or /APP.git, bare or in one pair of quotes. Nothing that comes
 * near it is guessed at: options, other paths and other words are ERR_USAGE with what was expected.
 * Every other line is split by command_split; its first word, behind what args_front takes, must look like a
 * command's name. */
int request_parse(const char *line, size_t n, struct request *ret, struct err *err);

#endif
