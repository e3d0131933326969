#include "config.h"

#include "tests/fakes/fake_target.h"

#include "base/mem.h"
#include "base/path.h"
#include "sql/tables.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct fake fake;

static void append(const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", fake.folder, name);
    cleanup_close int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    (void) fd_write_all(fd, text, strlen(text), NULL);
}

char *fake_read(const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", fake.folder, name);
    struct buf b;

    buf_init(&b, 1 << 20);
    (void) path_read(path, &b, NULL);
    return buf_steal(&b);
}

void fake_forget(void)
{
    cleanup_free char *calls = xasprintf("%s/calls.txt", fake.folder);

    (void) unlink(calls);
    fake.calls = fake.at = 0;
    fake.op = NULL;
    fake.hook = NULL;
}

static bool here(const char *op)
{
    return (fake.op != NULL && strcmp(fake.op, op) == 0) || fake.calls == fake.at;
}

/* Of the release command a target says what it did. */
static int went_wrong(const char *op, struct err *err)
{
    bool command = strcmp(op, "command") == 0 || strcmp(op, "postdeploy") == 0;

    return err_set(err, ERR_FAILED, "%s%swent wrong", command ? "" : op, command ? "" : " ");
}

/* Which of the two it is. */
struct target { bool other; const struct target_call *attended; };

static int before(const struct target *t, const char *op, const char *what, const struct target_call *c,
                  struct err *err)
{
    cleanup_free char *line = xasprintf("%s%s %s\n", t->other ? "kubernetes: " : "", op, what);

    fake.calls++;
    append("calls.txt", line);
    if (!here(op))
        return 0;
    switch (fake.fault) {
    case FAKE_KILL:
        (void) raise(SIGKILL);
        return 0;
    case FAKE_FAIL:
        return went_wrong(op, err);
    case FAKE_DOWN:
        return err_set(err, ERR_DOWN, "the cluster does not answer");
    case FAKE_HOOK:
        fake.hook(fake.hook_arg, c);
        return 0;
    case FAKE_FAIL_AFTER:
    case FAKE_KILL_AFTER:
        break;
    }
    return 0;
}

static int after(const char *op, struct err *err)
{
    if (here(op) && fake.fault == FAKE_KILL_AFTER)
        (void) raise(SIGKILL);
    if (here(op) && fake.fault == FAKE_FAIL_AFTER)
        return went_wrong(op, err);
    return 0;
}

static int canceled(const struct target_call *c, struct err *err)
{
    return c->canceled(c->canceled_arg) ? err_set(err, ERR_FAILED, "canceled") : 0;
}

int fake_publish(const struct publish *p, char **ret_image, struct err *err)
{
    cleanup_free char *what = xasprintf("v%" PRId64, p->version);

    if (before(&(struct target){ false, NULL }, "publish", what, p->call, err) < 0 || canceled(p->call, err) < 0 || after("publish", err) < 0)
        return -1;
    *ret_image = xasprintf("%s@%s", p->source_image, p->digest);
    return 0;
}

static char *holds_path(const struct target *t)
{
    return xasprintf("%s/holds%s.txt", fake.folder, t->other ? "-kubernetes" : "");
}

static int open_as(bool other, struct target **ret, struct err *err)
{
    struct target t = { other, NULL };

    if (before(&t, "open", "", NULL, err) < 0 || after("open", err) < 0)
        return -1;
    *ret = xmalloc(sizeof(t));
    **ret = t;
    return 0;
}

static int fake_open(const struct conf *c, struct target **ret, struct err *err)
{
    (void) c;
    return open_as(false, ret, err);
}

static int other_open(const struct conf *c, struct target **ret, struct err *err)
{
    (void) c;
    return open_as(true, ret, err);
}

static void fake_close(struct target *t)
{
    free(t);
}

static void fake_attend(struct target *t, const struct target_call *c)
{
    t->attended = c;
}

static char *describe(const struct target_release *r)
{
    struct buf b;

    buf_init(&b, 4096);
    (void) buf_addf(&b, "v%" PRId64, r->release->version);
    for (size_t i = 0; i < r->release->formation.n; i++)
        (void) buf_addf(&b, " %s=%d", r->release->formation.v[i].process, r->release->formation.v[i].count);
    for (size_t i = 0; i < r->config->n; i++)
        (void) buf_addf(&b, " %s:%zu", r->config->v[i].name, r->config->v[i].value_len);
    if (strcmp(r->app->name, r->app->handle) != 0)
        (void) buf_addf(&b, " as %s", r->app->name);
    if (r->restore)
        (void) buf_addstr(&b, " restore");
    return buf_steal(&b);
}

static int fake_command(struct target *t, const struct target_release *r, const char *script,
                        const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    cleanup_free char *what = script != NULL ? xstrdup(script) : describe(r);
    const char *op = script != NULL ? "postdeploy" : "command";

    (void) timeout_ms;
    if (before(t, op, what, c, err) < 0 || canceled(c, err) < 0)
        return -1;
    c->say(c->say_arg, "       migrating with hunter2-hunter2");
    return after(op, err);
}

static int fake_apply(struct target *t, const struct target_release *r, const struct target_call *c,
                      target_object_fn *object, void *object_arg, struct target_applied *ret, struct err *err)
{
    cleanup_free char *what = describe(r), *path = holds_path(t);
    cleanup_free char *uid = xasprintf("uid-%" PRId64, r->release->version);
    char shared[] = "shared", version[] = "v1", kind[] = "Thing", space[16], own[32];
    struct inventory_item item = { version, kind, space, shared, uid, r->release->id };

    (void) snprintf(space, sizeof(space), "%s", t->other ? "kubernetes" : "");
    if (before(t, "apply", what, c, err) < 0 || canceled(c, err) < 0)
        return -1;
    (void) snprintf(own, sizeof(own), "of-v%" PRId64, r->release->version);
    if (path_write(path, what, strlen(what), 0600, err) < 0 || object(object_arg, &item, err) < 0)
        return -1;
    item.name = own;
    if (object(object_arg, &item, err) < 0 || after("apply", err) < 0)
        return -1;
    ret->manifests = xstrdup("[]");
    ret->url = xstrdup("https://shop.example.com");
    return 0;
}

static int fake_watch(struct target *t, const struct target_release *r, const struct target_call *c,
                      int64_t timeout_ms, struct err *err)
{
    cleanup_free char *what = describe(r);

    (void) timeout_ms;
    if (before(t, "watch", what, c, err) < 0 || canceled(c, err) < 0)
        return -1;
    c->say(c->say_arg, "       web 1/1 ready");
    return after("watch", err);
}

static int fake_plan(struct target *t, const struct target_release *r, const struct inventory_item *items,
                     size_t n_items, json_t **ret, struct err *err)
{
    cleanup_free char *release = describe(r), *what = xasprintf("%s %s", r->image, release);

    (void) items, (void) n_items;
    if (before(t, "plan", what, NULL, err) < 0)
        return -1;
    *ret = json_array();
    target_plan_add(*ret, "Thing", "shared", NULL, json_object(), NULL);
    return after("plan", err);
}

static int fake_prune(struct target *t, const struct app *app, const struct inventory_item *v, size_t n,
                      target_object_fn *removed, void *removed_arg, struct err *err)
{
    (void) app;
    for (size_t i = 0; i < n; i++) {
        if (before(t, "prune", v[i].name, t->attended, err) < 0 || removed(removed_arg, &v[i], err) < 0 ||
            after("prune", err) < 0)
            return -1;
    }
    return 0;
}

static int fake_remove(struct target *t, const struct app *app, struct err *err)
{
    cleanup_free char *path = holds_path(t);

    if (before(t, "remove", app->name, NULL, err) < 0)
        return -1;
    (void) unlink(path);
    return after("remove", err);
}

static const struct target_ops fakes[] = {
    { .name = "docker", .open = fake_open, .close = fake_close, .attend = fake_attend, .release_command = fake_command,
      .apply = fake_apply, .watch = fake_watch, .plan = fake_plan, .prune = fake_prune, .remove = fake_remove },
    { .name = "kubernetes", .open = other_open, .close = fake_close, .attend = fake_attend, .release_command = fake_command,
      .apply = fake_apply, .watch = fake_watch, .plan = fake_plan, .prune = fake_prune, .remove = fake_remove },
};

const struct target_ops *fake_find(const char *name)
{
    for (size_t i = 0; i < countof(fakes); i++)
        if (strcmp(fakes[i].name, name) == 0)
            return &fakes[i];
    return NULL;
}
