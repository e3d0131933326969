/* What a release would change on the engine: a process is as its containers are, and as they would be. */
#include "config.h"

#include "deployer/docker/docker.h"
#include "deployer/docker/shown.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_serving(const struct container *c, const char *process)
{
    return !c->retired && c->number >= 1 && strcmp(c->process, process) == 0 &&
           (c->state == CONTAINER_RUNNING || c->state == CONTAINER_RESTARTING);
}

/* *ret NULL: no container of the process serves. */
static int process_live(struct target *t, const struct containers *have, const char *process, json_t **ret,
                        struct err *err)
{
    const struct container *first = NULL;
    cleanup_free char *path = NULL;
    json_auto_t *doc = NULL;
    int n = 0;

    *ret = NULL;
    for (size_t i = 0; i < have->n; i++) {
        if (!is_serving(&have->v[i], process))
            continue;
        first = first != NULL ? first : &have->v[i];
        n++;
    }
    if (first == NULL)
        return 0;
    path = xasprintf("/containers/%s/json", first->id);
    if (engine_do(t->engine, "GET", path, NULL, &doc, err) < 0)
        return err_wrap(err, "%s", first->name);
    *ret = container_shown(doc, true, first->template, n);
    return 0;
}

static int process_compare(struct target *t, const struct container_input *in, const struct containers *have,
                           const char *process, json_t *all, struct err *err)
{
    int count = deploy_count(in->release, process);
    json_auto_t *body = NULL, *before = NULL, *after = NULL;
    cleanup_free char *note = NULL;
    char template[TEMPLATE_SIZE];

    if (process_live(t, have, process, &before, err) < 0 || container_render(in, process, &body, err) < 0)
        return -1;
    container_template(body, template);
    if (count > 0)
        after = container_shown(body, false, template, count);
    else if (before != NULL) { /* all that is to be said is that none is left */
        after = json_copy(before);
        json_object_set_new(after, "instances", json_integer(0));
    }
    if (before != NULL && after != NULL && container_is_kept_changed(before, after))
        note = xasprintf("a release keeps its containers as they are; ps:restart %s %s replaces them", in->app->name,
                         process);
    target_plan_add(all, "Process", process, json_incref(before), json_incref(after), note);
    return 0;
}

/* Processes that the release hasn't. Containers are sorted by their process. */
static int leftovers_add(struct target *t, const struct target_release *r, const struct containers *have, json_t *all,
                         struct err *err)
{
    const char *last = "";

    for (size_t i = 0; i < have->n; i++) {
        const char *process = have->v[i].process;
        json_t *before;

        if (strcmp(process, last) == 0 || !deploy_is_service(process) || !is_serving(&have->v[i], process) ||
            processes_find(&r->release->processes, process) != NULL)
            continue;
        last = process;
        if (process_live(t, have, process, &before, err) < 0)
            return -1;
        target_plan_add(all, "Process", process, before, NULL, NULL);
    }
    return 0;
}

static json_t *route_shown(const struct target *t, const struct app *a)
{
    cleanup_free char *url = router_url(t->conf, a->name);

    return json_pack("{s:s, s:o, s:s?}", "url", url, "domains", json_list(&a->domains), "certificate", a->certificate);
}

/* Once an app has an address it keeps one. */
static int route_compare(struct target *t, const struct target_release *r, json_t *all, struct err *err)
{
    bool has_web = processes_find(&r->release->processes, PROCESS_WEB) != NULL && deploy_count(r->release, PROCESS_WEB) > 0;
    json_t *before = NULL;
    struct err why = ERR_INIT;
    struct route route;

    if (router_route_get(t->conf, r->app->handle, &route, &why) == 0) {
        struct app names = route_names(&route);

        before = route_shown(t, &names);
        route_release(&route);
    } else if (why.code != ERR_NOT_FOUND) {
        return err_set(err, why.code, "%s", why.msg);
    }
    target_plan_add(all, "Route", r->app->name, before,
                    before != NULL || has_web ? route_shown(t, r->app) : NULL, NULL);
    return 0;
}

int docker_plan(struct target *t, const struct target_release *r, const struct inventory_item *items, size_t n_items,
                json_t **ret, struct err *err)
{
    cleanup_free char *network = app_network_name(t->conf, r->app->handle);
    const struct processes *p = &r->release->processes;
    struct containers have = { NULL, 0 };
    json_auto_t *all = json_array();
    struct container_input in;
    int rc;

    (void) items, (void) n_items; /* the engine's labels are the inventory */
    engine_set_call(t->engine, NULL);
    if (deploy_input(t, r, network, &in, err) < 0 || app_containers(t, r->app->handle, &have, err) < 0)
        return -1;
    rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        if (deploy_is_service(p->v[i].type))
            rc = process_compare(t, &in, &have, p->v[i].type, all, err);
    if (rc == 0)
        rc = leftovers_add(t, r, &have, all, err);
    if (rc == 0)
        rc = route_compare(t, r, all, err);
    containers_release(&have);
    if (rc == 0)
        *ret = json_incref(all);
    return rc;
}
