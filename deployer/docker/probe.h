/* The healthchecks of a web container while it starts: first the startup check (without one: its port accepts a
 * connection), then the readiness check. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_PROBE_H
#define SLIPWAY_DEPLOYER_DOCKER_PROBE_H

#include "base/http.h"
#include "sql/app_json.h"

#include <stdint.h>

struct probe {
    int64_t since;           /* the start that it looks at */
    int stage;               /* checks passed */
    int failures;            /* of the check that it is at */
    int64_t due;             /* not before */
    struct http_call *call;  /* in flight */
    struct http_response response;
};

#define PROBE_WAITS (-1)     /* for an answer, or it has failed */
#define PROBE_PASSED (-2)    /* all of them */
#define PROBE_KNOCKING (-3)  /* the port refuses: to be tried again soon */

/* Goes on with it, without waiting. since: when the container was started (loop_now). Returns ms until it wants to be
 * called again, or one of these. *failed: set (the caller's to free) where a startup check has used up its attempts:
 * "did not pass its startup check …". */
int probe_service(struct probe *p, struct http *h, const struct app_json *checks, const char *address, int64_t since,
                  char **failed);
void probe_release(struct probe *p);

#endif
