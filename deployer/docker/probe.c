#include "config.h"

#include "deployer/docker/probe.h"

#include "base/loop.h"
#include "base/mem.h"
#include "deployer/docker/docker.h"

#include <stdlib.h>
#include <string.h>

enum verdict { VERDICT_NONE, VERDICT_GOOD, VERDICT_BAD };

static void call_end(struct probe *p)
{
    if (p->call != NULL)
        http_cancel(p->call);
    p->call = NULL;
    http_response_release(&p->response);
    http_response_init(&p->response);
}

void probe_release(struct probe *p)
{
    call_end(p);
    http_response_release(&p->response);
}

static int body_drop(const char *data, size_t n, void *arg)
{
    (void) data, (void) n, (void) arg;
    return 0;
}

/* NULL: the port's own. */
static const struct app_json_check *check_at(const struct app_json *a, int stage)
{
    return app_json_check_find(a, PROCESS_WEB, stage == 0 ? CHECK_STARTUP : CHECK_READINESS);
}

static enum verdict http_ask(struct probe *p, struct http *h, const struct app_json_check *c, const char *address,
                             int port, char **ret_how)
{
    cleanup_free char *url = xasprintf("http://%s:%d%s", address, port, c->path);
    struct http_request q = { .method = "GET", .url = url, .timeout_ms = c->timeout_s * 1000L, .on_body = body_drop };
    struct err why = ERR_INIT;
    int rc;

    if (p->call == NULL) {
        http_response_release(&p->response);
        http_response_init(&p->response);
        p->call = http_start(h, &q, &p->response, &why);
        if (p->call != NULL)
            return VERDICT_NONE;
        *ret_how = xasprintf("GET %s: %.200s", c->path, why.msg);
        return VERDICT_BAD;
    }
    rc = http_done(p->call, &why);
    if (rc == 0)
        return VERDICT_NONE;
    p->call = NULL;
    if (rc > 0 && p->response.status >= 200 && p->response.status < 400)
        return VERDICT_GOOD;
    *ret_how = rc > 0 ? xasprintf("GET %s answered %ld", c->path, p->response.status)
                      : xasprintf("GET %s: %.200s", c->path, why.msg);
    return VERDICT_BAD;
}

static enum verdict ask(struct probe *p, struct http *h, const struct app_json_check *c, const char *address,
                        char **ret_how)
{
    int port = c->port != 0 ? c->port : WEB_PORT;

    if (c->path != NULL)
        return http_ask(p, h, c, address, port, ret_how);
    if (port_answers(address, port))
        return VERDICT_GOOD;
    *ret_how = xasprintf("port %d accepts no connection", port);
    return VERDICT_BAD;
}

int probe_service(struct probe *p, struct http *h, const struct app_json *checks, const char *address, int64_t since,
                  char **failed)
{
    if (p->since != since) {
        call_end(p);
        *p = (struct probe) { .since = since, .response = p->response };
    }
    while (p->stage < 2) {
        const struct app_json_check *c = check_at(checks, p->stage);
        cleanup_free char *how = NULL;
        int64_t now = (int64_t) loop_now();

        if (*failed != NULL)
            return PROBE_WAITS;
        if (c == NULL && p->stage == 0 && !port_answers(address, WEB_PORT))
            return PROBE_KNOCKING;
        if (c != NULL) {
            if (p->due == 0)
                p->due = (p->stage == 0 ? since : now) + c->initial_delay_s * 1000LL;
            if (now < p->due)
                return (int) (p->due - now);
            switch (ask(p, h, c, address, &how)) {
            case VERDICT_NONE:
                return PROBE_WAITS;
            case VERDICT_BAD:
                p->due = now + c->wait_s * 1000LL;
                /* Readiness may take as long as the rollout. */
                if (++p->failures >= c->attempts && p->stage == 0)
                    *failed = xasprintf("did not pass its startup check: %s (%d attempt%s)", how, p->failures,
                                        p->failures == 1 ? "" : "s");
                continue;
            case VERDICT_GOOD:
                break;
            }
        }
        p->stage++;
        p->failures = 0;
        p->due = 0;
    }
    return PROBE_PASSED;
}
