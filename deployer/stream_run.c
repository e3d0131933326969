#include "config.h"

#include "deployer/stream_run.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TTL_MAX_S (30LL * 24 * 3600) /* a command that runs longer is a process: scale one */
#define TERMINAL_MAX 10000
#define TERM_MAX 40
#define NAME_MAX_BYTES 64

static int bad(const char *name, struct err *err)
{
    return err_set(err, ERR_USAGE, "the request's %s is not as expected", name);
}

static int argv_read(const json_t *doc, struct vec *ret, struct err *err)
{
    json_t *argv = json_object_get(doc, "argv"), *word;
    size_t i;

    if (argv != NULL && !json_is_array(argv))
        return bad("argv", err);
    json_array_foreach(argv, i, word) {
        if (!json_is_string(word))
            return bad("argv", err);
        vec_add(ret, json_string_value(word));
    }
    return 0;
}

static int env_read(const json_t *doc, const json_t **ret, struct err *err)
{
    json_t *env = json_object_get(doc, "env"), *value;
    const char *name;

    *ret = env;
    if (env == NULL)
        return 0;
    if (!json_is_object(env))
        return bad("env", err);
    json_object_foreach(env, name, value)
        if (!json_is_string(value) || config_name_check(name, NULL) < 0)
            return bad("env", err);
    return 0;
}

static int tty_read(const json_t *doc, struct target_tty *ret, struct err *err)
{
    long long cols = json_int(doc, "cols", 0), rows = json_int(doc, "rows", 0);
    const char *term = json_str(doc, "term", "");

    if (cols < 0 || cols > TERMINAL_MAX || rows < 0 || rows > TERMINAL_MAX || strlen(term) > TERM_MAX ||
        strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") != strlen(term))
        return bad("terminal", err);
    *ret = (struct target_tty) { .is = json_bool(doc, "tty", 0), .cols = (int) cols, .rows = (int) rows,
                                 .term = term };
    return 0;
}

static int run_check(const struct stream_run *r, struct err *err)
{
    if (r->op == STREAM_RUN) {
        if (r->run.ttl_s < 1 || r->run.ttl_s > TTL_MAX_S)
            return bad("ttl", err);
        if ((r->run.process == NULL) != (r->argv.n > 0))
            return bad("command", err);
        if (r->run.process != NULL && process_name_check(r->run.process, err) < 0)
            return -1;
    }
    if (r->run.shell && r->argv.n != 1)
        return bad("command", err);
    if (r->op == STREAM_EXEC && r->exec.instance == NULL)
        return bad("instance", err);
    if ((r->op == STREAM_RUN_LOGS || r->op == STREAM_RUN_STOP) && (r->name == NULL || strlen(r->name) > NAME_MAX_BYTES))
        return bad("name", err);
    return 0;
}

int stream_run_read(const struct stream_request *request, struct stream_run *ret, struct err *err)
{
    const json_t *doc = request->doc;
    struct stream_run r = { .op = request->op, .argv = VEC_INIT };

    if (argv_read(doc, &r.argv, err) < 0 || env_read(doc, &r.run.env, err) < 0 ||
        tty_read(doc, &r.run.tty, err) < 0)
        goto fail;
    r.run.argv = r.exec.argv = vec_argv(&r.argv);
    r.run.shell = r.exec.shell = json_bool(doc, "shell", 0);
    r.run.process = request->process;
    r.run.user = json_str(doc, "user", "");
    r.run.text = json_str(doc, "text", "");
    r.run.ttl_s = json_int(doc, "ttl", 0);
    r.run.detached = json_bool(doc, "detached", 0);
    r.exec.instance = request->instance;
    r.exec.tty = r.run.tty;
    r.name = json_str(doc, "name", NULL);
    r.follow = request->follow;
    if (run_check(&r, err) < 0)
        goto fail;
    *ret = r;
    return 0;
fail:
    vec_release(&r.argv);
    return -1;
}

void stream_run_release(struct stream_run *r)
{
    vec_release(&r->argv);
}

int stream_run_possible(const struct target_ops *ops, struct err *err)
{
    if (ops->run != NULL && ops->exec != NULL && ops->run_list != NULL && ops->run_logs != NULL &&
        ops->run_stop != NULL)
        return 0;
    return err_set(err, ERR_FAILED, "the target %s can't run one-off commands; nothing was started", ops->name);
}

int stream_run_start(const struct target_ops *ops, struct target *t, const struct target_release *release,
                     const struct stream_run *r, int fd, json_t **ret_answer, int *ret_exit, struct err *err)
{
    struct target_stream io = { .fd = fd };
    cleanup_free char *name = NULL;
    int rc;

    if (r->run.process != NULL && processes_find(&release->release->processes, r->run.process) == NULL)
        return err_set(err, ERR_USAGE, "%s has no process type %s", release->app->name, r->run.process);
    rc = ops->run(t, release, &r->run, &io, &name, ret_exit, err);
    if (rc == 0 && r->run.detached)
        *ret_answer = json_pack("{s:s}", "name", name);
    return rc;
}

static json_t *one_off_json(const struct target_one_off *o)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:i, s:b, s:I, s:I}", "name", o->name, "command", o->command,
                     "user", o->user, "state", o->state, "reason", o->reason, "exit_code", o->exit_code,
                     "detached", o->detached, "started_at", (json_int_t) o->started_at, "ends_at",
                     (json_int_t) o->ends_at);
}

static int list(const struct target_ops *ops, struct target *t, const struct app *app, json_t **ret_answer,
                struct err *err)
{
    struct target_one_off *v;
    json_t *all;
    size_t n;

    if (ops->run_list(t, app, &v, &n, err) < 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, one_off_json(&v[i]));
        target_one_off_release(&v[i]);
    }
    free(v);
    *ret_answer = all;
    return 0;
}

int stream_run_serve(const struct target_ops *ops, struct target *t, const struct app *app,
                     const struct stream_run *r, int fd, json_t **ret_answer, int *ret_exit, struct err *err)
{
    struct target_stream io = { .fd = fd };

    if (stream_run_possible(ops, err) < 0)
        return -1;
    switch (r->op) {
    case STREAM_EXEC:
        return ops->exec(t, app, &r->exec, &io, ret_exit, err);
    case STREAM_RUN_LIST:
        return list(ops, t, app, ret_answer, err);
    case STREAM_RUN_LOGS:
        return ops->run_logs(t, app, r->name, r->follow, &io, err);
    default:
        return ops->run_stop(t, app, r->name, err);
    }
}
