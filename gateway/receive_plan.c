/* git push -o plan: what the push would change is shown, and all of it is refused. */
#include "config.h"

#include "gateway/receive.h"

#include "base/mem.h"
#include "gateway/plan.h"
#include "sql/tables.h"

void receive_plan_check(struct receive *r)
{
    struct push *p = &r->push;

    if (r->no_build)
        push_refuse_all(p, "this server builds nothing, so that there is nothing to plan; nothing was changed");
    else if (r->new_path != NULL)
        push_refuse_all(p, "%s does not exist yet, and -o plan makes nothing; first: apps:create %s", r->app.name, r->app.name);
    else if (r->detach)
        push_refuse_all(p, "-o detach would leave nobody to see what -o plan shows; nothing was changed");
    else if (r->deploy == NULL)
        push_refuse_all(p, "-o plan is for a push of %s; nothing was changed", r->app.deploy_branch);
}

int receive_plan_show(struct receive *r, const struct build *b)
{
    struct command_ctx c = { .conf = r->s->conf, .store = r->s->store, .io = &r->sideband.io };
    json_auto_t *plan = NULL;
    struct err err = ERR_INIT;
    int rc = 0;

    if (apps_get_id(c.store, r->app.id, &c.app, &err) == 0) {
        plan = apps_plan_make(&c, b, &r->policy.app_json, &err);
        if (plan != NULL) {
            (void) io_outf(c.io, "-----> Planning a release of %s on %s: what it would change\n", c.app.name,
                           json_string_value(json_object_get(plan, "target")));
            rc = apps_plan_print(c.io, plan);
        }
        app_release(&c.app);
    }
    if (plan != NULL)
        push_refuse_all(&r->push, "planned only: nothing was changed; push without -o plan to release it");
    else if (err.code != ERR_NONE)
        push_refuse_all(&r->push, "it could not be planned: %s; nothing was changed", err.msg);
    else
        rc = -1;
    return rc;
}
