#include "config.h"

#include "base/mem.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

struct renamed {
    const char *from, *to;
    char *former_url;
    struct release_made made;
};

/* The address that the app has under its old name. */
static int former_get(struct command_ctx *c, int64_t release, char **ret, struct err *err)
{
    struct release r;

    if (release == 0)
        return 0;
    if (releases_get(c->store, release, &r, err) != 0)
        return -1;
    *ret = steal_ptr(r.url);
    release_release(&r);
    return 0;
}

static int rename_do(struct command_ctx *c, struct renamed *r, struct err *err)
{
    cleanup_free char *description = xasprintf("rename to %s", r->to);
    cleanup_free char *doing = xasprintf("Renaming %s to %s", r->from, r->to);
    cleanup_free char *kept = xasprintf("the app keeps the name %s", r->from);
    struct release_ask ask = {
        .description = description, .doing = doing, .kept = kept, .rename_to = r->to, .restart = true,
    };
    struct app now;
    int rc;

    /* What was read before the transaction may have changed. */
    if (store_begin(c->store, err) != 0 || apps_get_id(c->store, c->app.id, &now, err) != 0)
        return -1;
    rc = former_get(c, now.live_release_id, &r->former_url, err);
    if (rc == 0 && now.live_release_id != 0)
        rc = release_ask(c, &ask, &r->made, err);
    else if (rc == 0 && (rc = apps_rename(c->store, c->app.id, r->to, err)) == 0 && (rc = store_commit(c->store, err)) == 0
             && !c->json)
        (void) io_outf(c->io, "%s... done\n", doing);
    app_release(&now);
    return rc;
}

static void show(struct command_ctx *c, const struct renamed *r)
{
    cleanup_free char *git = app_git_url(c->conf, r->to);

    if (c->json) {
        (void) show_json(c, json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "name", r->to, "former_name", r->from, "release",
                                      r->made.version != 0 ? json_integer(r->made.version) : json_null(), "url",
                                      show_json_text(r->made.url), "former_url", show_json_text(r->former_url), "git_url",
                                      git));
        return;
    }
    if (r->made.url != NULL && (r->former_url == NULL || strcmp(r->made.url, r->former_url) != 0))
        (void) io_outf(c->io, "Its address is %s now%s%s\n", r->made.url, r->former_url != NULL ? "; it was " : "",
                       r->former_url != NULL ? r->former_url : "");
    (void) io_outf(c->io, "No app is named %s any more. In each clone: git remote set-url k8s %s\n", r->from, git);
}

int cmd_apps_rename(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct renamed r = { .from = c->app.name, .to = argv[0] };
    int rc;

    (void) argc;
    if (app_name_check(r.to, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s", r.to);
    rc = rename_do(c, &r, err);
    if (rc == 0)
        show(c, &r);
    free(r.former_url);
    free(r.made.url);
    return rc;
}
