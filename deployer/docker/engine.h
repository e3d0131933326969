/* A client of the Docker Engine API over its Unix socket. The API's version is negotiated at the
 * first request. Errors: ERR_DOWN where the engine does not answer, ERR_NOT_FOUND for 404, ERR_BUSY for 409,
 * ERR_DENIED where a registry refuses, ERR_FAILED for other refusals, with the engine's own message.
 * Source: docs.docker.com/engine/api v1.41 (Docker 20.10) and later. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_ENGINE_H
#define SLIPWAY_DEPLOYER_DOCKER_ENGINE_H

#include "base/err.h"
#include "base/vec.h"
#include "deployer/docker/demux.h"
#include "deployer/target.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;
struct http;

/* Opens no connection yet. */
struct engine *engine_new(const char *socket, struct err *err);
void engine_free(struct engine *e);

/* The client of all requests, to be shared: what it polls, engine_wait drives. */
struct http *engine_http(struct engine *e);

/* What every wait from now on watches besides the engine's answers (deployer/target.h); NULL: nothing. The
 * call must stay until it is replaced. */
void engine_set_call(struct engine *e, const struct target_call *call);

/* Until something happens, at most timeout_ms (-1: no limit). extra_fd (-1: none) ends the wait too where the call has
 * no wake_fd of its own; *ret_extra (may be NULL) says so. ERR_FAILED "canceled" where the caller gives up. */
int engine_wait(struct engine *e, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err);

/* One request. path: behind the version, "/containers/json?all=1". body: NULL or a document. ret (may be NULL):
 * the answer's document, the caller's; NULL where it has none. 304 ("already so") is success. */
int engine_do(struct engine *e, const char *method, const char *path, const json_t *body, json_t **ret,
              struct err *err);

/* Several requests at a time. */
struct engine_op {
    const char *method;
    char *path;              /* owned */
    json_t *body;            /* owned; NULL: none */
    json_t *answer;          /* owned; NULL: none */
    struct err err;          /* ERR_NONE: it went well */
};
/* Sends all, some side by side. -1 and the first error where one failed; the others' ends are in v. */
int engine_do_all(struct engine *e, struct engine_op *v, size_t n, struct err *err);
void engine_op_release(struct engine_op *op);

/* A request in flight whose answer does not matter until it is there. timeout_ms -1: none. */
struct engine_call;
struct engine_call *engine_start(struct engine *e, const char *method, const char *path, long timeout_ms,
                                 struct err *err);
/* 1: went well, 0: still running, -1: failed. After 1 or -1 it is freed. */
int engine_done(struct engine_call *c, struct err *err);
void engine_cancel(struct engine_call *c);

/* A streamed answer: logs (DEMUX_FRAMES), events or progress (DEMUX_LINES). fn is called inside waits and must not
 * start or end requests. headers (may be NULL): more headers, as for base/http.h. */
struct engine_stream;
struct engine_stream *engine_stream_open(struct engine *e, const char *method, const char *path,
                                         const struct vec *headers, enum demux_form form, size_t line_max,
                                         demux_line_fn *fn, void *arg, struct err *err);
/* 1: at its end, 0: still open, -1: failed. */
int engine_stream_done(struct engine_stream *s, struct err *err);
void engine_stream_close(struct engine_stream *s);

/* The minor number of the API's version, and the socket's path. */
int engine_version(struct engine *e, const char **ret_socket, struct err *err);

/* A request whose answer is a connection for both directions (Docker Engine API, "Attach to a container", "Hijacking"):
 * returns the non-blocking socket, behind the answer's head; the caller closes it. body: NULL or a document. */
int engine_hijack(struct engine *e, const char *path, const json_t *body, struct err *err);

/* The message of an answer that is an error, for err. Pure. Returns -1. */
int engine_refused(long status, const char *body, size_t n, struct err *err);

#endif
