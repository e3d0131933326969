/* What the next release would change, with nothing changed. */
#include "config.h"

#include "gateway/cmd.h"
#include "gateway/plan.h"

int cmd_apps_plan(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *plan = NULL;

    (void) argv, (void) argc;
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s runs nothing yet; to plan its first release: git push -o plan", c->app.name);
    plan = apps_plan_make(c, NULL, NULL, err);
    if (plan == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    if (c->json)
        return show_json(c, json_incref(plan));
    (void) io_outf(c->io, "=== %s: what a release would change (v%lld is live)\n", c->app.name,
                   (long long) c->app.live_version);
    (void) apps_plan_print(c->io, plan);
    return 0;
}
