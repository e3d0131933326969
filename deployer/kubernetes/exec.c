#include "config.h"

#include "base/http.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/remote.h"
#include "deployer/kubernetes/runs.h"
#include "deployer/kubernetes/websocket.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Is q the better one to enter than p? */
static bool is_better(const struct pod *p, const struct pod *q)
{
    if (p->deleting != q->deleting)
        return p->deleting;
    if (p->ready != q->ready)
        return q->ready;
    return q->created_at > p->created_at;
}

/* "web.1" is that one; "web" is one that stays: during a rollout, of the newer ones. NULL: there is none. */
static const struct instance *choose(const struct instances *all, const char *wanted)
{
    const struct instance *best = NULL;

    for (size_t i = 0; i < all->n; i++) {
        const struct instance *one = &all->v[i];
        cleanup_free char *name = instance_name(one);

        if (strcmp(name, wanted) == 0)
            return one;
        if (strcmp(one->pod.process, wanted) == 0 && one->pod.running &&
            (best == NULL || is_better(&best->pod, &one->pod)))
            best = one;
    }
    return best;
}

/* The pod of an instance by the name that people use; the caller's. */
static char *pod_find(struct target *t, const char *namespace_, const char *wanted, struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", namespace_, NULL);
    cleanup_free char *path = xasprintf("%s?labelSelector=%s", pods, SELECTOR_MANAGED);
    struct instances all = { 0 };
    const struct instance *one;
    json_auto_t *list = NULL;
    json_t *items, *o;
    char *pod = NULL;
    size_t i;

    if (kube_do(t->kube, "GET", path, NULL, NULL, &list, err) < 0)
        return NULL;
    items = json_at(list, "items");
    json_array_foreach(items, i, o)
        (void) instances_take(&all, o);
    instances_number(&all);
    one = choose(&all, wanted);
    if (one == NULL)
        (void) err_set(err, ERR_NOT_FOUND, "no %s runs; see: ps", wanted);
    else if (!one->pod.running)
        (void) err_set(err, ERR_FAILED, "%s is not running now (%s)", wanted, pod_state(&one->pod));
    else
        pod = xstrdup(one->pod.name);
    instances_release(&all);
    return pod;
}

#define END_MS 10000

static char *path_of(const char *pod, const char *streams, const struct vec *command)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    (void) buf_addf(&b, "%s/exec?container=" CONTAINER "%s", pod, streams);
    for (size_t i = 0; i < command->n; i++) {
        cleanup_free char *word = http_escape(command->v[i]);

        (void) buf_addf(&b, "&command=%s", word);
    }
    return buf_steal(&b);
}

static char *exec_path(const char *pod, const struct target_exec *q, const char *mark)
{
    cleanup_vec struct vec command = VEC_INIT;
    cleanup_free char *first = xasprintf("export " RUN_MARK "=%s; ", mark);

    /* exec can't set variables. */
    if (q->tty.is && q->tty.term != NULL && q->tty.term[0] != '\0') {
        vec_add(&command, "env");
        vec_addf(&command, "TERM=%s", q->tty.term);
    }
    run_command(&command, first, q->argv, q->shell);
    return path_of(pod, q->tty.is ? "&stdin=true&stdout=true&tty=true" : "&stdin=true&stdout=true&stderr=true",
                   &command);
}

static void on_nothing(void *arg, const uint8_t *data, size_t n)
{
    (void) arg, (void) data, (void) n;
}

static bool has_room(void *arg)
{
    (void) arg;
    return true;
}

/* Ends what carries the mark. */
static void leftovers_end(struct target *t, const char *pod, const char *mark)
{
    cleanup_vec struct vec command = VEC_INIT;
    cleanup_free char *path = NULL;
    uint64_t until = loop_now() + END_MS, now;
    struct websocket *ws;

    vec_addl(&command, "sh", "-c", RUN_END_SCRIPT, "sh", mark, NULL);
    path = path_of(pod, "&stdout=true", &command);
    if (kube_websocket(t->kube, path, &ws, NULL) < 0)
        return;
    while (websocket_service(ws, on_nothing, has_room, NULL, NULL) == 0 && (now = loop_now()) < until)
        if (kube_poll(t->kube, (int) (until - now), websocket_fd(ws), NULL, NULL) < 0)
            break;
    websocket_close(ws);
}

static int end_judge(const struct remote *r, enum remote_end end, const char *instance, int *ret_exit,
                     struct err *err)
{
    switch (end) {
    case REMOTE_GONE:
        return 0;
    case REMOTE_STOPPING:
        return err_set(err, ERR_BUSY, "the server is stopping");
    case REMOTE_ENDED:
        if (!r->status.is)
            return err_set(err, ERR_DOWN, "the cluster doesn't say how the command in %s ended", instance);
        if (r->status.exit_code < 0)
            return err_set(err, ERR_FAILED, "%s: %s", instance, r->status.message);
        *ret_exit = r->status.exit_code;
        return 0;
    default:
        return err_wrap(err, "the command in %s lost its connection", instance);
    }
}

int kubernetes_exec(struct target *t, const struct app *app, const struct target_exec *q,
                    const struct target_stream *io, int *ret_exit, struct err *err)
{
    cleanup_free char *namespace_ = manifest_namespace_name(t->conf, app);
    cleanup_free char *pod = pod_find(t, namespace_, q->instance, err), *path = NULL, *exec = NULL;
    char mark[2 * RUN_MARK_BYTES + 1];
    unsigned char random[RUN_MARK_BYTES];
    enum remote_end end;
    struct remote r;
    int rc;

    if (pod == NULL)
        return -1;
    randombytes_buf(random, sizeof(random));
    (void) sodium_bin2hex(mark, sizeof(mark), random, sizeof(random));
    path = kind_path_of("Pod", namespace_, pod);
    exec = exec_path(path, q, mark);
    if (remote_init(&r, t->kube, io->fd, q->tty.is, err) < 0)
        return -1;
    rc = remote_connect(&r, exec, q->tty.cols, q->tty.rows, err);
    if (rc == 0) {
        end = remote_pump(&r, err);
        rc = end_judge(&r, end, q->instance, ret_exit, err);
        remote_disconnect(&r);
        if (end != REMOTE_ENDED)
            leftovers_end(t, path, mark);
    }
    remote_release(&r);
    return rc;
}
