/* maintenance:on, maintenance:off, maintenance:report. It makes no release: it must hold at once, also while a release is on
 * its way or nothing of the app works, and outlasts releases and rollbacks. */
#include "config.h"

#include "base/mem.h"
#include "gateway/cmd.h"
#include "gateway/live.h"

static int show(struct command_ctx *c, bool on)
{
    return show_json(c, json_pack("{s:s, s:b}", "app", c->app.name, "maintenance", (int) on));
}

/* The target first, then the row: where it is cut off between them nobody was told, and it is done again. */
static int set(struct command_ctx *c, bool on, struct err *err)
{
    json_auto_t *request = json_pack("{s:s, s:I, s:b}", "op", "maintenance", "app_id", (json_int_t) c->app.id, "on", (int) on);

    if (live_request(c, request, NULL, NULL, err) != 0 || apps_maintenance(c->store, c->app.id, on, err) != 0)
        return -1;
    if (c->json)
        return show(c, on);
    (void) io_outf(c->io, on ? "Maintenance mode of %s is on... its address answers 503 until maintenance:off\n"
                             : "Maintenance mode of %s is off\n", c->app.name);
    return 0;
}

int cmd_maintenance_on(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv, (void) argc;
    return set(c, true, err);
}

int cmd_maintenance_off(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv, (void) argc;
    return set(c, false, err);
}

int cmd_maintenance_report(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv, (void) argc, (void) err;
    if (c->json)
        return show(c, c->app.maintenance);
    (void) io_outf(c->io, "%s\n", c->app.maintenance ? "on" : "off");
    return 0;
}
