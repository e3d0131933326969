#include "config.h"

#include "deployer/release_run.h"

#include "base/buf.h"
#include "base/image_file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "sql/image_label.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static double seconds(int64_t ms)
{
    return (double) ms / 1000;
}

int run_target(struct run *r, struct err *err)
{
    if (r->target != NULL)
        return 0;
    if (conf_target_check(r->w->conf, r->release->target, err) < 0)
        return err_wrap(err, "%s can't be released on %s", r->app.name, r->release->target);
    if (r->ops->open(r->w->conf, &r->target, err) < 0)
        return -1;
    if (r->ops->attend != NULL)
        r->ops->attend(r->target, &r->call);
    return 0;
}

static struct target_release target_release(struct run *r)
{
    return (struct target_release){ .app = &r->as, .release = r->release, .image = r->release->image,
                                    .config = &r->config, .certificate = &r->certificate,
                                    .suspended = &r->suspended };
}

static struct publish publish_of(struct run *r)
{
    const struct release *rel = r->release;

    return (struct publish){ .conf = r->w->conf, .app = r->app.handle, .source_image = rel->source_image,
                             .digest = rel->digest, .foreign = rel->image_ref != NULL, .version = rel->version,
                             .call = &r->call };
}

static void say_resolved(struct run *r, const char *digest, const struct vec *warnings)
{
    const struct release *rel = r->release;

    if (strcmp(rel->image_ref, digest) != 0)
        release_log_sayf(&r->log, "       %s:%s is %s", rel->source_image, rel->image_ref, digest);
    for (size_t i = 0; i < warnings->n; i++)
        release_log_sayf(&r->log, " !     %s", warnings->v[i]);
    for (size_t i = 0; i < rel->formation.n; i++)
        release_log_sayf(&r->log, "       %s=%d", rel->formation.v[i].process, rel->formation.v[i].count);
    run_say_processes(r);
}

/* An image that wasn't built here: which one the tag names now, and what it runs. Written down, so that a worker that
 * takes over goes on with the same. */
static int image_resolve(struct run *r, struct err *err)
{
    struct publish p = publish_of(r);
    cleanup_vec struct vec warnings = VEC_INIT;
    struct processes processes;
    char digest[DIGEST_SIZE];
    struct release now;
    json_t *config = NULL;
    int rc;

    if (r->release->image_ref == NULL || r->release->digest[0] != '\0')
        return 0;
    if (publish_resolve(&p, r->release->image_ref, digest, &config, err) < 0)
        return -1;
    rc = image_any_processes(config, &processes, &warnings, err);
    json_decref(config);
    if (rc < 0)
        return -1;
    rc = releases_resolved(r->w->store, r->w->me, r->release->id, digest, &processes, err);
    processes_release(&processes);
    if (rc < 0 || releases_get(r->w->store, r->release->id, &now, err) < 0)
        return -1;
    release_release(r->release);
    *r->release = now;
    say_resolved(r, digest, &warnings);
    return 0;
}

bool run_has_command(const struct run *r)
{
    const struct release *rel = r->release;

    return rel->run_release_command && !rel->command_done && processes_find(&rel->processes, "release") != NULL;
}

/* That it is published and, where no command stands between, that the apply begins: one transaction, which waits for the
 * disk some times. */
static int published_write(struct run *r, struct err *err)
{
    struct release *rel = r->release;
    bool own = false, applies = !run_has_command(r);
    int rc = store_enter(r->w->store, &own, err);

    if (rc == 0)
        rc = releases_published(r->w->store, r->w->me, rel->id, rel->image, rel->publish_ms, err);
    if (rc == 0 && applies)
        rc = releases_step(r->w->store, r->w->me, rel->id, step_name(STEP_APPLY), err);
    if (store_leave(r->w->store, own, rc, err) < 0)
        return -1;
    if (applies) {
        free(rel->step);
        rel->step = xstrdup(step_name(STEP_APPLY));
    }
    return 0;
}

int step_publish(struct run *r, struct err *err)
{
    struct release *rel = r->release;
    cleanup_close int images = -1;
    cleanup_free char *file = rel->image_file != NULL ? conf_state_path(r->w->conf, IMAGE_FILE_FOLDER "/%s", rel->image_file) : NULL;
    uint64_t start = loop_now();
    char *image = NULL;
    struct publish p;

    if (image_resolve(r, err) < 0)
        return err_wrap(err, "the image can't be had");
    p = publish_of(r);
    images = images_hold(r->w->store, r->app.id, err);
    if (images < 0)
        return -1;
    p.image_file = file;
    if (r->w->publish(&p, &image, err) < 0)
        return err_wrap(err, "the image can't be published");
    free(rel->image);
    rel->image = image;
    rel->publish_ms = (int64_t) (loop_now() - start);
    return published_write(r, err);
}

/* What the person wrote in the Procfile, out of what the image runs; "running" where the image runs it by the
 * launcher's link for the process type, which says nothing. */
static char *command_text(const struct process *p)
{
    static const char link[] = "/cnb/process/";
    char *const *v = vec_argv(&p->command);
    cleanup_buf struct buf b;
    size_t from = 0;

    buf_init(&b, 512);
    if (p->command.n == 0 || strncmp(v[0], link, sizeof(link) - 1) == 0)
        return xstrdup("running");
    if (p->command.n >= 3 && strcmp(v[1], "-c") == 0)
        from = 2;
    for (size_t i = from; i < p->command.n; i++)
        (void) buf_addf(&b, "%s%s", i > from ? " " : "", v[i]);
    for (size_t i = 0; i < p->args.n && from == 0; i++)
        (void) buf_addf(&b, " %s", p->args.v[i]);
    return xstrndup(buf_str(&b), strcspn(buf_str(&b), "\r\n"));
}

/* The target says what the command did: "failed (exit 7)". */
static int command_failed(struct err *err)
{
    cleanup_free char *did = xstrdup(err->msg);

    return err->code == ERR_FAILED ? err_set(err, ERR_FAILED, "the release command %s", did)
                                   : err_wrap(err, "the release command");
}

int step_command(struct run *r, struct err *err)
{
    struct release *rel = r->release;
    struct target_release t = target_release(r);
    cleanup_free char *text = NULL;
    uint64_t start = loop_now();

    if (!run_has_command(r))
        return 0;
    text = command_text(processes_find(&rel->processes, "release"));
    release_log_sayf(&r->log, "       release: %s ...", text);
    if (run_target(r, err) < 0)
        return -1;
    if (r->ops->release_command(r->target, &t, NULL, &r->call, r->w->conf->release_timeout, err) < 0)
        return command_failed(err);
    rel->command_ms = (int64_t) (loop_now() - start);
    if (releases_command_done(r->w->store, r->w->me, rel->id, rel->command_ms, err) < 0)
        return -1;
    rel->command_done = true;
    release_log_sayf(&r->log, "       release: done (%.1f s)", seconds(rel->command_ms));
    return 0;
}

static int on_object(void *arg, const struct inventory_item *item, struct err *err)
{
    struct run *r = arg;

    (void) err;
    r->made = xrealloc_n(r->made, r->n_made + 1, sizeof(*r->made));
    r->made[r->n_made++] = (struct inventory_item){
        .api_version = xstrdup(item->api_version), .kind = xstrdup(item->kind),
        .namespace = xstrdup(item->namespace), .name = xstrdup(item->name), .uid = xstrdup(item->uid),
        .release_id = item->release_id,
    };
    return 0;
}

/* In the caller's transaction, or one of its own for all objects: each costs a wait for the disk. */
static int inventory_write(struct run *r, struct err *err)
{
    bool own = false;
    int rc = store_enter(r->w->store, &own, err);

    for (size_t i = 0; i < r->n_made; i++) {
        if (rc == 0)
            rc = inventory_put(r->w->store, r->app.id, &r->made[i], err);
        inventory_item_release(&r->made[i]);
    }
    free(r->made);
    r->made = NULL;
    r->n_made = 0;
    return store_leave(r->w->store, own, rc, err);
}

int run_apply(struct run *r, const struct target_release *t, struct target_applied *ret, struct err *err)
{
    if (r->ops->apply(r->target, t, &r->call, on_object, r, ret, err) == 0)
        return 0;
    /* What was made before it failed is there all the same. */
    (void) inventory_write(r, NULL);
    return -1;
}

int run_applied(struct run *r, const struct target_applied *applied, struct err *err)
{
    bool own = false;
    int rc = store_enter(r->w->store, &own, err);

    if (rc == 0)
        rc = inventory_write(r, err);
    if (rc == 0 && applied != NULL)
        rc = releases_manifests(r->w->store, r->w->me, r->release->id, applied->manifests, r->release->apply_ms, err);
    if (rc == 0 && applied != NULL)
        rc = releases_step(r->w->store, r->w->me, r->release->id, step_name(STEP_ROLLOUT), err);
    return store_leave(r->w->store, own, rc, err);
}

int step_apply(struct run *r, struct err *err)
{
    struct target_release t = target_release(r);
    struct target_applied applied = { .url = NULL };
    uint64_t start = loop_now();
    int rc;

    if (run_target(r, err) < 0 || run_apply(r, &t, &applied, err) < 0)
        return -1;
    r->release->apply_ms = (int64_t) (loop_now() - start);
    free(r->url);
    r->url = steal_ptr(applied.url);
    rc = run_applied(r, &applied, err);
    target_applied_release(&applied);
    return rc;
}

int step_rollout(struct run *r, struct err *err)
{
    struct target_release t = target_release(r);
    uint64_t start = loop_now();

    if (r->ops->watch(r->target, &t, &r->call, r->w->conf->rollout_timeout, err) < 0)
        return -1;
    r->release->rollout_ms = (int64_t) (loop_now() - start);
    return 0;
}

static int on_removed(void *arg, const struct inventory_item *item, struct err *err)
{
    struct run *r = arg;

    return inventory_drop(r->w->store, r->app.id, item, err);
}

void run_prune(struct run *r, int64_t keep)
{
    struct inventory_item *v = NULL;
    size_t n = 0, old = 0;
    struct err err = ERR_INIT;
    int rc = inventory_list(r->w->store, r->app.id, r->release->target, &v, &n, &err);

    for (size_t i = 0; i < n; i++) {
        struct inventory_item item = v[i];

        if (item.release_id == keep)
            continue;
        v[i] = v[old];
        v[old++] = item;
    }
    if (rc == 0 && old > 0)
        rc = r->ops->prune(r->target, &r->app, v, old, on_removed, r, &err);
    if (rc < 0)
        log_warn("objects of earlier releases stay for now: %s", err.msg);
    for (size_t i = 0; i < n; i++)
        inventory_item_release(&v[i]);
    free(v);
}

static void say_live(struct run *r)
{
    const struct release *rel = r->release;
    int64_t began = rel->created_at;
    cleanup_buf struct buf parts;
    struct build b;

    buf_init(&parts, 256);
    /* A rollback or a change of config names the build that its image came from; that one isn't timed again. */
    if (rel->build_id != 0 && builds_get(r->w->store, rel->build_id, &b, NULL) == 0) {
        if (b.release_id == rel->id) {
            began = b.created_at;
            (void) buf_addf(&parts, "build %.1f, ", seconds(b.built_at - b.started_at));
        }
        build_release(&b);
    }
    if (rel->publish_ms >= 0)
        (void) buf_addf(&parts, "publish %.1f, ", seconds(rel->publish_ms));
    if (rel->command_ms >= 0)
        (void) buf_addf(&parts, "release %.1f, ", seconds(rel->command_ms));
    (void) buf_addf(&parts, "rollout %.1f", seconds(rel->apply_ms + rel->rollout_ms));
    release_log_sayf(&r->log, "=====> v%" PRId64 " is live after %.1f s (%s)", rel->version, seconds(store_now() - began), buf_str(&parts));
    if (r->url != NULL)
        release_log_sayf(&r->log, "       %s", r->url);
    if (r->moving)
        release_log_sayf(&r->log, "       What %s has on %s is stopped and removed now.", r->app.name, r->app.target);
}

int step_finish(struct run *r, struct err *err)
{
    const struct release *rel = r->release;

    /* While the lease is held: the app's next release begins as soon as the row has ended, and may
     * want again what this one leaves out. */
    run_prune(r, rel->id);
    /* Before the row: who follows stops reading when the row has ended. */
    say_live(r);
    /* Before the next build may begin, which could make one of the images that are to go. Where one runs already, beside a
     * change of config, the next release does it. */
    if (r->w->retain != NULL)
        r->images = images_claim(r->w->store, r->app.id, NULL);
    if (releases_live(r->w->store, r->w->me, rel->id, r->url, rel->rollout_ms, err) < 0) {
        if (r->images >= 0)
            (void) close(steal_fd(r->images));
        release_log_sayf(&r->log, " !     It could not be written down and is tried again: %s", err->msg);
        return -1;
    }
    return 0;
}
