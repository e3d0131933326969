#include "config.h"

#include "deployer/docker/runs.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/docker/attach.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SIZE "stty cols %d rows %d 2>/dev/null; " /* before the command asks for it; later sizes come by themselves */

/* Is q the better one to enter than p? */
static bool is_better(const struct container *p, const struct container *q)
{
    return p->retired != q->retired ? p->retired : q->created_at > p->created_at;
}

/* "web.1" is that one; "web" is one that stays: during a rollout, of the newer ones. NULL: there is none. */
static const struct container *choose(const struct containers *all, const char *wanted)
{
    const struct container *best = NULL;

    for (size_t i = 0; i < all->n; i++) {
        const struct container *c = &all->v[i];
        cleanup_free char *name = container_instance(c);
        bool named = strcmp(name, wanted) == 0 && !c->retired;

        if (!deploy_is_service(c->process) || (!named && strcmp(c->process, wanted) != 0))
            continue;
        if (named)
            return c;
        if (c->state == CONTAINER_RUNNING && (best == NULL || is_better(best, c)))
            best = c;
    }
    return best;
}

static int container_find(struct target *t, const struct app *app, const char *wanted, char **ret, struct err *err)
{
    const struct container *c;
    struct containers have;
    int rc = 0;

    if (app_containers(t, app->handle, &have, err) < 0)
        return -1;
    c = choose(&have, wanted);
    if (c == NULL)
        rc = err_set(err, ERR_NOT_FOUND, "no %s runs; see: ps", wanted);
    else if (c->state != CONTAINER_RUNNING)
        rc = err_set(err, ERR_FAILED, "%s is not running now", wanted);
    else
        *ret = xstrdup(c->id);
    containers_release(&have);
    return rc;
}

static json_t *exec_body(const struct target_exec *q, const char *mark)
{
    cleanup_free char *size = q->tty.is && q->tty.cols > 0 && q->tty.rows > 0
                                  ? xasprintf(SIZE, q->tty.cols, q->tty.rows) : xstrdup("");
    cleanup_vec struct vec command = VEC_INIT;
    json_t *body = json_pack("{s:b, s:b, s:b, s:b}", "AttachStdin", 1, "AttachStdout", 1, "AttachStderr", 1, "Tty",
                             q->tty.is), *words = json_array();

    run_command(&command, size, q->argv, q->shell);
    for (size_t i = 0; i < command.n; i++)
        json_array_append_new(words, json_string(command.v[i]));
    json_object_set_new(body, "Cmd", words);
    json_object_set_new(body, "Env", json_pack("[o]", json_sprintf(RUN_MARK "=%s", mark)));
    if (q->tty.is && q->tty.term != NULL && q->tty.term[0] != '\0')
        json_array_append_new(json_object_get(body, "Env"), json_sprintf("TERM=%s", q->tty.term));
    return body;
}

static int exit_take(struct target *t, const char *exec, int *ret_exit, struct err *err)
{
    cleanup_free char *path = xasprintf("/exec/%s/json", exec);
    json_auto_t *doc = NULL;

    if (engine_do(t->engine, "GET", path, NULL, &doc, err) < 0)
        return err_wrap(err, "the command has ended, but its exit code doesn't come");
    *ret_exit = (int) json_int(doc, "ExitCode", ERR_FAILED);
    return 0;
}

/* Ends what carries the mark; nobody waits for it. */
static void leftovers_end(struct target *t, const char *id, const char *mark)
{
    cleanup_free char *path = xasprintf("/containers/%s/exec", id), *start = NULL;
    json_auto_t *body = json_pack("{s:[s, s, s, s, s]}", "Cmd", "sh", "-c", RUN_END_SCRIPT, "sh", mark), *made = NULL;
    json_auto_t *detach = json_pack("{s:b}", "Detach", 1);

    if (engine_do(t->engine, "POST", path, body, &made, NULL) < 0)
        return;
    start = xasprintf("/exec/%s/start", json_str(made, "Id", ""));
    (void) engine_do(t->engine, "POST", start, detach, NULL, NULL);
}

/* *ret_left: the command may still run. */
static int exec_follow(struct target *t, const struct target_exec *q, const char *exec, struct attach *a,
                       int *ret_exit, bool *ret_left, struct err *err)
{
    cleanup_free char *path = xasprintf("/exec/%s/start", exec), *resize = xasprintf("/exec/%s/resize", exec);
    json_auto_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", q->tty.is);
    int fd = engine_hijack(t->engine, path, body, err);
    enum attach_end end;

    *ret_left = false;
    if (fd < 0)
        return -1;
    attach_to(a, fd);
    a->resize = resize;
    end = attach_pump(a, err);
    *ret_left = end != ATTACH_ENDED;
    switch (end) {
    case ATTACH_ENDED:
        return exit_take(t, exec, ret_exit, err);
    case ATTACH_GONE:
        return 0;
    case ATTACH_BROKEN:
        return err_wrap(err, "the command in %s lost its connection", q->instance);
    default:
        return err_set(err, ERR_BUSY, "the server is stopping");
    }
}

int docker_exec(struct target *t, const struct app *app, const struct target_exec *q, const struct target_stream *io,
                int *ret_exit, struct err *err)
{
    cleanup_free char *id = NULL, *path = NULL;
    json_auto_t *body = NULL, *made = NULL;
    unsigned char random[RUN_MARK_BYTES];
    char mark[RUN_MARK_BYTES * 2 + 1];
    struct attach a;
    bool left;
    int rc;

    engine_set_call(t->engine, NULL);
    if (container_find(t, app, q->instance, &id, err) < 0)
        return -1;
    randombytes_buf(random, sizeof(random));
    (void) sodium_bin2hex(mark, sizeof(mark), random, sizeof(random));
    body = exec_body(q, mark);
    path = xasprintf("/containers/%s/exec", id);
    if (engine_do(t->engine, "POST", path, body, &made, err) < 0 ||
        attach_init(&a, t->engine, io->fd, q->tty.is, err) < 0)
        return -1;
    rc = exec_follow(t, q, json_str(made, "Id", ""), &a, ret_exit, &left, err);
    attach_release(&a);
    if (left)
        leftovers_end(t, id, mark);
    return rc;
}
