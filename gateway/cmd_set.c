/* An app's settings that need no release. */
#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <string.h>

bool app_disconnect_known(const char *s)
{
    return strcmp(s, "continue") == 0 || strcmp(s, "cancel") == 0;
}

static int disconnect_check(const char *s, struct err *err)
{
    if (app_disconnect_known(s))
        return 0;
    return err_set(err, ERR_USAGE, "on-disconnect is continue or cancel, not \"%s\"; for example: apps:set shop on-disconnect "
                   "cancel", word_shown(s).s);
}

static int branch_check(const char *s, struct err *err)
{
    if (app_branch_check(s, NULL) == 0)
        return 0;
    return err_set(err, ERR_USAGE, "deploy-branch needs the name of a branch, not \"%s\"; for example: apps:set shop "
                   "deploy-branch main", word_shown(s).s);
}

static const struct property {
    const char *name;
    int (*check)(const char *value, struct err *err);
} properties[] = {
    { "deploy-branch", branch_check },
    { "on-disconnect", disconnect_check },
};

static const struct property *property_find(const char *name)
{
    for (size_t i = 0; i < countof(properties); i++) {
        if (strcmp(properties[i].name, name) == 0)
            return &properties[i];
    }
    return NULL;
}

int cmd_apps_set(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const struct property *p = property_find(argv[0]);
    const char *value = argv[1];
    bool branch;

    (void) argc;
    if (p == NULL)
        return err_set(err, ERR_USAGE, "an app has no property \"%s\"; there are deploy-branch and on-disconnect; for example: "
                       "apps:set shop deploy-branch main", word_shown(argv[0]).s);
    if (p->check(value, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s %s", p->name, value);
    branch = p == &properties[0];
    if (apps_settings(c->store, c->app.id, branch ? value : c->app.deploy_branch, branch ? c->app.on_disconnect : value,
                      err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s, s:s}", "name", c->app.name, "property", p->name, "value", value));
    (void) io_outf(c->io, "Setting %s of %s to %s... done\n", p->name, c->app.name, value);
    return 0;
}
