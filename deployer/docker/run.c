#include "config.h"

#include "deployer/docker/runs.h"

#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/docker/attach.h"
#include "deployer/process.h"
#include "sql/store.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Numbers are short enough to type, and so many that a few tries find a free one. */
#define NUMBER_MIN 10000
#define NUMBER_SPAN 90000
#define NUMBER_TRIES 8
#define EXIT_TIMED_OUT 124   /* as timeout(1) */
#define SIZE "stty cols %d rows %d 2>/dev/null; " /* before the command asks for it; later sizes come by themselves */

/* --- its container */

static void command_make(const struct container_input *in, const struct target_run *q, struct vec *ret)
{
    cleanup_free char *size = q->tty.is && q->tty.cols > 0 && q->tty.rows > 0
                                  ? xasprintf(SIZE, q->tty.cols, q->tty.rows) : xstrdup("");

    if (q->process == NULL) {
        run_command(ret, size, q->argv, q->shell);
        return;
    }
    vec_addl(ret, "sh", "-c", NULL);
    vec_addf(ret, "%sexec \"$@\"", size);
    vec_add(ret, "sh");
    process_words(in->release, q->process, ret);
}

/* Replaces what the environment has, or adds it. */
static void env_set(json_t *env, const char *name, const char *value)
{
    size_t i, n = strlen(name);
    json_t *v, *text = json_sprintf("%s=%s", name, value);

    json_array_foreach(env, i, v) {
        const char *s = json_string_value(v);

        if (strncmp(s, name, n) == 0 && s[n] == '=') {
            json_array_set_new(env, i, text);
            return;
        }
    }
    json_array_append_new(env, text);
}

int run_render(const struct container_input *in, const struct target_run *q, const char *number, const char *owner,
               int64_t now_ms, json_t **ret, struct err *err)
{
    cleanup_vec struct vec command = VEC_INIT;
    json_t *body, *labels, *entrypoint = json_array(), *value;
    const char *name;

    if (container_render(in, PROCESS_RELEASE, &body, err) < 0) {
        json_decref(entrypoint);
        return -1;
    }
    command_make(in, q, &command);
    for (size_t i = 0; i < command.n; i++)
        json_array_append_new(entrypoint, json_string(command.v[i]));
    json_object_set_new(body, "Entrypoint", entrypoint);
    if (q->tty.is && q->tty.term != NULL && q->tty.term[0] != '\0')
        env_set(json_object_get(body, "Env"), "TERM", q->tty.term);
    json_object_foreach((json_t *) (uintptr_t) q->env, name, value)
        env_set(json_object_get(body, "Env"), name, json_string_value(value));
    labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", LABEL_STATE, in->conf->state, LABEL_APP, in->app->handle, LABEL_RUN,
                       number, LABEL_COMMAND, q->text, LABEL_USER, q->user);
    if (owner != NULL)
        json_object_set_new(labels, LABEL_OWNER, json_string(owner));
    json_object_set_new(labels, LABEL_ENDS, json_sprintf("%" PRId64, now_ms + q->ttl_s * 1000));
    json_object_set_new(body, "Labels", labels);
    json_object_set_new(body, "Tty", json_boolean(q->tty.is));
    if (!q->detached) {
        static const char *const on[] = { "OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr" };

        for (size_t i = 0; i < countof(on); i++)
            json_object_set_new(body, on[i], json_true());
    }
    *ret = body;
    return 0;
}

static int make_once(struct target *t, const struct target_release *r, const struct container_input *in,
                     const struct target_run *q, const char *owner, char *number, char **ret_id, struct err *err)
{
    cleanup_free char *name = NULL, *path = NULL, *shown = NULL;
    json_auto_t *body = NULL, *answer = NULL;

    if (q->number != NULL)
        (void) snprintf(number, RUN_NUMBER_SIZE, "%s", q->number);
    else
        (void) snprintf(number, RUN_NUMBER_SIZE, "%u", NUMBER_MIN + randombytes_uniform(NUMBER_SPAN));
    shown = run_name(number);
    name = xasprintf("%s%s.%s", t->conf->container_prefix, r->app->handle, shown);
    path = xasprintf("/containers/create?name=%s", name);
    if (run_render(in, q, number, owner, store_now(), &body, err) < 0 ||
        engine_do(t->engine, "POST", path, body, &answer, err) < 0)
        return -1;
    *ret_id = xstrdup(json_str(answer, "Id", ""));
    return 0;
}

static int run_make(struct target *t, const struct target_release *r, const struct target_run *q, char *number,
                    char **ret_id, struct err *err)
{
    cleanup_free char *network = app_network_name(t->conf, r->app->handle), *owner = NULL;
    struct container_input in;
    struct subnet subnet;
    struct err why = ERR_INIT;
    int rc = -1;

    if (!q->detached && (owner = run_owner(err)) == NULL)
        return -1;
    if (image_ensure(t, r->image, err) < 0 || app_network(t, r->app->handle, &subnet, err) < 0 ||
        deploy_input(t, r, network, &in, err) < 0)
        return -1;
    for (int i = 0; rc < 0 && i < NUMBER_TRIES; i++) {
        err_clear(&why);
        rc = make_once(t, r, &in, q, owner, number, ret_id, &why);
        if (rc < 0 && (why.code != ERR_BUSY || q->number != NULL))
            break;
    }
    if (rc < 0)
        *err = why;
    return rc < 0 ? err_wrap(err, "the command can't be started") : 0;
}

static int run_start(struct target *t, const char *id, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/start", id);

    return engine_do(t->engine, "POST", path, NULL, NULL, err) < 0 ? err_wrap(err, "the command can't be started") : 0;
}

/* --- attached */

/* Attaches first and starts it then: nothing of its output is lost. */
static int attach_start(struct target *t, struct attach *a, const char *id, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1", id);
    int fd = engine_hijack(t->engine, path, NULL, err);

    if (fd < 0)
        return -1;
    attach_to(a, fd);
    return run_start(t, id, err);
}

static int exit_take(struct target *t, const char *id, const char *name, struct attach *a, int *ret_exit,
                     struct err *err)
{
    cleanup_free char *wait = xasprintf("/containers/%s/wait", id), *path = xasprintf("/containers/%s/json", id);
    json_auto_t *doc = NULL;
    struct container_status s;

    if (engine_do(t->engine, "POST", wait, NULL, NULL, err) < 0 ||
        engine_do(t->engine, "GET", path, NULL, &doc, err) < 0)
        return err_wrap(err, "%s has ended, but its exit code doesn't come", name);
    container_status_read(doc, &s);
    if (s.oom) {
        cleanup_free char *text = xasprintf(" !     %s ran out of memory (limit %s)", name, t->conf->memory_limit);

        attach_say(a, text);
    }
    *ret_exit = s.exit_code;
    container_status_release(&s);
    return 0;
}

static int run_follow(struct target *t, const struct target_run *q, const char *id, const char *name,
                      struct attach *a, int *ret_exit, struct err *err)
{
    cleanup_free char *resize = xasprintf("/containers/%s/resize", id), *text = NULL;

    a->resize = resize;
    a->deadline = loop_now() + (uint64_t) q->ttl_s * 1000;
    if (attach_start(t, a, id, err) < 0)
        return -1;
    if (q->tty.is) {
        text = xasprintf("Running %s... up, %s", q->text, name);
        attach_say(a, text);
    }
    switch (attach_pump(a, err)) {
    case ATTACH_ENDED:
        return exit_take(t, id, name, a, ret_exit, err);
    case ATTACH_GONE:
        return 0;
    case ATTACH_STOPPING:
        return err_set(err, ERR_BUSY, "the server is stopping; %s was ended", name);
    case ATTACH_OVERDUE:
        free(text);
        text = xasprintf(" !     %s was ended because its time was over (--ttl)", name);
        attach_say(a, text);
        *ret_exit = EXIT_TIMED_OUT;
        return 0;
    default:
        return err_wrap(err, "%s lost its connection and was ended", name);
    }
}

int docker_run(struct target *t, const struct target_release *r, const struct target_run *q,
               const struct target_stream *io, char **ret_name, int *ret_exit, struct err *err)
{
    cleanup_free char *id = NULL;
    char number[RUN_NUMBER_SIZE];
    struct attach a;
    int rc;

    engine_set_call(t->engine, NULL);
    *ret_name = NULL;
    if (!q->detached && attach_init(&a, t->engine, io->fd, q->tty.is, err) < 0)
        return -1;
    rc = run_make(t, r, q, number, &id, err);
    if (rc == 0)
        *ret_name = run_name(number);
    if (rc == 0 && q->detached)
        rc = run_start(t, id, err);
    else if (rc == 0)
        rc = run_follow(t, q, id, *ret_name, &a, ret_exit, err);
    if (!q->detached)
        attach_release(&a);
    if (id != NULL && (!q->detached || rc < 0))
        (void) run_end(t, id, true, NULL);
    return rc;
}
