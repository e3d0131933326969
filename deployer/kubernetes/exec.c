#include "config.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/remote.h"
#include "deployer/kubernetes/runs.h"

#include <stdlib.h>
#include <string.h>

/* The pod of an instance by the name that people use; the caller's. */
static char *pod_find(struct target *t, const char *namespace_, const char *instance, struct err *err)
{
    cleanup_free char *pods = kind_path_of("Pod", namespace_, NULL);
    cleanup_free char *path = xasprintf("%s?labelSelector=%s", pods, SELECTOR_MANAGED);
    struct instances all = { 0 };
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
    for (i = 0; i < all.n && pod == NULL; i++) {
        cleanup_free char *name = instance_name(&all.v[i]);

        if (strcmp(name, instance) != 0)
            continue;
        if (!all.v[i].pod.running) {
            (void) err_set(err, ERR_FAILED, "%s is not running now (%s)", instance, pod_state(&all.v[i].pod));
            break;
        }
        pod = xstrdup(all.v[i].pod.name);
    }
    if (pod == NULL && i == all.n)
        (void) err_set(err, ERR_NOT_FOUND, "there is no %s; see: ps", instance);
    instances_release(&all);
    return pod;
}

static char *exec_path(const char *pod, const struct target_exec *q)
{
    cleanup_vec struct vec command = VEC_INIT;
    struct buf b;

    /* exec can't set variables. */
    if (q->tty.is && q->tty.term != NULL && q->tty.term[0] != '\0') {
        vec_add(&command, "env");
        vec_addf(&command, "TERM=%s", q->tty.term);
    }
    run_command(&command, "", q->argv, q->shell);
    buf_init(&b, 1 << 20);
    (void) buf_addf(&b, "%s/exec?container=" CONTAINER "&stdin=true&stdout=true&stderr=%s&tty=%s", pod,
                    q->tty.is ? "false" : "true", q->tty.is ? "true" : "false");
    for (size_t i = 0; i < command.n; i++) {
        cleanup_free char *word = http_escape(command.v[i]);

        (void) buf_addf(&b, "&command=%s", word);
    }
    return buf_steal(&b);
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
    struct remote r;
    int rc;

    if (pod == NULL)
        return -1;
    path = kind_path_of("Pod", namespace_, pod);
    exec = exec_path(path, q);
    if (remote_init(&r, t->kube, io->fd, q->tty.is, err) < 0)
        return -1;
    rc = remote_connect(&r, exec, q->tty.cols, q->tty.rows, NULL, 0, err);
    if (rc == 0)
        rc = end_judge(&r, remote_pump(&r, err), q->instance, ret_exit, err);
    remote_release(&r);
    return rc;
}
