#include "config.h"

#include "deployer/docker/docker.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A release on its way into service. */
struct deploy {
    char *app;               /* its handle */
    struct route names;      /* only these of its route */
    int64_t version;
    bool restore, restart;
    struct subnet subnet;
    int set, web_count;      /* set -1: web has no instance */
    struct app_json app_json; /* what the release keeps of it */
    struct boot boot;        /* all that shall serve */
    struct vec own;          /* ids of those that are of this release alone: what a failure removes */
};

bool deploy_is_service(const char *process)
{
    return strcmp(process, PROCESS_RELEASE) != 0;
}

void deploy_drop(struct target *t)
{
    if (t->deploy == NULL)
        return;
    boot_release(&t->deploy->boot);
    app_json_release(&t->deploy->app_json);
    vec_release(&t->deploy->own);
    free(t->deploy->app);
    route_release(&t->deploy->names);
    free(t->deploy);
    t->deploy = NULL;
}

/* --- what is wanted */

/* Newer engines say which init they have; one without can't start a container with it. */
static int init_ask(struct target *t, struct err *err)
{
    json_auto_t *version = NULL;
    json_t *component;
    size_t i;

    if (t->init_known)
        return 0;
    if (engine_do(t->engine, "GET", "/version", NULL, &version, err) < 0)
        return -1;
    json_array_foreach(json_object_get(version, "Components"), i, component)
        if (strcmp(json_str(component, "Name", ""), "docker-init") == 0)
            t->init = strcmp(json_str(component, "Version", "N/A"), "N/A") != 0;
    t->init_known = true;
    return 0;
}

/* The engine has no probes: what this process can look at while web starts is what there is. Said before anything runs,
 * also a release command. */
static int checks_allowed(const struct target_release *r, struct err *err)
{
    struct app_json a;
    int rc = 0;

    if (app_json_of(r->release->app_json, &a, err) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < a.n_checks; i++) {
        const struct app_json_check *c = &a.checks[i];
        const char *why = strcmp(c->process, PROCESS_WEB) != 0 ? "only web's healthchecks are"
                        : c->type == CHECK_LIVENESS ? "no liveness check is"
                        : c->command.n > 0 ? "no check by a command is" : NULL;

        if (why != NULL)
            rc = err_set(err, ERR_FAILED, "app.json: healthchecks.%s[%zu] can't be done: %s supported on the Docker "
                         "target", c->process, c->index, why);
    }
    app_json_release(&a);
    return rc;
}

int deploy_input(struct target *t, const struct target_release *r, const char *network, struct container_input *ret,
                 struct err *err)
{
    *ret = (struct container_input) { .conf = t->conf, .app = r->app, .release = r->release, .image = r->image,
                                      .config = r->config, .network = network };
    if (checks_allowed(r, err) < 0 || init_ask(t, err) < 0)
        return -1;
    ret->init = t->init;
    return container_limits_read(t->conf, (int) sysconf(_SC_NPROCESSORS_ONLN), &ret->limits, err);
}

/* A release's processes, each with the document of its containers. */
struct wanted {
    struct plan_want *v;
    json_t **bodies;
    size_t n;
};

static void wanted_release(struct wanted *w)
{
    for (size_t i = 0; i < w->n; i++)
        json_decref(w->bodies[i]);
    free(w->bodies);
    free(w->v);
}

int deploy_count(const struct release *r, const char *process)
{
    int count = formation_count(&r->formation, process);

    return count >= 0 ? count : strcmp(process, PROCESS_WEB) == 0;
}

static int wanted_make(const struct container_input *in, struct wanted *ret, struct err *err)
{
    const struct processes *p = &in->release->processes;
    struct wanted w = { .v = xcalloc(p->n + 1, sizeof(*w.v)), .bodies = xcalloc(p->n + 1, sizeof(*w.bodies)) };

    for (size_t i = 0; i < p->n; i++) {
        if (!deploy_is_service(p->v[i].type))
            continue;
        if (container_render(in, p->v[i].type, &w.bodies[w.n], err) < 0) {
            wanted_release(&w);
            return -1;
        }
        w.v[w.n].process = p->v[i].type;
        w.v[w.n].count = deploy_count(in->release, p->v[i].type);
        container_template(w.bodies[w.n], w.v[w.n].template);
        w.n++;
    }
    *ret = w;
    return 0;
}

static json_t *wanted_shown(const struct wanted *w)
{
    json_t *all = json_array();

    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:o}", "kind", "Container", "process", w->v[i].process,
                                             "count", w->v[i].count, "container", container_public(w->bodies[i])));
    return all;
}

/* --- making it so */

static void ops_free(struct engine_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++)
        engine_op_release(&ops[i]);
    free(ops);
}

static json_t *body_of(const struct wanted *w, const char *process)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->v[i].process, process) == 0)
            return w->bodies[i];
    return NULL;
}

static char *create_path(const struct container_input *in, const struct plan_new *m)
{
    cleanup_free char *name = container_name(in->conf, in->app->handle, m->process, m->number, in->release->version,
                                             randombytes_uniform(0x10000));
    cleanup_free char *escaped = http_escape(name);

    return xasprintf("/containers/create?name=%s", escaped);
}

static int make_all(struct target *t, struct deploy *d, const struct container_input *in, const struct wanted *w,
                    const struct plan *p, struct err *err)
{
    struct engine_op *ops = xcalloc(p->n_make + 1, sizeof(*ops));
    int rc;

    for (size_t i = 0; i < p->n_make; i++) {
        const struct plan_new *m = &p->make[i];
        bool web = strcmp(m->process, PROCESS_WEB) == 0;
        cleanup_free char *address = web ? subnet_web_address(&d->subnet, p->set, m->number) : NULL;

        ops[i].method = "POST";
        ops[i].path = create_path(in, m);
        ops[i].body = json_copy(body_of(w, m->process));
        container_place(ops[i].body, in, m->process, m->number, web ? p->set : -1, m->template, address);
    }
    rc = engine_do_all(t->engine, ops, p->n_make, err);
    for (size_t i = 0; i < p->n_make; i++) {
        const char *id = json_str(ops[i].answer, "Id", NULL);
        bool web = strcmp(p->make[i].process, PROCESS_WEB) == 0;
        cleanup_free char *address = web ? subnet_web_address(&d->subnet, p->set, p->make[i].number) : xstrdup("");

        if (id == NULL)
            continue;
        vec_add(&d->own, id);
        boot_expect(&d->boot, id, p->make[i].process, p->make[i].number, address);
    }
    ops_free(ops, p->n_make);
    return rc < 0 ? err_wrap(err, "a container can't be made") : 0;
}

/* Starts those that were made, and those that were there and stopped. */
static int start_all(struct target *t, const struct deploy *d, const struct vec *stopped, struct err *err)
{
    size_t n = d->own.n + stopped->n, failed = n;
    struct engine_op *ops = xcalloc(n + 1, sizeof(*ops));
    int rc;

    for (size_t i = 0; i < n; i++) {
        ops[i].method = "POST";
        ops[i].path = xasprintf("/containers/%s/start",
                                i < stopped->n ? stopped->v[i] : d->own.v[i - stopped->n]);
    }
    rc = engine_do_all(t->engine, ops, n, err);
    for (size_t i = 0; i < n && failed == n; i++)
        if (ops[i].err.code != ERR_NONE)
            failed = i;
    if (rc < 0 && failed < n) {
        const char *id = failed < stopped->n ? stopped->v[failed] : d->own.v[failed - stopped->n];
        const struct boot_instance *of = boot_find((struct boot *) (uintptr_t) &d->boot, id);

        err_wrap(err, "%s can't be started", of != NULL ? of->process : "a container");
    }
    ops_free(ops, n);
    return rc;
}

static void own_remove(struct target *t, const struct deploy *d)
{
    /* Whoever waits no longer wants what is begun, but it has to be cleared away all the same. */
    engine_set_call(t->engine, NULL);
    for (size_t i = 0; i < d->own.n; i++)
        (void) container_remove(t, d->own.v[i], NULL); /* the reconciler retires what is left */
}

static int plan_do(struct target *t, struct deploy *d, const struct container_input *in, const struct wanted *w,
                   const struct containers *have, const struct plan *p, struct err *err)
{
    cleanup_vec struct vec stopped = VEC_INIT;
    struct err why = ERR_INIT;

    for (size_t i = 0; i < have->n; i++) {
        const struct container *c = &have->v[i];

        if (p->what[i] == PLAN_EVICT && container_remove(t, c->id, err) < 0)
            return -1;
        if (p->what[i] != PLAN_KEEP && p->what[i] != PLAN_START)
            continue;
        if (p->what[i] == PLAN_START)
            vec_add(&stopped, c->id);
        boot_expect(&d->boot, c->id, c->process, c->number, c->address);
        if (strcmp(c->process, PROCESS_WEB) == 0) {
            struct boot_instance *b = &d->boot.v[d->boot.n - 1];

            free(b->address);
            b->address = subnet_web_address(&d->subnet, p->set, c->number);
        }
    }
    if (make_all(t, d, in, w, p, &why) == 0 && start_all(t, d, &stopped, &why) == 0) {
        /* What a worker before us has made for the same release. */
        for (size_t i = 0; i < have->n && !d->restore && !d->restart; i++)
            if ((p->what[i] == PLAN_KEEP || p->what[i] == PLAN_START) && have->v[i].version == d->version)
                vec_add(&d->own, have->v[i].id);
        return 0;
    }
    own_remove(t, d);
    if (err != NULL)
        *err = why;
    return -1;
}

static int begin(struct target *t, struct deploy *d, const struct container_input *in, const struct wanted *w,
                 const char *again, struct err *err)
{
    int live = router_live_set(t->conf, d->app), rc = -1;
    struct containers have;
    struct plan p;

    if (app_containers(t, d->app, &have, err) < 0)
        return -1;
    if (plan_make(w->v, w->n, &have, live, again, &p, err) == 0) {
        d->set = p.set;
        for (size_t i = 0; i < w->n; i++)
            if (strcmp(w->v[i].process, PROCESS_WEB) == 0)
                d->web_count = w->v[i].count;
        rc = plan_do(t, d, in, w, &have, &p, err);
        plan_release(&p);
    }
    containers_release(&have);
    return rc;
}

static int certificate_put(struct target *t, const struct target_release *r, struct err *err)
{
    const struct certificate *c = r->certificate;

    return c != NULL && c->key != NULL ? router_certificate_put(t->conf, r->app->handle, c, err) : 0;
}

int deploy_begin(struct target *t, const struct target_release *r, const char *again, json_t **ret_shown,
                 struct err *err)
{
    cleanup_free char *network = app_network_name(t->conf, r->app->handle);
    struct container_input in;
    struct wanted w;
    struct deploy *d;

    deploy_drop(t);
    if (app_lock(t, r->app->handle, true, err) < 0 || certificate_put(t, r, err) < 0 || deploy_input(t, r, network, &in, err) < 0)
        return -1;
    if (wanted_make(&in, &w, err) < 0)
        return -1;
    d = t->deploy = xcalloc(1, sizeof(*d));
    d->app = xstrdup(r->app->handle);
    route_names_set(&d->names, r->app);
    d->version = r->release->version;
    d->restore = r->restore;
    d->restart = again != NULL;
    boot_init(&d->boot, (int) t->conf->max_restarts, t->conf->memory_limit);
    if (app_json_of(r->release->app_json, &d->app_json, err) < 0 || image_ensure(t, r->image, err) < 0 ||
        app_network(t, d->app, &d->subnet, err) < 0 || begin(t, d, &in, &w, again, err) < 0) {
        wanted_release(&w);
        deploy_drop(t);
        return -1;
    }
    if (ret_shown != NULL)
        *ret_shown = wanted_shown(&w);
    wanted_release(&w);
    return 0;
}

/* --- into service */

static void counts_set(struct route *r, int but, int count)
{
    for (int s = 0; s < SETS; s++)
        if (s != but)
            r->counts[s] = count;
}

/* Sends the requests to the new set. Only a first release and a change of scale change the router's configuration. */
static int route_switch(struct target *t, const struct deploy *d, struct err *err)
{
    int live = router_live_set(t->conf, d->app), rc;
    struct app names = route_names(&d->names);
    struct err why = ERR_INIT;
    struct route r;

    if (router_route_get(t->conf, d->app, &r, &why) < 0) {
        if (why.code != ERR_NOT_FOUND)
            return err_set(err, why.code, "%s", why.msg);
        if (d->web_count == 0)
            return 0;
        r = (struct route) { .app = xstrdup(d->app) };
    }
    route_names_set(&r, &names);
    if (d->set < 0 || r.subnet.base != d->subnet.base || r.counts[live] == 0 || d->set == live)
        counts_set(&r, -1, d->web_count);
    else
        counts_set(&r, live, d->web_count);
    r.subnet = d->subnet;
    rc = router_route_put(t->conf, &r, err);
    if (rc == 0 && d->set >= 0)
        rc = router_switch(t->conf, d->app, d->set, err);
    if (rc == 0) {
        counts_set(&r, -1, d->web_count);
        rc = router_route_put(t->conf, &r, err);
    }
    route_release(&r);
    return rc;
}

/* The names tell which release is in service. */
static int names_set(struct target *t, struct deploy *d, struct err *err)
{
    struct containers have;
    int rc = 0;

    if (app_containers(t, d->app, &have, err) < 0)
        return -1;
    for (size_t i = 0; i < have.n && rc == 0; i++) {
        const struct container *c = &have.v[i];

        if (c->retired || !deploy_is_service(c->process))
            continue;
        if (boot_find(&d->boot, c->id) == NULL) {
            rc = container_retire(t, c, err);
        } else if (c->version != d->version) {
            cleanup_free char *name = container_renamed(c->name, d->version);
            cleanup_free char *path = xasprintf("/containers/%s/rename?name=%s", c->id, name != NULL ? name : "");

            if (name != NULL)
                rc = engine_do(t->engine, "POST", path, NULL, NULL, err);
        }
    }
    containers_release(&have);
    return rc;
}

int deploy_settle(struct target *t, struct err *err)
{
    int rc = route_switch(t, t->deploy, err);

    if (rc == 0)
        rc = names_set(t, t->deploy, err);
    deploy_drop(t);
    return rc;
}

int deploy_end(struct target *t, const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    struct deploy *d = t->deploy;
    struct boot_failure failure = { 0 };
    int rc;

    if (d == NULL)
        return err_set(err, ERR_FAILED, "nothing was applied that could be waited for");
    rc = boot_wait(t, d->app, &d->boot, &d->app_json, c, timeout_ms, &failure, err);
    if (rc == 0)
        rc = route_switch(t, d, err);
    if (rc == 0)
        rc = names_set(t, d, err);
    if (failure.of != NULL)
        say_log_end(t, failure.of->process, failure.of->id, c);
    /* Where the wait was only ended, another worker may go on with what was made. */
    if (failure.why != NULL)
        own_remove(t, d);
    free(failure.why);
    deploy_drop(t);
    app_unlock(t);
    return rc;
}

/* --- comparing */

/* True where the router sends web's requests to these containers. */
static bool is_routed(const struct target *t, const struct app *app, int web_count, int live)
{
    struct route r;
    bool same;

    if (router_route_get(t->conf, app->handle, &r, NULL) < 0)
        return web_count == 0;
    same = r.counts[live] == web_count && route_names_are(&r, app);
    route_release(&r);
    return same;
}

static enum deploy_state compare(const struct target *t, const struct app *app, const struct wanted *w,
                                 const struct containers *have, const struct plan *p)
{
    int live = router_live_set(t->conf, app->handle), web_count = 0;

    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->v[i].process, PROCESS_WEB) == 0)
            web_count = w->v[i].count;
    if (p->set >= 0 && p->set != live)
        return DEPLOY_OTHER;
    return plan_is_done(p, have) && is_routed(t, app, web_count, live) ? DEPLOY_SAME : DEPLOY_INCOMPLETE;
}

int deploy_compare(struct target *t, const struct target_release *r, enum deploy_state *ret, struct err *err)
{
    cleanup_free char *network = app_network_name(t->conf, r->app->handle);
    struct containers have = { NULL, 0 };
    struct container_input in;
    struct wanted w;
    struct plan p;
    int rc = -1;

    if (deploy_input(t, r, network, &in, err) < 0 || wanted_make(&in, &w, err) < 0)
        return -1;
    if (app_containers(t, r->app->handle, &have, err) == 0 &&
        plan_make(w.v, w.n, &have, router_live_set(t->conf, r->app->handle), NULL, &p, err) == 0) {
        *ret = compare(t, r->app, &w, &have, &p);
        plan_release(&p);
        rc = 0;
    }
    containers_release(&have);
    wanted_release(&w);
    return rc;
}
