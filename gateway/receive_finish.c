#include "config.h"

#include "gateway/receive.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/cmd.h"
#include "gateway/deploy.h"
#include "gateway/follow.h"
#include "gateway/gitprog.h"
#include "sql/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HISTORY_LOOKED_AT 20000 /* commits; more would only take time, for a warning */

/* --- the audit row of a push, whatever came of it */

void receive_audit(struct receive *r, int result)
{
    const struct push_ref *ref = r->deploy != NULL ? r->deploy : &r->push.refs[0];
    char verb[] = "push";
    cleanup_free char *build = r->build_id != 0 ? xasprintf(" build %" PRId64 "%s", r->build_id, r->plan ? " (plan)" : "") : xstrdup("");
    cleanup_free char *detail = xasprintf("%s %.12s%s%s%s", ref->name, ref->new, build,
                                          ref->reason != NULL ? ": " : "", ref->reason != NULL ? ref->reason : "");
    struct err err = ERR_INIT;
    struct audit_row a = {
        .at = store_now(),
        .user = r->s->user->name,
        .fingerprint = r->s->key->fingerprint,
        .address = (char *) r->s->address,
        .app_id = r->app.id,
        .app = r->app.name,
        .verb = verb,
        .detail = detail,
        .result = result,
    };

    if (audit_add(r->s->store, &a, &err) < 0)
        log_error("cannot write the audit row: %s", err.msg);
}

/* --- an app that its first push creates */

int receive_new_app_prepare(struct receive *r, const char *name, struct err *err)
{
    uint64_t unique;

    /* Not mkdtemp: its folder is closed to the builder, who reads the tree through the group, and a
     * later chmod by somebody who is not in that group drops the set-group-ID bit. */
    if (getrandom(&unique, sizeof(unique), 0) != (ssize_t) sizeof(unique))
        return err_errno(err, "cannot make a repository");
    r->new_path = conf_state_path(r->s->conf, "repos/new-%016" PRIx64, unique);
    if (mkdir(r->new_path, 0750) < 0) {
        free(steal_ptr(r->new_path));
        return err_errno(err, "cannot make a repository");
    }
    r->new_lock = open(r->new_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->new_lock < 0 || flock(r->new_lock, LOCK_EX | LOCK_NB) < 0)
        return err_errno(err, "cannot lock a repository");
    if (refs_make(r->new_path, &r->repo, err) < 0)
        return -1;
    r->has_app = true;
    r->app.name = xstrdup(name);
    r->app.deploy_branch = xstrdup(r->s->conf->deploy_branch);
    return 0;
}

void receive_new_app_release(struct receive *r)
{
    if (r->new_path != NULL) {
        (void) path_remove_all(r->new_path, NULL);
        (void) close(r->new_lock);
    }
    free(r->new_path);
    r->new_path = NULL;
}

/* The row first: its number is the repository's name. Ended in between, the app is there, empty, and the
 * next push makes its repository. */
static int create_app(struct receive *r, struct err *err)
{
    struct app app;
    cleanup_free char *path = NULL;

    if (apps_create(r->s->store, r->app.name, r->app.deploy_branch, r->s->user->id, &app, err) < 0)
        return -1;
    path = refs_path(r->s->conf, app.id);
    app_release(&r->app);
    r->app = app;
    git_repository_free(r->repo);
    r->repo = NULL;
    if (rename(r->new_path, path) < 0)
        return err_errno(err, "cannot take the repository in");
    free(steal_ptr(r->new_path));
    (void) close(r->new_lock);
    if (refs_open(r->s->conf, app.id, &r->repo, err) < 0)
        return -1;
    log_info("created app %s", app.name);
    (void) io_outf(&r->sideband.io, "-----> Created app %s\n", app.name);
    return 0;
}

/* --- refs */

static bool is_tag(const struct push_ref *ref)
{
    return strncmp(ref->name, "refs/tags/", 10) == 0;
}

/* The repository, locked: a descriptor that the caller closes. */
static int lock_repo(struct receive *r, struct err *err)
{
    if (r->repo == NULL && refs_open(r->s->conf, r->app.id, &r->repo, err) < 0)
        return -1;
    return refs_lock(r->repo, err);
}

static void update_refs(struct receive *r, bool tags_only)
{
    struct err err = ERR_INIT;
    cleanup_close int lock = lock_repo(r, &err);

    for (size_t i = 0; i < r->push.n_refs; i++) {
        struct push_ref *ref = &r->push.refs[i];

        if (ref->reason != NULL || (tags_only && !is_tag(ref)))
            continue;
        if (lock < 0 || refs_update(r->repo, ref, r->advert.shallow, &err) < 0)
            push_refuse(ref, "%s", err.msg);
    }
}

static bool same_commit(const char *a, const char *b)
{
    return a != NULL && b != NULL ? strcmp(a, b) == 0 : a == b;
}

/* What the app's row says now: roles, locks, the deploy branch and the live commit may have changed while the pack came. */
static int check_again(struct receive *r, struct err *err)
{
    struct app now;
    bool stale;

    if (session_app(r->s, r->app.name, ROLE_DEPLOY, &now, err) < 0)
        return -1;
    if (now.deleting || now.lock_reason != NULL) {
        err_set(err, ERR_BUSY, now.deleting ? "app %s is being destroyed" : "app %s is locked: %s; apps:unlock opens it", now.name,
                now.lock_reason);
        app_release(&now);
        return -1;
    }
    /* Who named another one wants no more of this; built as the new one's, it would be what nobody pushed there. */
    if (r->deploy != NULL && strcmp(now.deploy_branch, r->app.deploy_branch) != 0) {
        err_set(err, ERR_FAILED, "%s deploys %s now, no longer %s; nothing was deployed", now.name, now.deploy_branch,
                r->app.deploy_branch);
        app_release(&now);
        return -1;
    }
    /* Also where nothing was live: what its first push brings is as little known to this one. */
    stale = r->deploy != NULL && !r->no_build && !same_commit(now.live_commit, r->app.live_commit);
    app_release(&r->app);
    r->app = now;
    if (stale)
        return err_set(err, ERR_BUSY, "another push went live meanwhile; fetch first");
    return 0;
}

int receive_take_in(struct receive *r, struct quarantine *q, struct err *err)
{
    int rc;

    if (r->new_path != NULL) {
        if (session_may_create(r->s, err) < 0 || create_app(r, err) < 0)
            return -1;
        quarantine_moved(q, refs_path(r->s->conf, r->app.id));
    } else if (check_again(r, err) < 0) {
        return -1;
    }
    {
        cleanup_close int lock = refs_lock(r->repo, err);

        rc = lock < 0 ? -1 : quarantine_migrate(q, r->repo, &r->push.shallow, &r->cut, err);
    }
    if (rc < 0) {
        log_error("%s", err->msg);
        if (gitprog_disk_full(err->msg, err) < 0)
            return -1;
        return err_set(err, ERR_FAILED, "the server cannot store the push; its log says why");
    }
    r->s->repack = r->app.id;
    return 0;
}

/* --- the build */

/* Is this commit in the history of that one? The whole history is there; where it is very long, the answer is yes. */
static bool history_has(git_repository *repo, const char *commit, const char *of)
{
    git_revwalk *walk = NULL;
    bool found = true;
    git_oid want, oid;

    if (git_oid_fromstr(&want, commit) == 0 && git_oid_fromstr(&oid, of) == 0 && git_revwalk_new(&walk, repo) == 0 &&
        git_revwalk_push(walk, &oid) == 0) {
        int rc = 0;

        found = false;
        for (int i = 0; i < HISTORY_LOOKED_AT && !found && (rc = git_revwalk_next(&oid, walk)) == 0; i++)
            found = git_oid_equal(&oid, &want) == 1;
        if (rc != GIT_ITEROVER) /* it goes on, or couldn't be read */
            found = true;
    }
    git_revwalk_free(walk);
    return found;
}

/* What came from a shallow clone is not advertised (refs.h), so git can't refuse a push that would take it back. */
static void say_replaced(struct receive *r)
{
    const char *live = r->app.live_commit;

    if (live == NULL || r->advert.live[0] != '\0' || r->cut || !r->advert.shallow || history_has(r->repo, live, r->deploy->new))
        return;
    (void) io_outf(&r->sideband.io, " !     What is live, %.7s, is not in the history of what you push, which replaces it; it came from a "
                   "shallow clone, so git could not tell you\n", live);
}

static void say_received(struct receive *r)
{
    const struct policy_result *p = &r->policy;

    (void) io_outf(&r->sideband.io, "-----> Received %s %.7s (%" PRIu64 " file%s, %s)\n", r->app.deploy_branch,
                   r->deploy->new, p->files, p->files == 1 ? "" : "s", show_size(p->bytes).s);
    say_replaced(r);
}

static int queue(struct receive *r, int64_t *ret_id, struct err *err)
{
    struct build_new b = {
        .app_id = r->app.id,
        .user_id = r->s->user->id,
        .user = r->s->user->name,
        .branch = r->app.deploy_branch,
        .old_commit = r->app.live_commit,
        .commit = r->deploy->new,
        .tree = r->policy.tree,
        .message = r->message != NULL ? r->message : r->policy.subject,
        .shallow = r->cut,
        .no_cache = r->no_cache,
        .plan = r->plan,
    };

    if (deploy_queue(r->s->store, &r->sideband.io, &b, &r->policy.app_json, ret_id, err) < 0)
        return -1;
    return refs_keep_build(r->repo, *ret_id, r->deploy->new, r->cut, err);
}

/* "v8 failed: web crashed; v7 kept; see: builds:output 57" */
static void refuse_failed(struct receive *r, const struct build *b)
{
    struct app now = { .name = NULL };
    struct release rel = { .version = 0 };
    const char *reason = b->reason != NULL && b->reason[0] != '\0' ? b->reason : "no reason was recorded";
    char kept[64] = "nothing is live", what[32] = "build";

    if (apps_get_id(r->s->store, r->app.id, &now, NULL) == 0 && now.live_version > 0)
        (void) snprintf(kept, sizeof(kept), "v%" PRId64 " kept", now.live_version);
    if (b->release_id != 0 && releases_get(r->s->store, b->release_id, &rel, NULL) == 0)
        (void) snprintf(what, sizeof(what), "v%" PRId64, rel.version);
    push_refuse(r->deploy, "%s %s: %s; %s; see: builds:output %" PRId64, what,
                b->state == BUILD_CANCELED ? "canceled" : "failed", reason, kept, b->id);
    if (rel.version > 0)
        release_release(&rel);
    if (now.name != NULL)
        app_release(&now);
}

/* A build takes long, and there may be many that wait for theirs: what is not needed now is given back. */
static void be_small(struct receive *r)
{
    git_repository_free(r->repo);
    r->repo = NULL;
    buf_release(&r->in);
    (void) git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
    (void) malloc_trim(0);
}

/* Waits for the end of the build and sets the deploy ref's reason where it is not live. -1: nobody is there. */
static int wait_build(struct receive *r, int64_t id)
{
    struct err err = ERR_INIT;
    struct build b;
    int rc;

    be_small(r);
    rc = follow_build(r->s->store, &r->sideband.io, id, &b, &err);
    if (rc == 0) {
        if (b.state == BUILD_LIVE)
            deploy_project(r->s->conf, r->s->store, r->app.id);
        else if (b.state == BUILD_PLANNED)
            rc = receive_plan_show(r, &b);
        else
            refuse_failed(r, &b);
        build_release(&b);
        return rc;
    }
    if (rc == 2) {
        push_refuse(r->deploy, "the server is stopping; build %" PRId64 " goes on when it is back; see: "
                    "builds:attach %s", id, r->app.name);
        return 0;
    }
    if (rc < 0) {
        log_error("%s", err.msg);
        push_refuse(r->deploy, "the server lost sight of build %" PRId64 "; see: builds:attach %s", id, r->app.name);
        return 0;
    }
    if (strcmp(r->app.on_disconnect, "cancel") == 0 &&
        builds_cancel(r->s->store, id, r->s->user->name, &err) < 0)
        log_info("build %" PRId64 " was not canceled: %s", id, err.msg);
    log_info("the pusher has gone; build %" PRId64 " %s", id,
             strcmp(r->app.on_disconnect, "cancel") == 0 ? "is canceled" : "goes on");
    return -1;
}

static int deploy(struct receive *r)
{
    struct err err = ERR_INIT;
    char id_text[24];
    int64_t id = 0;

    say_received(r);
    if (queue(r, &id, &err) < 0) {
        log_error("%s", err.msg);
        push_refuse(r->deploy, "it could not be queued: %s", err.msg);
        return 0;
    }
    (void) snprintf(id_text, sizeof(id_text), "%" PRId64, id);
    log_set(LOG_BUILD, id_text);
    log_info("queued %s", r->deploy->new);
    r->build_id = id;
    receive_audit(r, 0); /* now: what follows may never come to its end */
    if (r->detach) {
        /* What is live is told by the branch, and it moves when the build is live. */
        (void) io_outf(&r->sideband.io, "-----> Build %" PRId64 " goes on without you; %s moves when it is live\n"
                       "       To see it: builds:attach %s\n", id, r->app.deploy_branch, r->app.name);
        return 0;
    }
    return wait_build(r, id);
}

/* A job that pushes a tag alone shall not be green for a deploy that never was. */
static void say_tags_only(struct receive *r)
{
    for (size_t i = 0; r->deploy == NULL && i < r->push.n_refs; i++) {
        const struct push_ref *ref = &r->push.refs[i];

        if (is_tag(ref) && ref->reason == NULL && !oid_is_zero(ref->new)) {
            (void) io_outf(&r->sideband.io, " !     A tag deploys nothing; what does is a push of %s, as in git push REMOTE %s^{}:refs/heads/%s\n",
                           r->app.deploy_branch, ref->name + strlen("refs/tags/"), r->app.deploy_branch);
            return;
        }
    }
}

int receive_finish(struct receive *r)
{
    bool deploys = r->deploy != NULL && r->deploy->reason == NULL;

    if (r->no_build || !deploys) {
        update_refs(r, false);
        say_tags_only(r);
        return 0;
    }
    if (!r->push.atomic && !r->plan)
        update_refs(r, true);
    if (deploy(r) < 0)
        return -1;
    if (r->plan) /* also the tags */
        push_refuse_all(&r->push, "nothing was planned, and nothing was changed");
    if (r->push.atomic) {
        if (r->deploy->reason != NULL)
            push_refuse_all(&r->push, "atomic push failed");
        else
            update_refs(r, true);
    }
    return 0;
}
