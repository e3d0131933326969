#include "config.h"

#include "deployer/stream.h"

#include "base/buf.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/log_view.h"
#include "base/mem.h"
#include "deployer/config_open.h"
#include "deployer/log_fan.h"
#include "deployer/log_join.h"
#include "deployer/stream_plan.h"
#include "deployer/stream_run.h"
#include "deployer/target.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SINCE_MAX_S (366LL * 24 * 3600) /* no node keeps logs longer */

/* --- the request */

static int read_range(const json_t *doc, const char *name, long long fallback, long long min,
                      long long max, long long *ret, struct err *err)
{
    const json_t *v = json_object_get(doc, name);

    *ret = fallback;
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
        return err_set(err, ERR_USAGE, "%s is not a number from %lld to %lld", name, min, max);
    *ret = json_integer_value(v);
    return 0;
}

static int read_text(const json_t *doc, const char *name, const char **ret, struct err *err)
{
    const json_t *v = json_object_get(doc, name);

    *ret = NULL;
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_string(v) || json_string_length(v) > PROCESS_NAME_MAX + 16)
        return err_set(err, ERR_USAGE, "%s is not a short text", name);
    *ret = json_string_value(v);
    return 0;
}

static int read_names(const json_t *doc, const json_t **ret, struct err *err)
{
    const json_t *v = json_object_get(doc, "names"), *name;
    size_t i;

    *ret = NULL;
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_array(v))
        return err_set(err, ERR_USAGE, "names is not a list");
    json_array_foreach(v, i, name)
        if (!json_is_string(name))
            return err_set(err, ERR_USAGE, "names is not a list of texts");
    *ret = v;
    return 0;
}

int stream_request_read(const json_t *doc, struct stream_request *ret, struct err *err)
{
    static const char *const ops[] = {
        [STREAM_LIST] = "list", [STREAM_LOGS] = "logs", [STREAM_RESTART] = "restart",
        [STREAM_CONFIG] = "config", [STREAM_RUN] = "run", [STREAM_EXEC] = "exec",
        [STREAM_RUN_LIST] = "run-list", [STREAM_RUN_LOGS] = "run-logs", [STREAM_RUN_STOP] = "run-stop",
        [STREAM_PLAN] = "plan", [STREAM_FOLLOW] = "follow", [STREAM_MAINTENANCE] = "maintenance",
        [STREAM_CERTIFICATES] = "certificates",
    };
    const char *op = json_str(doc, "op", "");
    struct stream_request r = { 0 };
    long long app_id, tail, since, version;
    size_t i = 0;

    while (i < countof(ops) && strcmp(ops[i], op) != 0)
        i++;
    if (i == countof(ops))
        return err_set(err, ERR_USAGE, "the stream has no such operation");
    r.op = (enum stream_op) i;
    if (read_range(doc, "app_id", 0, 1, LLONG_MAX, &app_id, err) < 0 ||
        read_range(doc, "tail", -1, -1, INT_MAX, &tail, err) < 0 ||
        read_range(doc, "since", 0, 0, SINCE_MAX_S, &since, err) < 0 ||
        read_range(doc, "version", 0, 0, LLONG_MAX, &version, err) < 0 ||
        read_text(doc, "process", &r.process, err) < 0 ||
        read_text(doc, "instance", &r.instance, err) < 0 || read_text(doc, "target", &r.target, err) < 0 ||
        read_names(doc, &r.names, err) < 0)
        return -1;
    if (app_id == 0)
        return err_set(err, ERR_USAGE, "the request names no app");
    r.app_id = app_id;
    r.tail = (int) tail;
    r.since_s = since;
    r.version = version;
    r.follow = json_bool(doc, "follow", 0);
    r.router = json_bool(doc, "router", 0);
    r.on = json_bool(doc, "on", 0);
    r.doc = doc;
    *ret = r;
    return 0;
}

/* --- serving it */

struct stream {
    const struct conf *conf;
    int fd;
    struct store *store;
    struct app app;
    const struct stream_request *request;
    bool peer_gone;
    bool done;               /* the session has its result, or will have it from another process */
    int exit_code;           /* of a command that was run */
};

static int send_text(struct stream *s, const char *p, size_t n, struct err *err)
{
    while (n > 0) {
        size_t piece = n < IPC_PAYLOAD_MAX ? n : IPC_PAYLOAD_MAX;

        if (ipc_write(s->fd, IPC_STDOUT, p, piece, err) < 0)
            return -1;
        p += piece;
        n -= piece;
    }
    return 0;
}

static int send_json(struct stream *s, const json_t *doc, struct err *err)
{
    char *text = json_text(doc);
    int rc = send_text(s, text, strlen(text), err);

    sodium_memzero(text, strlen(text)); /* config values go through here */
    free(text);
    return rc;
}

/* The last frame. */
static int result_send(struct stream *s, int rc, const struct err *err)
{
    json_auto_t *result = json_pack("{s:i, s:s?, s:i}", "code", rc < 0 ? (int) err->code : 0, "error",
                                    rc < 0 ? err->msg : NULL, "exit", s->exit_code);
    cleanup_free char *text = NULL;

    if (result == NULL) /* a message that was cut within a character */
        result = json_pack("{s:i, s:s}", "code", (int) err->code, "error", "failed");
    text = json_text(result);
    return ipc_write(s->fd, IPC_RESULT, text, strlen(text), NULL);
}

static json_t *instance_json(const struct target_instance *i)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:I, s:i, s:I, s:b}", "name", i->name, "id", i->id,
                     "process", i->process, "state", i->state, "reason", i->reason, "release",
                     (json_int_t) i->release_version, "restarts", i->restarts, "started_at",
                     (json_int_t) i->started_at, "ready", i->ready);
}

static int serve_list(struct stream *s, const struct target_ops *ops, struct target *t,
                      struct err *err)
{
    json_auto_t *all = json_array();
    struct target_instance *v;
    size_t n;

    if (ops->list(t, &s->app, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(all, instance_json(&v[i]));
        target_instance_release(&v[i]);
    }
    free(v);
    return send_json(s, all, err);
}

static struct log_place log_place(const struct stream *s, const struct target_ops *ops)
{
    int number = 0;

    while (target_all[number] != ops)
        number++;
    return (struct log_place) { .conf = s->conf, .app_id = s->app.id, .target = ops->name, .number = number };
}

/* Shows what there is up to where the app's reader is, and leaves the session to that one. */
static int logs_share(struct stream *s, const struct target_ops *ops, struct target *t, struct target_logs *q,
                      const struct target_stream *io, struct err *err)
{
    struct log_place place = log_place(s, ops);
    struct log_marks marks = { 0 };
    cleanup_close int fd = log_join(&place, q->instance != NULL ? q->instance : q->process, &marks, err);
    int rc;

    if (fd < 0)
        return -1;
    q->follow = false;
    q->until = &marks;
    rc = ops->logs(t, &s->app, q, io, err);
    log_marks_release(&marks);
    if (rc == 0)
        rc = log_join_hand(fd, s->fd, err);
    s->done = rc == 0;
    return rc;
}

static int serve_logs(struct stream *s, const struct target_ops *ops, struct target *t,
                      struct err *err)
{
    const struct stream_request *r = s->request;
    struct target_logs q = { .process = r->process, .instance = r->instance, .tail = r->tail,
                             .since_s = r->since_s, .follow = r->follow };
    struct target_stream io = { .fd = s->fd };

    if (r->router && ops->requests == NULL)
        return err_set(err, ERR_FAILED, "%s shows no router's lines: %s; let %s print its requests, and see them with: "
                       "logs %s -p web", ops->name, ops->says[TRAIT_ROUTER].how, s->app.name, s->app.name);
    if (r->follow)
        (void) setpriority(PRIO_PROCESS, 0, FOLLOW_NICE);
    if (r->router)
        return ops->requests(t, &s->app, &q, &io, err);
    return r->follow ? logs_share(s, ops, t, &q, &io, err) : ops->logs(t, &s->app, &q, &io, err);
}

/* Is an app's reader. Who has started it is told that it is there; or another one is. */
static int serve_follow(struct stream *s, const struct target_ops *ops, struct target *t, struct err *err)
{
    struct log_place place = log_place(s, ops);
    cleanup_close int lock = -1;
    struct log_fan *fan;
    int fd, rc;

    fd = log_place_listen(&place, &lock, err);
    if (fd < 0)
        return err->code == ERR_BUSY ? 0 : -1;
    fan = log_fan_new(fd, err);
    if (fan == NULL)
        return -1;
    (void) setpriority(PRIO_PROCESS, 0, FOLLOW_NICE);
    (void) result_send(s, 0, NULL);
    s->done = true;
    rc = ops->follow(t, &s->app, fan, err);
    if (rc < 0)
        log_fan_end(fan, err);
    log_place_leave(&place);
    log_fan_free(fan);
    return rc;
}

/* Progress for the session. It may have gone: the restart goes on without anybody who listens. */
static void say(void *arg, const char *line)
{
    struct stream *s = arg;
    cleanup_free char *text = xasprintf("%s\n", line);

    if (!s->peer_gone && send_text(s, text, strlen(text), NULL) < 0)
        s->peer_gone = true;
}

/* The live release with its config opened. */
struct live {
    struct release release;
    struct config_set config;
    struct target_release target;
};

static int live_open(struct stream *s, struct live *l, struct err *err)
{
    memset(l, 0, sizeof(*l));
    if (s->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s runs nothing yet", s->app.name);
    if (releases_get(s->store, s->app.live_release_id, &l->release, err) < 0)
        return -1;
    l->target = (struct target_release) { .app = &s->app, .release = &l->release, .image = l->release.image,
                                          .config = &l->config };
    if (config_open_run(s->store, s->app.id, l->release.config_version, &l->config, err) == 0)
        return 0;
    release_release(&l->release);
    return -1;
}

static void live_close(struct live *l)
{
    config_set_release(&l->config);
    release_release(&l->release);
}

static int serve_restart(struct stream *s, const struct target_ops *ops, struct target *t,
                         struct err *err)
{
    struct target_call call = { .say = say, .say_arg = s, .wake_fd = -1 };
    struct live live;
    int rc;

    if (live_open(s, &live, err) < 0)
        return -1;
    rc = ops->restart(t, &live.target, s->request->process, &call, s->conf->rollout_timeout, err);
    live_close(&live);
    return rc;
}

/* One-off commands. */
static int serve_run(struct stream *s, const struct target_ops *ops, struct target *t, struct err *err)
{
    struct stream_run q;
    struct live live;
    json_t *answer = NULL;
    int rc;

    if (stream_run_read(s->request, &q, err) < 0)
        return -1;
    if (s->request->op == STREAM_RUN) {
        rc = stream_run_possible(ops, err) < 0 ? -1 : live_open(s, &live, err);
        if (rc == 0) {
            rc = stream_run_start(ops, t, &live.target, &q, s->fd, &answer, &s->exit_code, err);
            live_close(&live);
        }
    } else {
        rc = stream_run_serve(ops, t, &s->app, &q, s->fd, &answer, &s->exit_code, err);
    }
    stream_run_release(&q);
    if (rc == 0 && answer != NULL)
        rc = send_json(s, answer, err);
    json_decref(answer);
    return rc;
}

static int serve_maintenance(struct stream *s, const struct target_ops *ops, struct target *t, struct err *err)
{
    if (ops->maintenance != NULL)
        return ops->maintenance(t, &s->app, s->request->on, err);
    if (!s->request->on) /* what it doesn't have is off */
        return 0;
    return err_set(err, ERR_FAILED, "%s has no maintenance page: %s", ops->name, ops->says[TRAIT_MAINTENANCE].how);
}

static int serve_certificates(struct stream *s, const struct target_ops *ops, struct target *t, struct err *err)
{
    json_auto_t *all = NULL;

    if (ops->certificates == NULL)
        return err_set(err, ERR_FAILED, "on %s, what is shown for %s's host names is the cluster's matter; its own certificate: "
                       "certs:info %s", ops->name, s->app.name, s->app.name);
    return ops->certificates(t, &s->app, &all, err) == 0 ? send_json(s, all, err) : -1;
}

static int serve_plan(struct stream *s, const struct target_ops *ops, struct target *t, struct err *err)
{
    json_auto_t *all = NULL;
    struct stream_plan q;
    int rc = stream_plan_read(s->request, &q, err);

    if (rc == 0) {
        rc = stream_plan_make(s->conf, s->store, &s->app, &q, ops, t, &all, err);
        stream_plan_release(&q);
    }
    return rc == 0 ? send_json(s, all, err) : -1;
}

static bool is_named(const json_t *names, const char *name)
{
    const json_t *v;
    size_t i;

    if (names == NULL)
        return true;
    json_array_foreach(names, i, v)
        if (strcmp(json_string_value(v), name) == 0)
            return true;
    return false;
}

static int value_open(struct stream *s, const struct config_var *v, json_t *all, struct err *err)
{
    json_t *text;
    char *value;
    size_t n;

    if (seal_open(s->conf->state, SEAL_RUN, s->app.id, v->name, v->sealed_run, v->sealed_run_len,
                  &value, &n, err) < 0)
        return err_wrap(err, "%s", v->name);
    text = json_stringn(value, n);
    sodium_memzero(value, n);
    free(value);
    if (text == NULL)
        return err_set(err, ERR_FAILED, "the value of %s is not UTF-8 text", v->name);
    json_object_set_new(all, v->name, text);
    return 0;
}

static int values_open(struct stream *s, json_t *all, struct err *err)
{
    struct config_set set;
    int rc = 0;

    if (config_get(s->store, s->app.id, s->request->version, &set, err) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < set.n; i++)
        if (set.v[i].sealed_run != NULL && is_named(s->request->names, set.v[i].name))
            rc = value_open(s, &set.v[i], all, err);
    config_set_release(&set);
    return rc;
}

static int serve_config(struct stream *s, struct err *err)
{
    json_auto_t *all = json_object();
    struct err first = ERR_INIT;

    /* A rotation may have destroyed the key between the reading of a row and its opening. */
    if (values_open(s, all, &first) != 0 && values_open(s, all, err) != 0)
        return -1;
    return send_json(s, all, err);
}

static int serve_target(struct stream *s, struct err *err)
{
    const char *name = s->request->target != NULL ? s->request->target
                     : s->app.target[0] != '\0' ? s->app.target : conf_target(s->conf);
    const struct target_ops *ops = target_find(name);
    struct target *t;
    int rc;

    if (ops == NULL)
        return err_set(err, ERR_FAILED, "this program has no target %s", name);
    if (conf_target_check(s->conf, name, err) < 0)
        return s->request->target != NULL ? -1 : err_wrap(err, "%s runs on %s", s->app.name, name);
    if (ops->open(s->conf, &t, err) < 0)
        return -1;
    rc = s->request->op == STREAM_LIST ? serve_list(s, ops, t, err)
       : s->request->op == STREAM_LOGS ? serve_logs(s, ops, t, err)
       : s->request->op == STREAM_FOLLOW ? serve_follow(s, ops, t, err)
       : s->request->op == STREAM_RESTART ? serve_restart(s, ops, t, err)
       : s->request->op == STREAM_PLAN ? serve_plan(s, ops, t, err)
       : s->request->op == STREAM_MAINTENANCE ? serve_maintenance(s, ops, t, err)
       : s->request->op == STREAM_CERTIFICATES ? serve_certificates(s, ops, t, err)
                                          : serve_run(s, ops, t, err);
    ops->close(t);
    return rc;
}

static int serve(struct stream *s, struct err *err)
{
    cleanup_buf struct buf payload;
    json_auto_t *doc = NULL;
    struct stream_request request;
    enum ipc_type type;
    int rc;

    buf_init(&payload, IPC_PAYLOAD_MAX);
    rc = ipc_read(s->fd, &type, &payload, err);
    if (rc < 0)
        return -1;
    if (rc == 0 || type != IPC_REQUEST)
        return err_set(err, ERR_USAGE, "the stream got no request");
    doc = json_parse(buf_str(&payload), buf_len(&payload), "the request", err);
    if (doc == NULL || stream_request_read(doc, &request, err) < 0)
        return -1;
    s->request = &request;
    if (store_open(s->conf->state, true, &s->store, err) < 0)
        return -1;
    if (apps_get_id(s->store, request.app_id, &s->app, err) < 0)
        return -1;
    return request.op == STREAM_CONFIG ? serve_config(s, err) : serve_target(s, err);
}

int stream_main(const struct conf *c, int fd)
{
    struct stream s = { .conf = c, .fd = fd };
    struct err err = ERR_INIT;
    int rc = serve(&s, &err);

    app_release(&s.app);
    if (s.store != NULL)
        store_close(s.store);
    return !s.done && result_send(&s, rc, &err) < 0 ? 1 : 0;
}
