/* A release's output, what has failed last, and a failed release once more. */
#include "config.h"

#include "base/mem.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

#define FAILED_SEARCH 200 /* how far back a failure is looked for */

/* The release that is named, or the newest. */
static int release_find(struct command_ctx *c, char *const *argv, int argc, struct release *ret, struct err *err)
{
    struct release *v = NULL;
    int64_t version = 0;
    size_t n = 0;

    if (argc > 0) {
        if (release_version_parse(argv[0], &version, err) != 0)
            return -1;
        return releases_get_version(c->store, c->app.id, version, ret, err);
    }
    if (releases_list(c->store, c->app.id, 1, &v, &n, err) != 0)
        return -1;
    if (n == 1)
        *ret = v[0];
    free(v);
    return n == 1 ? 0 : err_set(err, ERR_FAILED, "%s has no releases yet; git push makes the first", c->app.name);
}

static int output_show(struct command_ctx *c, const struct release *r, struct err *err)
{
    cleanup_free char *log = store_release_log(c->store, r->id);
    const char *const logs[] = { log };

    if (c->json)
        return show_log_json(c, release_json(r), logs, 1, err);
    return show_log(c, log, err);
}

int cmd_releases_output(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct release r;
    int rc;

    if (release_find(c, argv, argc, &r, err) != 0)
        return -1;
    rc = output_show(c, &r, err);
    release_release(&r);
    return rc;
}

static bool has_failed(const struct release *r)
{
    return r->state == RELEASE_FAILED || r->state == RELEASE_CANCELED;
}

/* The newest release that has failed; ret->id 0: none. */
static int failed_release(struct command_ctx *c, struct release *ret, struct err *err)
{
    struct release *v = NULL;
    size_t n = 0;

    memset(ret, 0, sizeof(*ret));
    if (releases_list(c->store, c->app.id, FAILED_SEARCH, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (ret->id == 0 && has_failed(&v[i]))
            *ret = v[i];
        else
            release_release(&v[i]);
    }
    free(v);
    return 0;
}

/* The newest build that has failed before it made a release; ret->id 0: none. */
static int failed_build(struct command_ctx *c, struct build *ret, struct err *err)
{
    struct build *v = NULL;
    size_t n = 0;

    memset(ret, 0, sizeof(*ret));
    if (builds_list(c->store, c->app.id, FAILED_SEARCH, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (ret->id == 0 && v[i].release_id == 0 && (v[i].state == BUILD_FAILED || v[i].state == BUILD_CANCELED))
            *ret = v[i];
        else
            build_release(&v[i]);
    }
    free(v);
    return 0;
}

static int build_output(struct command_ctx *c, const struct build *b, struct err *err)
{
    cleanup_free char *log = store_build_log(c->store, b->id);
    const char *const logs[] = { log };

    if (c->json)
        return show_log_json(c, json_pack("{s:I, s:n, s:s, s:s, s:o}", "build", (json_int_t) b->id, "release", "state",
                                          build_state_name(b->state), "commit", b->commit, "reason",
                                          show_json_text(b->reason)), logs, 1, err);
    (void) io_outf(c->io, "=====> Build %lld of %s (%.7s) %s: %s\n", (long long) b->id, c->app.name, b->commit,
                   build_state_name(b->state), b->reason != NULL ? b->reason : "no reason was given");
    return show_log(c, log, err);
}

static int release_output(struct command_ctx *c, const struct release *r, struct err *err)
{
    cleanup_free char *log = store_release_log(c->store, r->id);
    const char *const logs[] = { log };

    if (c->json)
        return show_log_json(c, json_pack("{s:o, s:I, s:s, s:o, s:o}", "build",
                                          r->build_id != 0 ? json_integer(r->build_id) : json_null(), "release",
                                          (json_int_t) r->version, "state", release_state_name(r->state), "commit",
                                          show_json_text(r->commit), "reason", show_json_text(r->reason)), logs, 1,
                             err);
    (void) io_outf(c->io, "=====> v%lld of %s (%s) %s: %s\n", (long long) r->version, c->app.name, r->description,
                   release_state_name(r->state), r->reason != NULL ? r->reason : "no reason was given");
    return show_log(c, log, err);
}

int cmd_logs_failed(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct release r = { 0 };
    struct build b = { 0 };
    int rc;

    if (argc > 0) {
        rc = release_find(c, argv, argc, &r, err);
        if (rc == 0 && !has_failed(&r))
            rc = err_set(err, ERR_FAILED, "v%lld has not failed (%s); its output: releases:output %s v%lld",
                         (long long) r.version, release_state_name(r.state), c->app.name, (long long) r.version);
    } else {
        rc = failed_release(c, &r, err);
        if (rc == 0)
            rc = failed_build(c, &b, err);
    }
    if (rc == 0 && b.id != 0 && b.created_at > r.created_at)
        rc = build_output(c, &b, err);
    else if (rc == 0 && r.id != 0)
        rc = release_output(c, &r, err);
    else if (rc == 0 && c->json)
        (void) show_json(c, json_null());
    else if (rc == 0)
        (void) io_outf(c->io, "Nothing of %s has failed\n", c->app.name);
    release_release(&r);
    build_release(&b);
    return rc;
}

static int retry_check(const struct command_ctx *c, const struct release *r, struct err *err)
{
    if (!has_failed(r))
        return err_set(err, ERR_FAILED, "v%lld has not failed (%s); nothing to retry", (long long) r->version,
                       release_state_name(r->state));
    if (r->rename_to != NULL)
        return err_set(err, ERR_FAILED, "v%lld would have renamed %s; give the command again: apps:rename %s %s",
                       (long long) r->version, c->app.name, c->app.name, r->rename_to);
    if (r->target[0] != '\0' && c->app.target[0] != '\0' && strcmp(r->target, c->app.target) != 0)
        return err_set(err, ERR_FAILED, "v%lld would have moved %s to %s; give the command again: apps:move %s --to %s",
                       (long long) r->version, c->app.name, r->target, c->app.name, r->target);
    if (r->version < c->app.live_version)
        return err_set(err, ERR_FAILED, "v%lld is older than v%lld, which is live; push its commit again instead",
                       (long long) r->version, (long long) c->app.live_version);
    return 0;
}

int cmd_releases_retry(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *description = NULL, *doing = NULL;
    struct release_made made = { 0 };
    struct release r;
    long long version;
    int rc;

    if (release_find(c, argv, argc, &r, err) != 0)
        return -1;
    version = (long long) r.version;
    (void) buf_addf(&c->detail, "v%lld", version);
    description = xasprintf("retry v%lld", version);
    doing = xasprintf("Retrying v%lld of %s", version, c->app.name);
    rc = retry_check(c, &r, err);
    if (rc == 0)
        rc = store_begin(c->store, err);
    if (rc == 0)
        rc = release_ask(c, &(struct release_ask) { .description = description, .doing = doing,
                                                    .from_release_id = r.id, .run_release_command = true,
                                                    .restart = true }, &made, err);
    if (rc == 0 && c->json)
        (void) show_json(c, json_pack("{s:s, s:I, s:I, s:o}", "app", c->app.name, "retried", (json_int_t) version,
                                      "release", (json_int_t) made.version, "url", show_json_text(made.url)));
    free(made.url);
    release_release(&r);
    return rc;
}
