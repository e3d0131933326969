#include "config.h"

#include "base/mem.h"
#include "gateway/cmd_config.h"

#include <stdlib.h>
#include <string.h>

#define DOMAINS_SAID 5

/* The source's values in run scope as changes of the new app's config; sealed for it by config_change. */
static int config_copy(struct command_ctx *c, const struct app *to, const json_t *values, struct err *err)
{
    struct changes changes;
    struct config_set set;
    int64_t version;
    int rc = 0;

    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    changes_init(&changes);
    for (size_t i = 0; rc == 0 && i < set.n; i++) {
        const json_t *value = json_object_get(values, set.v[i].name);
        struct config_change *change;

        if (!set.v[i].run)
            continue;
        if (value == NULL) {
            rc = err_set(err, ERR_FAILED, "the deployer did not answer with the value of %s", set.v[i].name);
            break;
        }
        change = changes_add(&changes, set.v[i].name, err);
        if (change == NULL) {
            rc = -1;
            break;
        }
        change->value = json_string_value(value);
        change->value_len = json_string_length(value);
        change->run = true;
        change->build = set.v[i].build;
    }
    if (rc == 0 && changes.n > 0)
        rc = config_change(c->store, to->id, changes.v, changes.n, &version, err);
    changes_release(&changes);
    config_set_release(&set);
    return rc;
}

/* All within the transaction that the release ends. */
static int clone_make(struct command_ctx *c, const char *name, const json_t *values, struct app *ret, struct err *err)
{
    if (store_begin(c->store, err) != 0
        || apps_create(c->store, name, c->app.deploy_branch, c->user.id, ret, err) != 0)
        return -1;
    return config_copy(c, ret, values, err) == 0 ? apps_clone(c->store, c->app.id, ret->id, err) : -1;
}

/* False where the transaction came to nothing. */
static bool is_there(struct command_ctx *c, int64_t app_id)
{
    struct app a;
    bool there = apps_get_id(c->store, app_id, &a, NULL) == 0;

    if (there)
        app_release(&a);
    return there;
}

static int clone_release(struct command_ctx *c, const struct app *to, bool deploy, struct release_made *made,
                         struct err *err)
{
    cleanup_free char *doing = xasprintf("Cloning %s to %s", c->app.name, to->name);
    cleanup_free char *description = xasprintf("clone of %s v%lld", c->app.name, (long long) c->app.live_version);
    struct command_ctx theirs = *c;
    bool live = c->app.live_release_id != 0;
    struct release_ask ask = {
        .description = description, .doing = doing, .clone_of = c->app.live_release_id, .run_release_command = true,
        .restart = deploy && live,
    };

    theirs.app = *to;
    if (release_ask(&theirs, &ask, made, err) != 0) {
        store_rollback(c->store);
        return is_there(c, to->id) ? err_wrap(err, "%s is made, with %s's config, but not live", to->name, c->app.name) : -1;
    }
    if (!c->json && made->id == 0)
        (void) io_outf(c->io, "%s... done%s\n", doing, live ? "; nothing is released yet" : "; nothing is live to be released");
    return 0;
}

static void show(struct command_ctx *c, const struct app *to, const struct release_made *made)
{
    cleanup_free char *git = app_git_url(c->conf, to->name);

    if (c->json)
        (void) show_json(c, json_pack("{s:s, s:s, s:o, s:o, s:s, s:s}", "name", to->name, "from", c->app.name, "release",
                                      made->version != 0 ? json_integer(made->version) : json_null(), "url",
                                      show_json_text(made->url), "deploy_branch", to->deploy_branch, "git_url", git));
    else
        (void) io_outf(c->io, "%s%sgit remote add %s %s\n", made->url != NULL ? made->url : "", made->url != NULL ? "\n" : "",
                       to->name, git);
    if (!c->json && c->app.domains.n > 0) {
        cleanup_free char *domains = show_words(&c->app.domains, DOMAINS_SAID);

        (void) io_outf(c->io, "%s keeps its domains: %s\n", c->app.name, domains);
    }
}

int cmd_apps_clone(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool deploy = command_option(c, "--skip-deploy") == NULL;
    struct release_made made = { 0 };
    struct app to = { 0 };
    json_auto_t *values = NULL;
    int rc;

    (void) argc;
    if (app_name_check(argv[0], err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s%s", argv[0], deploy ? "" : " --skip-deploy");
    if (app_create_check(c, err) != 0)
        return -1;
    values = config_values(c, c->app.config_version, NULL, err);
    if (values == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    rc = clone_make(c, argv[0], values, &to, err);
    if (rc == 0)
        rc = clone_release(c, &to, deploy, &made, err);
    if (rc == 0)
        show(c, &to, &made);
    free(made.url);
    app_release(&to);
    return rc;
}
