#include "config.h"

#include "gateway/deploy.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/follow.h"
#include "gateway/refs.h"
#include "gateway/stopping.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <string.h>

void deploy_project(const struct conf *conf, struct store *store, int64_t app_id)
{
    git_repository *repo = NULL;
    struct err err = ERR_INIT;
    struct app now;

    if (apps_get_id(store, app_id, &now, &err) < 0) {
        log_error("%s", err.msg);
        return;
    }
    if (refs_open(conf, app_id, &repo, &err) == 0) {
        cleanup_close int lock = refs_lock(repo, &err);

        if (lock >= 0)
            (void) refs_project(repo, &now, &err);
        git_repository_free(repo);
    }
    if (err.code != ERR_NONE)
        log_error("%s", err.msg);
    app_release(&now);
}

int deploy_check(const struct command_ctx *c, struct err *err)
{
    if (server_is_stopping(c->conf->state))
        return err_set(err, ERR_BUSY, "the server is stopping; try again in a moment");
    if (c->app.lock_reason != NULL)
        return err_set(err, ERR_BUSY, "%s is locked%s%s: %s; apps:unlock opens it", c->app.name, c->app.locked_by != NULL ? " by " : "",
                       c->app.locked_by != NULL ? c->app.locked_by : "", c->app.lock_reason);
    return 0;
}

int deploy_queue(struct store *s, struct command_io *io, struct build_new *b, const struct app_json *a, int64_t *ret_id,
                 struct err *err)
{
    cleanup_free char *kept = app_json_kept(a);
    cleanup_vec struct vec said = VEC_INIT;
    bool own = false;
    int rc = store_enter(s, &own, err);

    b->app_json = kept;
    if (rc == 0 && !b->plan)
        rc = deploy_app_json(s, b->app_id, a, &said, err);
    if (rc == 0)
        rc = builds_queue(s, b, ret_id, err);
    b->app_json = NULL;
    if (store_leave(s, own, rc, err) < 0)
        return -1;
    for (size_t i = 0; i < said.n; i++)
        (void) io_outf(io, "%s\n", said.v[i]);
    return 0;
}

static int not_live(struct command_ctx *c, const struct build *b, struct err *err)
{
    const char *reason = b->reason != NULL && b->reason[0] != '\0' ? b->reason : "no reason was recorded";
    char kept[64] = "nothing is live";
    struct app now;

    if (apps_get_id(c->store, c->app.id, &now, NULL) == 0) {
        if (now.live_version > 0)
            (void) snprintf(kept, sizeof(kept), "v%" PRId64 " is still live", now.live_version);
        app_release(&now);
    }
    return err_set(err, ERR_FAILED, "build %" PRId64 " %s: %s; %s", b->id,
                   b->state == BUILD_CANCELED ? "was canceled" : "failed", reason, kept);
}

static void gone(struct command_ctx *c, int64_t id)
{
    bool cancel = strcmp(c->app.on_disconnect, "cancel") == 0;
    struct err err = ERR_INIT;

    if (cancel && builds_cancel(c->store, id, c->user.name, &err) < 0)
        log_info("build %" PRId64 " was not canceled: %s", id, err.msg);
    log_info("the person has gone; build %" PRId64 " %s", id, cancel ? "is canceled" : "goes on");
}

int deploy_follow(struct command_ctx *c, struct command_io *io, int64_t build_id, struct build *ret, struct err *err)
{
    struct build b;
    int rc = follow_build(c->store, io, build_id, &b, err);

    if (rc == 1)
        gone(c, build_id);
    if (rc == 2)
        return err_set(err, ERR_DOWN, "the server is stopping; build %" PRId64 " goes on when it is back; see: "
                       "builds:attach %s", build_id, c->app.name);
    if (rc != 0)
        return rc;
    if (b.state != BUILD_LIVE) {
        (void) not_live(c, &b, err);
        build_release(&b);
        return -1;
    }
    *ret = b;
    return 0;
}
