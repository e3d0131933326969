#include "config.h"

#include "deployer/docker/docker.h"

#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/one_off.h"

#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (8 * 1024)

#define NUMBER_COMMAND 1      /* of the container: which of the two it is */
#define NUMBER_SCRIPT 2

/* The release command, or the postdeploy script, while it runs. */
struct job {
    struct target *target;
    const struct target_call *call;
    const char *script;      /* NULL: the release command */
    int number;
    char *id;
};

/* A container of this release's command that a worker before us has made. NULL: there is none. Those of other releases
 * are removed. */
static int earlier_find(struct job *j, const struct target_release *r, struct err *err)
{
    struct containers have;
    int rc = 0;

    if (app_containers(j->target, r->app->handle, &have, err) < 0)
        return -1;
    for (size_t i = 0; i < have.n && rc == 0; i++) {
        const struct container *c = &have.v[i];

        if (strcmp(c->process, PROCESS_RELEASE) != 0)
            continue;
        if (c->version == r->release->version && c->number == j->number && c->state != CONTAINER_CREATED && j->id == NULL)
            j->id = xstrdup(c->id);
        else
            rc = container_remove(j->target, c->id, err);
    }
    containers_release(&have);
    return rc;
}

static void entrypoint_set(json_t *body, const char *script)
{
    char *argv[] = { (char *) (uintptr_t) script, NULL };
    cleanup_vec struct vec command = VEC_INIT;
    json_t *words = json_array();

    run_command(&command, "", argv, true);
    for (size_t i = 0; i < command.n; i++)
        json_array_append_new(words, json_string(command.v[i]));
    json_object_set_new(body, "Entrypoint", words);
}

static int job_make(struct job *j, const struct target_release *r, struct err *err)
{
    struct target *t = j->target;
    cleanup_free char *network = app_network_name(t->conf, r->app->handle), *path = NULL, *escaped = NULL;
    cleanup_free char *name = container_name(t->conf, r->app->handle, PROCESS_RELEASE, j->number, r->release->version,
                                             randombytes_uniform(0x10000));
    json_auto_t *body = NULL, *answer = NULL;
    char template[TEMPLATE_SIZE];
    struct container_input in;
    struct subnet subnet;

    if (image_ensure(t, r->image, err) < 0 || app_network(t, r->app->handle, &subnet, err) < 0 ||
        deploy_input(t, r, network, &in, err) < 0 || container_render(&in, PROCESS_RELEASE, &body, err) < 0)
        return -1;
    if (j->script != NULL)
        entrypoint_set(body, j->script);
    container_template(body, template);
    container_place(body, &in, PROCESS_RELEASE, j->number, -1, template, NULL);
    escaped = http_escape(name);
    path = xasprintf("/containers/create?name=%s", escaped);
    if (engine_do(t->engine, "POST", path, body, &answer, err) < 0)
        return -1;
    j->id = xstrdup(json_str(answer, "Id", ""));
    free(path);
    path = xasprintf("/containers/%s/start", j->id);
    return engine_do(t->engine, "POST", path, NULL, NULL, err);
}

static void on_line(void *arg, int stream, const char *line, size_t n)
{
    struct job *j = arg;

    (void) stream;
    target_say_output(j->call, line, n);
}

/* Follows its output to its end, which is when the process has ended. */
static int job_follow(struct job *j, int64_t timeout_ms, struct err *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/logs?stdout=1&stderr=1&follow=1", j->id);
    int64_t deadline = (int64_t) loop_now() + timeout_ms;
    struct engine_stream *s = engine_stream_open(j->target->engine, "GET", path, NULL, DEMUX_FRAMES, LINE_MAX_BYTES,
                                                 on_line, j, err);
    int rc = s != NULL ? 0 : -1;

    while (rc == 0 && (rc = engine_stream_done(s, err)) == 0) {
        int64_t left = deadline - (int64_t) loop_now();

        if (left <= 0)
            rc = err_set(err, ERR_FAILED, "not done after %" PRId64 " s", timeout_ms / 1000);
        else
            rc = engine_wait(j->target->engine, left < INT_MAX ? (int) left : INT_MAX, -1, NULL, err);
    }
    engine_stream_close(s);
    return rc < 0 ? -1 : 0;
}

/* How it ended. The log's end may come an instant before the engine has noted the exit: its wait tells. */
static int job_judge(struct job *j, struct err *err)
{
    struct target *t = j->target;
    cleanup_free char *wait = xasprintf("/containers/%s/wait", j->id), *path = xasprintf("/containers/%s/json", j->id);
    cleanup_free char *how = NULL;
    json_auto_t *doc = NULL;
    struct container_status s;
    int rc = 0;

    if (engine_do(t->engine, "POST", wait, NULL, NULL, err) < 0 ||
        engine_do(t->engine, "GET", path, NULL, &doc, err) < 0)
        return -1;
    container_status_read(doc, &s);
    how = container_exit_text(s.exit_code);
    if (s.oom)
        rc = err_set(err, ERR_FAILED, "ran out of memory (limit %s)", t->conf->memory_limit);
    else if (s.exit_code != 0)
        rc = err_set(err, ERR_FAILED, "failed (%s)", how);
    container_status_release(&s);
    return rc;
}

int docker_release_command(struct target *t, const struct target_release *r, const char *script,
                           const struct target_call *c, int64_t timeout_ms, struct err *err)
{
    struct job j = { .target = t, .call = c, .script = script,
                     .number = script != NULL ? NUMBER_SCRIPT : NUMBER_COMMAND };
    int rc;

    engine_set_call(t->engine, c);
    rc = app_lock(t, r->app->handle, true, err);
    if (rc == 0)
        rc = earlier_find(&j, r, err);
    if (rc == 0 && j.id == NULL)
        rc = job_make(&j, r, err);
    if (rc == 0)
        rc = job_follow(&j, timeout_ms, err);
    if (rc == 0)
        rc = job_judge(&j, err);
    /* It has ended, or must not go on; unless another process goes on with it. */
    engine_set_call(t->engine, NULL);
    if (j.id != NULL && !(rc < 0 && c->handed_on != NULL && c->handed_on(c->canceled_arg)))
        (void) container_remove(t, j.id, NULL);
    if (script != NULL)
        app_unlock(t); /* the release command's lock is the rollout's, too */
    free(j.id);
    return rc;
}
