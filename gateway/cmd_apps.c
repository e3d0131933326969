#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/wake.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_REASON_MAX 200      /* a sentence that every refused push shows */
#define DESTROY_WAIT_MS 60000    /* beyond the time that processes have to stop */
#define BRANCH_MAX 200

char *app_git_url(const struct conf *conf, const char *app)
{
    if (conf->port == 22)
        return xasprintf("ssh://git@%s/%s", conf->host, app);
    return xasprintf("ssh://git@%s:%lld/%s", conf->host, conf->port, app);
}

/* git-check-ref-format(1), as far as a branch needs it. */
int app_branch_check(const char *s, struct err *err)
{
    size_t n = strlen(s);
    bool good = n > 0 && n <= BRANCH_MAX && s[0] != '-' && s[0] != '.' && s[0] != '/' && s[n - 1] != '/'
        && s[n - 1] != '.' && strstr(s, "..") == NULL && strstr(s, "//") == NULL && strstr(s, "/.") == NULL
        && strstr(s, "@{") == NULL && strstr(s, ".lock") == NULL && strcmp(s, "@") != 0
        && strncmp(s, "refs/", 5) != 0; /* the whole ref's name, for which git would have another branch of that name */

    for (size_t i = 0; good && i < n; i++)
        good = (unsigned char) s[i] > ' ' && s[i] != 127 && strchr("~^:?*[\\", s[i]) == NULL;
    if (good)
        return 0;
    return err_set(err, ERR_USAGE, "--branch needs the name of a branch, not \"%s\"; for example: --branch main",
                   word_shown(s).s);
}

int app_create_check(const struct command_ctx *c, struct err *err)
{
    if (c->user.admin || c->user.may_create)
        return 0;
    return err_set(err, ERR_DENIED, "you may not create apps here; an admin can allow it (users:set %s create) or "
                   "create the app for you", c->user.name);
}

int cmd_apps_create(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *branch = command_option(c, "--branch");
    cleanup_free char *url = app_git_url(c->conf, argv[0]);

    (void) argc;
    if (branch == NULL)
        branch = c->conf->deploy_branch;
    if (app_name_check(argv[0], err) != 0 || app_branch_check(branch, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s --branch %s", argv[0], branch);
    if (app_create_check(c, err) != 0)
        return -1;
    /* The audit row is one of this app's. */
    if (apps_create(c->store, argv[0], branch, c->user.id, &c->app, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s, s:s}", "name", argv[0], "deploy_branch", branch, "git_url", url));
    (void) io_outf(c->io, "Creating %s... done\n%s\ngit remote add k8s %s && git push k8s %s\n", argv[0], url, url,
                   branch);
    return 0;
}

static json_t *app_row_json(const struct app *a)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o}", "name", a->name, "owner", a->owner, "deploy_branch",
                     a->deploy_branch, "target", show_json_text(a->target[0] != '\0' ? a->target : NULL), "release", a->live_version != 0 ? json_integer(a->live_version) : json_null(),
                     "commit", show_json_text(a->live_commit), "locked", (int) (a->lock_reason != NULL), "deleting",
                     (int) a->deleting, "created_at", show_json_time(a->created_at));
}

static void app_row(struct table *t, const struct app *a)
{
    table_add(t, a->name);
    if (a->live_version != 0)
        table_addf(t, "v%lld", (long long) a->live_version);
    else
        table_add(t, "-");
    table_addf(t, "%.7s", a->live_commit != NULL ? a->live_commit : "-");
    table_add(t, a->owner);
    table_add(t, a->deleting ? "being destroyed" : a->lock_reason != NULL ? "locked" : "");
}

int cmd_apps_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct table t = TABLE_INIT(5);
    json_t *all = json_array();
    struct app *v = NULL;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (apps_list(c->store, c->user.admin ? 0 : c->user.id, &v, &n, err) != 0) {
        json_decref(all);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, app_row_json(&v[i]));
        app_row(&t, &v[i]);
        app_release(&v[i]);
    }
    free(v);
    if (n == 0 && !c->json)
        (void) io_outf(c->io, "You have no apps yet. Make one: apps:create NAME\n");
    return show_list(c, all, &t);
}

static json_t *lock_json(const struct app *a)
{
    if (a->lock_reason == NULL)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "reason", a->lock_reason, "by", show_json_text(a->locked_by), "at",
                     show_json_time(a->locked_at));
}

static json_t *info_json(const struct app *a, const struct release *live, const char *git)
{
    json_t *formation = json_null();

    if (live != NULL) {
        formation = json_object();
        for (size_t i = 0; i < live->formation.n; i++)
            (void) json_object_set_new(formation, live->formation.v[i].process,
                                       json_integer(live->formation.v[i].count));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:b, s:o}", "name", a->name, "handle",
                     a->handle, "owner",
                     a->owner, "deploy_branch", a->deploy_branch, "git_url", git, "target",
                     show_json_text(a->target[0] != '\0' ? a->target : NULL), "url",
                     show_json_text(live != NULL ? live->url : NULL), "release",
                     live != NULL ? json_integer(live->version) : json_null(), "commit",
                     show_json_text(a->live_commit), "digest", show_json_text(live != NULL ? live->digest : NULL),
                     "formation", formation, "lock", lock_json(a), "config_version", (json_int_t) a->config_version,
                     "on_disconnect", a->on_disconnect, "domains", json_list(&a->domains), "maintenance", (int) a->maintenance, "created_at", show_json_time(a->created_at));
}

static void info_print(struct command_ctx *c, const struct release *live, const char *git)
{
    const struct app *a = &c->app;
    struct table t = TABLE_INIT(2);

    table_add(&t, "Owner:");
    table_add(&t, a->owner);
    table_add(&t, "Git URL:");
    table_add(&t, git);
    table_add(&t, "Deploys:");
    table_add(&t, a->deploy_branch);
    if (a->target[0] != '\0') {
        table_add(&t, "Runs on:");
        table_add(&t, a->target);
    }
    if (a->domains.n > 0) {
        cleanup_free char *words = show_words(&a->domains, a->domains.n);

        table_add(&t, "Domains:");
        table_add(&t, words);
    }
    if (a->maintenance) {
        table_add(&t, "Maintenance:");
        table_add(&t, "on");
    }
    if (strcmp(a->handle, a->name) != 0) { /* after apps:rename */
        table_add(&t, "Objects:");
        table_add(&t, a->handle);
    }
    if (live != NULL) {
        table_add(&t, "Web URL:");
        table_add(&t, live->url);
        table_add(&t, "Release:");
        table_addf(&t, "v%lld (%s, %s)", (long long) live->version, live->description, show_time(live->ended_at).s);
        table_add(&t, "Commit:");
        table_add(&t, live->commit);
        table_add(&t, "Image:");
        if (live->image != NULL)
            table_add(&t, live->image);
        else
            table_addf(&t, "%s@%s", live->source_image, live->digest);
        for (size_t i = 0; i < live->formation.n; i++) {
            table_add(&t, i == 0 ? "Processes:" : "");
            table_addf(&t, "%s: %d", live->formation.v[i].process, live->formation.v[i].count);
        }
    } else {
        table_add(&t, "Release:");
        table_addf(&t, "none yet; git push %s %s", git, a->deploy_branch);
    }
    if (a->lock_reason != NULL) {
        table_add(&t, "Locked:");
        table_addf(&t, "by %s since %s: %s", a->locked_by, show_time(a->locked_at).s, a->lock_reason);
    }
    table_add(&t, "Created:");
    table_add(&t, show_time(a->created_at).s);
    (void) io_outf(c->io, "=== %s\n", a->name);
    table_print(&t, c);
    table_release(&t);
}

int cmd_apps_info(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *git = app_git_url(c->conf, c->app.name);
    struct release live = { 0 };
    bool has_live = c->app.live_release_id != 0;

    (void) argv;
    (void) argc;
    if (has_live && releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    if (c->json)
        (void) show_json(c, info_json(&c->app, has_live ? &live : NULL, git));
    else
        info_print(c, has_live ? &live : NULL, git);
    release_release(&live);
    return 0;
}

/* Waits until the deployer has removed the app's row. 1: gone, 0: not yet, or the person went away. */
static int destroy_wait(struct command_ctx *c, struct err *err)
{
    cleanup_free char *path = store_releases_wake(c->store);
    cleanup_close int fd = wake_open(err);
    int64_t end = store_now() + c->conf->grace_period + c->conf->pre_stop + DESTROY_WAIT_MS;

    if (fd < 0 || wake_watch(fd, path, err) < 0)
        return -1;
    for (;;) {
        int64_t left = end - store_now();
        struct err none = ERR_INIT;
        struct app a;

        if (apps_get_id(c->store, c->app.id, &a, &none) != 0)
            return none.code == ERR_NOT_FOUND ? 1 : err_set(err, none.code, "%s", none.msg);
        app_release(&a);
        if (left <= 0 || (c->io->wait(c->io, fd, false, (int) left) & IO_GONE) != 0)
            return 0;
        (void) wake_drain(fd, NULL);
    }
}

int cmd_apps_destroy(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *confirm = command_option(c, "--confirm");
    cleanup_free char *repo = conf_state_path(c->conf, "repos/%lld.git", (long long) c->app.id);
    int gone;

    (void) argv;
    (void) argc;
    if (confirm == NULL && command_option(c, "--force") == NULL)
        return err_set(err, ERR_USAGE, "this destroys %s for good; repeat its name: apps:destroy %s --confirm %s",
                       c->app.name, c->app.name, c->app.name);
    if (confirm != NULL && strcmp(confirm, c->app.name) != 0)
        return err_set(err, ERR_USAGE, "--confirm must repeat the app's name, and \"%s\" is not it; for example: apps:destroy %s "
                       "--confirm %s", word_shown(confirm).s, c->app.name, c->app.name);
    if (apps_destroy(c->store, c->app.id, err) != 0)
        return -1;
    /* The deployer reaches no repositories: this one is ours to remove, and at once, so that nothing is left
     * when nobody waits for the rest. No push is taken any more, and ids are never used again. */
    if (path_remove_all(repo, err) != 0)
        return err_wrap(err, "%s is being destroyed, but its repository is still there", c->app.name);
    if (!c->json)
        (void) io_outf(c->io, "-----> Destroying %s\n", c->app.name);
    gone = destroy_wait(c, err);
    if (gone < 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b}", "name", c->app.name, "done", gone));
    (void) io_outf(c->io, gone == 1 ? "Destroying %s (its processes, config and releases)... done\n"
                                    : "%s is marked for destruction; the deployer does it as soon as it can\n",
                   c->app.name);
    return 0;
}

static int lock_reason(char *const *argv, int argc, struct buf *b, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        if (buf_addf(b, "%s%s", i == 0 ? "" : " ", argv[i]) != 0)
            return err_set(err, ERR_USAGE, "the reason may have at most %d bytes", LOCK_REASON_MAX);
    }
    for (const char *p = buf_str(b); *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 127)
            return err_set(err, ERR_USAGE, "the reason must not hold control characters");
    }
    return argc > 0 ? 0 : buf_addstr(b, "no reason given");
}

int cmd_apps_lock(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_buf struct buf reason = { 0 };

    buf_init(&reason, LOCK_REASON_MAX);
    if (lock_reason(argv, argc, &reason, err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, buf_str(&reason));
    if (c->app.lock_reason != NULL)
        return err_set(err, ERR_FAILED, "%s is locked already, by %s: %s", c->app.name, c->app.locked_by,
                       c->app.lock_reason);
    if (apps_lock(c->store, c->app.id, buf_str(&reason), c->user.name, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b, s:s}", "name", c->app.name, "locked", 1, "reason",
                                      buf_str(&reason)));
    (void) io_outf(c->io, "Locking %s... done; pushes are refused until apps:unlock\n", c->app.name);
    return 0;
}

int cmd_apps_unlock(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv;
    (void) argc;
    if (apps_lock(c->store, c->app.id, NULL, c->user.name, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b}", "name", c->app.name, "locked", 0));
    (void) io_outf(c->io, "Unlocking %s... done\n", c->app.name);
    return 0;
}

int cmd_apps_exists(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv;
    (void) argc;
    (void) err;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b}", "name", c->app.name, "exists", 1));
    (void) io_outf(c->io, "%s exists\n", c->app.name);
    return 0;
}

int cmd_apps_locked(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool locked = c->app.lock_reason != NULL;

    (void) argv;
    (void) argc;
    (void) err;
    c->exit_code = locked ? 0 : ERR_FAILED;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b, s:o}", "name", c->app.name, "locked", (int) locked, "lock",
                                      lock_json(&c->app)));
    if (locked)
        (void) io_outf(c->io, "%s is locked by %s since %s: %s\n", c->app.name, c->app.locked_by,
                       show_time(c->app.locked_at).s, c->app.lock_reason);
    else
        (void) io_outf(c->io, "%s is not locked\n", c->app.name);
    return 0;
}
