/* Asking the deployer for live things: what runs, its log lines, a restart. The session connects to
 * STATE/run/deployer.sock and speaks base/ipc.h's frames, one request per connection.
 *
 * The session sends one IPC_REQUEST, a JSON object. It has checked the person's permission; the stream
 * checks only that the app exists. app_id is apps.id. Members that are null or absent mean "all".
 *
 *   {"op": "list", "app_id": N, "target": "kubernetes" | null (where the app is)}
 *       IPC_STDOUT frames whose payloads, joined, are one JSON array, an object per instance:
 *       {"name": "web.1", "id": "shop-web-6d5f-x2x7k", "process": "web",
 *        "state": "running" | "starting" | "crashed" | "stopping" | "pending",
 *        "reason": string | null, "release": 7 (0: unknown), "restarts": 0,
 *        "started_at": ms since 1970 (0: not started), "ready": true}
 *
 *   {"op": "logs", "app_id": N, "process": "web" | null, "instance": "web.1" | null,
 *    "tail": lines of all together (-1: at most 10000, and a line says so), "since": seconds back from now (0: no limit), "follow": bool,
 *    "router": bool (what came to the app's address; process and instance are null)}
 *       IPC_STDOUT frames with whole lines, each "2026-01-02T03:04:05Z web.1 text\n". With follow until
 *       the session closes the connection; new instances are taken in as they appear.
 *
 *   {"op": "restart", "app_id": N, "process": "web" | null}
 *       IPC_STDOUT frames with whole lines of progress; ends when the new instances serve. Where the
 *       session goes away the restart is carried to its end all the same.
 *
 *   {"op": "config", "app_id": N, "version": config version, "names": ["A", …] | null}
 *       IPC_STDOUT frames whose payloads, joined, are one JSON object {"A": "value", …}: the values in run
 *       scope, opened with the run key (sql/seal.h), of that config version. Names that the version does not
 *       have in run scope are left out. (A session can seal values but not open them.) Never logged.
 *
 *   {"op": "maintenance", "app_id": N, "on": bool}
 *       Nothing but the result: web's address shows the maintenance page from then on, or the app.
 *
 *   {"op": "certificates", "app_id": N}
 *       IPC_STDOUT frames whose payloads, joined, are one JSON array, an object for each of the app's host names:
 *       {"host": "www.example.com", "issuer": "CN = …" | null (none is shown), "not_before": ms since 1970, "not_after",
 *        "error": string | null, "error_at": ms since 1970 (0: no error)}
 *
 * Then one IPC_RESULT {"code": enum err_code, "error": string | null}, and the stream closes. A stream
 * that closes without IPC_RESULT has died. IPC_STDERR text is shown to the person as it is.
 * Closing its end is how a session stops a stream that follows. */
#ifndef SLIPWAY_GATEWAY_LIVE_H
#define SLIPWAY_GATEWAY_LIVE_H

#include "gateway/command.h"

#include <jansson.h>

/* Gets the payloads of IPC_STDOUT as they come. -1 ends the request: the person is gone. */
typedef int live_fn(void *arg, const char *data, size_t n);

/* Sends the request (borrowed) and gives what comes to fn. 0 when the result's code is 0, or when the person
 * went away; else -1 with the stream's code and sentence; ERR_DOWN where the deployer does not answer. */
int live_request(struct command_ctx *c, const json_t *request, live_fn *fn, void *arg, struct err *err);

/* The same for an answer that is one JSON document. The caller decrefs it; NULL with err.code ERR_NONE
 * where the person went away. */
json_t *live_document(struct command_ctx *c, const json_t *request, struct err *err);

#endif
