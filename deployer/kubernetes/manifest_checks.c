/* healthchecks of app.json as probes. Source: kubernetes.io "Configure Liveness, Readiness and Startup Probes". */
#include "config.h"

#include "deployer/kubernetes/manifest.h"

#include <string.h>

static json_t *port_of(const struct app_json_check *c)
{
    return c->port == 0 ? json_string("http") : json_integer(c->port);
}

static json_t *probe(const struct app_json_check *c)
{
    json_t *p = json_pack("{s:i, s:i, s:i, s:i}", "initialDelaySeconds", c->initial_delay_s, "periodSeconds", c->wait_s,
                          "timeoutSeconds", c->timeout_s, "failureThreshold", c->attempts);

    if (c->command.n > 0) {
        json_t *words = json_array();

        for (size_t i = 0; i < c->command.n; i++)
            json_array_append_new(words, json_string(c->command.v[i]));
        json_object_set_new(p, "exec", json_pack("{s:o}", "command", words));
    } else if (c->path != NULL) {
        json_object_set_new(p, "httpGet", json_pack("{s:s, s:o}", "path", c->path, "port", port_of(c)));
    } else {
        json_object_set_new(p, "tcpSocket", json_pack("{s:o}", "port", port_of(c)));
    }
    return p;
}

void manifest_checks(const struct app_json *a, const char *process, json_t *container)
{
    static const char *const names[] = {
        [CHECK_STARTUP] = "startupProbe", [CHECK_READINESS] = "readinessProbe", [CHECK_LIVENESS] = "livenessProbe",
    };

    for (int t = CHECK_STARTUP; t <= CHECK_LIVENESS; t++) {
        const struct app_json_check *c = app_json_check_find(a, process, (enum check_type) t);

        if (c != NULL)
            json_object_set_new(container, names[t], probe(c));
    }
}

int manifest_boot_limit(const struct release *r)
{
    struct app_json a;
    bool own;

    if (app_json_of(r->app_json, &a, NULL) < 0)
        return BOOT_LIMIT_S;
    own = app_json_check_find(&a, PROCESS_WEB, CHECK_STARTUP) != NULL ||
          app_json_check_find(&a, PROCESS_WEB, CHECK_LIVENESS) != NULL;
    app_json_release(&a);
    return own ? 0 : BOOT_LIMIT_S;
}
