/* apps:apply and apps:import: an app is made to be what a document says, in one transaction and with one release at most. What
 * would be done is found out by doing it, so a plan is the same with the transaction taken back. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/app_document.h"
#include "gateway/apply.h"
#include "gateway/cmd.h"
#include "gateway/deploy.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_SAID 3      /* in a release's description */
#define KEYS_AUDITED 50

static int document_read(struct command_ctx *c, struct app_document *ret, struct err *err)
{
    struct buf in;
    int rc;

    buf_init(&in, APP_DOCUMENT_MAX);
    rc = command_read_all(c, &in, err);
    if (rc == 0)
        rc = app_document_parse(buf_str(&in), buf_len(&in), ret, err);
    if (in.data != NULL)
        explicit_bzero(in.data, in.cap);
    buf_release(&in);
    return rc;
}

/* The app's row as it is inside the transaction. */
static int app_again(struct command_ctx *c, struct err *err)
{
    struct app now;

    if (apps_get_id(c->store, c->app.id, &now, err) != 0)
        return -1;
    app_release(&c->app);
    c->app = now;
    return 0;
}

/* Does the app run something else than its rows say by now? */
static int is_behind(struct command_ctx *c, bool *ret, struct err *err)
{
    struct formation wanted, fit = { NULL, 0 };
    struct release live;

    if (releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    if (formation_get(c->store, c->app.id, &wanted, err) != 0) {
        release_release(&live);
        return -1;
    }
    formation_fit(&wanted, &live.processes, &fit);
    *ret = live.config_version != c->app.config_version || fit.n != live.formation.n;
    for (size_t i = 0; i < fit.n; i++)
        *ret = *ret || formation_count(&live.formation, fit.v[i].process) != fit.v[i].count;
    formation_release(&fit);
    formation_release(&wanted);
    release_release(&live);
    return 0;
}

/* Which release, if any. The app's own of that image knows more than a registry: its commit, its app.json. */
static int release_choose(struct apply *a, struct release_ask *ask, char **ret_image, struct err *err)
{
    const struct app_document *d = a->document;
    bool behind = false;

    if (a->image) {
        if (image_allowed(a->c, d->ref, err) != 0 || deploy_check(a->c, err) != 0)
            return -1;
        ask->restart = ask->run_release_command = true;
        if (releases_of_digest(a->c->store, a->c->app.id, d->ref.digest, &ask->from_release_id, err) < 0)
            return -1;
        if (ask->from_release_id != 0)
            return 0;
        *ret_image = xasprintf("%s/%s", d->ref.registry, d->ref.repository);
        ask->source_image = *ret_image;
        ask->image_ref = d->ref.digest;
        return 0;
    }
    if (a->c->app.live_release_id != 0 && is_behind(a->c, &behind, err) != 0)
        return -1;
    ask->restart = behind || (a->domains && a->c->app.live_release_id != 0);
    ask->run_release_command = a->config;
    return 0;
}

static void show(struct apply *a, const char *doing, const struct release_made *made, bool plan, bool released)
{
    struct command_ctx *c = a->c;
    const char *name = c->app.name;
    json_t *change;
    size_t i;

    if (c->json) {
        (void) show_json(c, json_pack("{s:s, s:b, s:O, s:o, s:o, s:b, s:o, s:o}", "app", name, "plan", (int) plan, "changes",
                                      a->changes, "missing_values", json_list(&a->missing), "taken_domains",
                                      json_list(&a->taken), "releases", (int) released,
                                      "release", made->version != 0 ? json_integer(made->version) : json_null(), "url",
                                      show_json_text(made->url)));
        return;
    }
    json_array_foreach(a->changes, i, change)
        (void) io_outf(c->io, "%s\n", apply_line(change, (char[APPLY_LINE_MAX]) { 0 }));
    if (json_array_size(a->changes) == 0 && !released)
        (void) io_outf(c->io, "Nothing to do: %s is as the document says\n", name);
    else if (plan)
        (void) io_outf(c->io, "This is a plan, and nothing was changed. %s\n", released ? "There would be a release"
                                                                                      : "There would be no release");
    else if (!released)
        (void) io_outf(c->io, "%s... done\n", doing);
    if (a->taken.n > 0) {
        cleanup_free char *names = show_words(&a->taken, KEYS_AUDITED);

        (void) io_outf(c->io, " !     Other apps have these domains, and keep them: %s\n", names);
    }
    if (a->missing.n > 0) {
        cleanup_free char *names = show_words(&a->missing, KEYS_AUDITED);

        (void) io_outf(c->io, "Without a value, and so nothing is released: %s. Set them with config:set %s --no-restart, "
                       "then give the document to apps:apply %s\n", names, name, name);
    }
}

/* The rows are changed; commits, or takes all back. */
static int apply_end(struct apply *a, bool plan, bool deploy, struct err *err)
{
    struct command_ctx *c = a->c;
    cleanup_free char *keys = show_words(&a->keys, KEYS_SAID), *image = NULL;
    cleanup_free char *description = xasprintf("apply%s%s", a->keys.n > 0 ? " " : "", keys);
    cleanup_free char *doing = xasprintf(a->is_new ? "Creating %s from the document" : "Applying the document to %s",
                                         c->app.name);
    struct release_ask ask = {
        .description = description, .doing = doing,
        .kept = "what else the document says is set and used from the next release on",
    };
    struct release_made made = { 0 };

    if (app_again(c, err) != 0 || release_choose(a, &ask, &image, err) != 0)
        return -1;
    ask.restart = ask.restart && deploy && a->missing.n == 0;
    if (plan)
        store_rollback(c->store);
    else if (release_ask(c, &ask, &made, err) != 0)
        return -1;
    show(a, doing, &made, plan, ask.restart);
    free(made.url);
    return 0;
}

int cmd_apps_apply(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool plan = command_option(c, "--plan") != NULL;
    struct app_document d = { .json = NULL };
    struct apply a = { .c = c, .document = &d };
    int rc;

    (void) argv, (void) argc;
    if (document_read(c, &d, err) != 0)
        return -1;
    if (d.name != NULL && strcmp(d.name, c->app.name) != 0)
        rc = err_set(err, ERR_USAGE, "name: the document is of %s, not of %s; apps:rename changes a name, and without this member "
                     "the document fits any app", d.name, c->app.name);
    else
        rc = store_begin(c->store, err);
    if (rc == 0)
        rc = app_again(c, err);
    if (rc == 0)
        rc = apply_rows(&a, err);
    if (plan)
        (void) buf_addstr(&c->detail, "--plan");
    apply_detail(&a, &c->detail, KEYS_AUDITED);
    if (rc == 0)
        rc = apply_end(&a, plan, true, err);
    apply_release(&a);
    app_document_release(&d);
    return rc;
}

static int import_do(struct command_ctx *c, const struct app_document *d, const char *name, bool deploy, struct err *err)
{
    const char *branch = d->deploy_branch != NULL ? d->deploy_branch : c->conf->deploy_branch;
    cleanup_free char *git = app_git_url(c->conf, name);
    struct command_ctx theirs = *c;
    struct apply a = { .c = &theirs, .document = d, .is_new = true };
    int rc;

    if (store_begin(c->store, err) != 0 || apps_create(c->store, name, branch, c->user.id, &theirs.app, err) != 0)
        return -1;
    rc = apply_rows(&a, err);
    if (rc == 0)
        rc = apply_end(&a, false, deploy, err);
    if (rc == 0 && !c->json)
        (void) io_outf(c->io, "%s\n", git);
    apply_release(&a);
    app_release(&theirs.app);
    return rc;
}

int cmd_apps_import(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct app_document d = { .json = NULL };
    const char *name = argc > 0 ? argv[0] : NULL;
    int rc = 0;

    if (name != NULL && app_name_check(name, err) != 0)
        return -1;
    if (name != NULL)
        (void) buf_addf(&c->detail, "%s", name);
    if (app_create_check(c, err) != 0 || document_read(c, &d, err) != 0)
        return -1;
    rc = app_create_check(c, err);
    if (rc == 0 && name == NULL && d.name == NULL)
        rc = err_set(err, ERR_USAGE, "name: the document has none, and so the app's name is needed: apps:import NAME");
    if (name == NULL && d.name != NULL)
        (void) buf_addf(&c->detail, "%s", d.name);
    if (rc == 0)
        rc = import_do(c, &d, name != NULL ? name : d.name, command_option(c, "--skip-deploy") == NULL, err);
    app_document_release(&d);
    return rc;
}
