#include "config.h"

#include "deployer/docker/docker.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>

static const char *state_text(const struct container *c, const struct container_status *s, bool ready)
{
    if (c->retired)
        return "stopping";
    switch (s->state) {
    case CONTAINER_RUNNING:
        return ready ? "running" : "starting";
    case CONTAINER_RESTARTING:
    case CONTAINER_EXITED:
        return "crashed";
    default:
        return "pending";
    }
}

static char *reason_text(const struct target *t, const struct container_status *s)
{
    cleanup_free char *how = NULL;

    if (s->state == CONTAINER_RUNNING)
        return NULL;
    if (s->error != NULL)
        return xstrdup(s->error);
    if (s->oom)
        return xasprintf("ran out of memory (limit %s)", t->conf->memory_limit);
    if (s->started_at == 0)
        return NULL;
    how = container_exit_text(s->exit_code);
    return xasprintf("ended (%s)", how);
}

static void instance_fill(const struct target *t, const struct container *c, const json_t *doc,
                          struct target_instance *ret)
{
    struct container_status s;
    bool web = c->set >= 0;

    container_status_read(doc, &s);
    ret->ready = s.state == CONTAINER_RUNNING && !c->retired && (!web || port_answers(c->address, WEB_PORT));
    ret->name = container_instance(c);
    ret->id = xstrdup(c->name);
    ret->process = xstrdup(c->process);
    ret->state = xstrdup(state_text(c, &s, ret->ready));
    ret->reason = reason_text(t, &s);
    ret->release_version = c->version;
    ret->restarts = s.restarts;
    ret->started_at = s.state == CONTAINER_RUNNING ? s.started_at : 0;
    container_status_release(&s);
}

int docker_list(struct target *t, const struct app *app, struct target_instance **ret, size_t *ret_n,
                struct err *err)
{
    struct containers have;
    struct engine_op *ops;
    size_t n = 0;

    if (app_containers(t, app->handle, &have, err) < 0)
        return -1;
    ops = xcalloc(have.n + 1, sizeof(*ops));
    for (size_t i = 0; i < have.n; i++) {
        ops[i].method = "GET";
        ops[i].path = xasprintf("/containers/%s/json", have.v[i].id);
    }
    (void) engine_do_all(t->engine, ops, have.n, NULL); /* what went meanwhile has no answer */
    *ret = xcalloc(have.n + 1, sizeof(**ret));
    for (size_t i = 0; i < have.n; i++) {
        if (ops[i].answer != NULL && deploy_is_service(have.v[i].process))
            instance_fill(t, &have.v[i], ops[i].answer, &(*ret)[n++]);
        engine_op_release(&ops[i]);
    }
    free(ops);
    containers_release(&have);
    *ret_n = n;
    return 0;
}
