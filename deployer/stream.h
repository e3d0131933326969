/* One request of a session about what runs, served by a process of its own (role "stream"). */
#ifndef SLIPWAY_DEPLOYER_STREAM_H
#define SLIPWAY_DEPLOYER_STREAM_H

#include "base/conf.h"
#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one IPC_REQUEST from fd (a stream socket to a session), serves it, and ends with IPC_RESULT. The
 * session has checked the person's permission. The operations:
 *   {"op": "list", "app_id": N, "target"}    instances as one JSON array
 *   {"op": "logs", "app_id": N, "process", "instance", "tail", "since", "follow", "router"}
 *   {"op": "follow", "app_id": N, "target"}  from another stream: be the app's reader of logs (deployer/log_join.h)
 *   {"op": "restart", "app_id": N, "process"}
 *   {"op": "config", "app_id": N, "version", "names"}   opened values of the run scope as one JSON object
 *   {"op": "plan", "app_id": N, …}           deployer/stream_plan.h
 *   {"op": "maintenance", "app_id": N, "on"}
 *   {"op": "certificates", "app_id": N}
 *   {"op": "run" | "exec" | "run-list" | "run-logs" | "run-stop", "app_id": N, …}   deployer/stream_run.h
 * Returns the process's exit code: 0 where a result was sent, whatever it says. */
int stream_main(const struct conf *c, int fd);

/* A request, checked. Strings are borrowed from doc. */
struct stream_request {
    enum stream_op { STREAM_LIST, STREAM_LOGS, STREAM_RESTART, STREAM_CONFIG, STREAM_RUN, STREAM_EXEC,
                     STREAM_RUN_LIST, STREAM_RUN_LOGS, STREAM_RUN_STOP, STREAM_PLAN, STREAM_MAINTENANCE,
                     STREAM_FOLLOW, STREAM_CERTIFICATES } op;
    int64_t app_id;
    const char *process, *instance; /* NULL: all */
    const char *target;             /* NULL: the app's */
    int tail;                       /* -1: all */
    int64_t since_s;                /* 0: no limit */
    bool follow, on;
    bool router;                    /* what came to the app's address, instead of what it prints */
    int64_t version;
    const json_t *names;            /* array of strings; NULL: all */
    const json_t *doc;              /* for stream_run_read and stream_plan_read */
};

/* Checks types and ranges. ERR_USAGE. Pure. */
int stream_request_read(const json_t *doc, struct stream_request *ret, struct err *err);

#endif
