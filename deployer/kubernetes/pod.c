#include "config.h"

#include "deployer/kubernetes/pod.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/manifest.h"
#include "deployer/rfc3339.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A string of the document, cleaned and cut; NULL where absent or empty. */
static char *text(const json_t *o, const char *path)
{
    const char *s = json_str(o, path, "");

    return s[0] != '\0' ? text_plain(s, POD_TEXT_MAX) : NULL;
}

/* A member whose name has dots in it. */
static char *member(const json_t *o, const char *path, const char *name)
{
    const char *s = json_string_value(json_object_get(json_at(o, path), name));

    return text_plain(s != NULL ? s : "", POD_TEXT_MAX);
}

static int bounded(long long v)
{
    return v < 0 ? 0 : v > INT_MAX ? INT_MAX : (int) v;
}

static void end_read(const json_t *terminated, struct pod_end *ret)
{
    if (!json_is_object(terminated))
        return;
    ret->is = true;
    ret->code = bounded(json_int(terminated, "exitCode", 0));
    ret->reason = text(terminated, "reason");
    ret->message = text(terminated, "message");
    ret->started_at = rfc3339_ms(json_str(terminated, "startedAt", NULL));
    ret->ended_at = rfc3339_ms(json_str(terminated, "finishedAt", NULL));
}

static void container_read(const json_t *status, struct pod *p)
{
    json_t *running = json_at(status, "state.running");

    p->restarts = bounded(json_int(status, "restartCount", 0));
    p->ready = json_bool(status, "ready", 0);
    end_read(json_at(status, "state.terminated"), &p->end);
    end_read(json_at(status, "lastState.terminated"), &p->last);
    if (json_is_object(running)) {
        p->running = true;
        p->running_since = rfc3339_ms(json_str(running, "startedAt", NULL));
    } else if (!p->end.is && json_is_object(json_at(status, "state.waiting"))) {
        p->waiting = text(status, "state.waiting.reason");
        p->waiting_message = text(status, "state.waiting.message");
        if (p->waiting == NULL)
            p->waiting = xstrdup("Waiting");
    }
}

static void scheduling_read(const json_t *doc, struct pod *p)
{
    json_t *conditions = json_at(doc, "status.conditions"), *c;
    size_t i;

    json_array_foreach(conditions, i, c) {
        if (p->unschedulable == NULL && strcmp(json_str(c, "type", ""), "PodScheduled") == 0 &&
            strcmp(json_str(c, "status", ""), "False") == 0 &&
            strcmp(json_str(c, "reason", ""), "Unschedulable") == 0)
            p->unschedulable = text_plain(json_str(c, "message", "no node fits"), POD_TEXT_MAX);
    }
}

int pod_read(const json_t *doc, struct pod *ret, struct err *err)
{
    struct pod p = { 0 };
    json_t *statuses, *s;
    size_t i;

    p.name = text(doc, "metadata.name");
    p.uid = text(doc, "metadata.uid");
    if (p.name == NULL || p.uid == NULL) {
        pod_release(&p);
        return err_set(err, ERR_DOWN, "the cluster sent a pod without a name");
    }
    p.process = member(doc, "metadata.labels", LABEL_PROCESS);
    p.template = member(doc, "metadata.annotations", ANNOTATION_TEMPLATE);
    p.restarted = member(doc, "metadata.annotations", ANNOTATION_RESTARTED);
    s = json_array_get(json_at(doc, "metadata.ownerReferences"), 0);
    p.owner = text_plain(json_str(s, "name", ""), POD_TEXT_MAX);
    p.node_ip = text(doc, "status.hostIP");
    p.phase = text(doc, "status.phase");
    if (p.phase == NULL)
        p.phase = xstrdup("Pending");
    p.phase_reason = text(doc, "status.reason");
    p.deleting = json_at(doc, "metadata.deletionTimestamp") != NULL;
    p.created_at = rfc3339_ms(json_str(doc, "metadata.creationTimestamp", NULL));
    s = json_array_get(json_at(doc, "spec.containers"), 0);
    p.memory_limit = text(s, "resources.limits.memory");
    p.pull_secret = json_array_size(json_at(doc, "spec.imagePullSecrets")) > 0;
    scheduling_read(doc, &p);
    statuses = json_at(doc, "status.containerStatuses");
    json_array_foreach(statuses, i, s) {
        if (strcmp(json_str(s, "name", ""), CONTAINER) == 0) {
            container_read(s, &p);
            break;
        }
    }
    *ret = p;
    return 0;
}

void pod_release(struct pod *p)
{
    free(p->name);
    free(p->uid);
    free(p->process);
    free(p->template);
    free(p->restarted);
    free(p->owner);
    free(p->node_ip);
    free(p->phase);
    free(p->phase_reason);
    free(p->unschedulable);
    free(p->waiting);
    free(p->waiting_message);
    free(p->end.reason);
    free(p->last.reason);
    free(p->end.message);
    free(p->last.message);
    free(p->memory_limit);
    memset(p, 0, sizeof(*p));
}

int pod_crashes(const struct pod *p)
{
    return p->restarts + (p->end.is && p->restarts < INT_MAX);
}

const struct pod_end *pod_last_end(const struct pod *p)
{
    return p->end.is ? &p->end : p->last.is ? &p->last : NULL;
}

static bool waits_as(const struct pod *p, const char *reason)
{
    return p->waiting != NULL && strcmp(p->waiting, reason) == 0;
}

static bool ended_as(const struct pod_end *e, const char *reason)
{
    return e != NULL && e->reason != NULL && strcmp(e->reason, reason) == 0;
}

const char *pod_state(const struct pod *p)
{
    if (p->deleting)
        return "stopping";
    if (strcmp(p->phase, "Failed") == 0 || waits_as(p, "CrashLoopBackOff") ||
        (p->end.is && p->end.code != 0))
        return "crashed";
    if (p->end.is)
        return strcmp(p->phase, "Succeeded") == 0 ? "done" : "crashed";
    if (p->running)
        return p->ready ? "running" : "starting";
    return p->node_ip == NULL ? "pending" : "starting";
}

/* Exit codes over 128 are how a shell, and containerd, write "ended by signal N". */
static char *exit_text(const struct pod_end *e)
{
    if (e->code > 128 && e->code < 128 + NSIG && sigabbrev_np(e->code - 128) != NULL)
        return xasprintf("SIG%s", sigabbrev_np(e->code - 128));
    return xasprintf("exit %d", e->code);
}

static char *oom_text(const struct pod *p)
{
    return xasprintf("ran out of memory (limit %s)",
                     p->memory_limit != NULL ? p->memory_limit : "of its node");
}

char *pod_reason(const struct pod *p)
{
    const struct pod_end *e = pod_last_end(p);
    cleanup_free char *how = NULL;

    if (p->running)
        return NULL;
    if (p->unschedulable != NULL)
        return xstrdup(p->unschedulable);
    if (p->phase_reason != NULL)
        return xstrdup(p->phase_reason);
    if (ended_as(e, "OOMKilled"))
        return oom_text(p);
    if (e != NULL && (p->end.is || waits_as(p, "CrashLoopBackOff"))) {
        how = exit_text(e);
        return xasprintf("ended (%s)", how);
    }
    if (p->waiting == NULL || waits_as(p, "ContainerCreating") || waits_as(p, "PodInitializing"))
        return NULL;
    return p->waiting_message != NULL ? xasprintf("%s: %s", p->waiting, p->waiting_message)
                                      : xstrdup(p->waiting);
}

/* Waiting reasons that mean that the container can't be made. */
static const struct { const char *reason; enum pod_trouble trouble; const char *text; } waits[] = {
    { "InvalidImageName", POD_HOPELESS, "has an image name that is not valid" },
    { "ImageInspectError", POD_SUSPECT, "has an image that can't be read" },
    { "ErrImageNeverPull", POD_HOPELESS, "has an image that its node lacks" },
    { "ImagePullBackOff", POD_HOPELESS, "can't pull its image" },
    { "ErrImagePull", POD_SUSPECT, "can't pull its image" },
    { "RegistryUnavailable", POD_SUSPECT, "can't pull its image" },
    { "SignatureValidationFailed", POD_HOPELESS, "has an image whose signature is refused" },
    { "CreateContainerConfigError", POD_SUSPECT, "can't be set up" },
    { "CreateContainerError", POD_SUSPECT, "can't be made" },
    { "RunContainerError", POD_SUSPECT, "can't be started" },
};

/* The part of a runtime's error that says it. Each layer puts words before it, and most of them the
 * whole image name in quotes. */
static const char *error_core(const char *message)
{
    static const char *const marks[] = {
        "unable to start container process: ", "failed to resolve reference \"",
        "failed to pull and unpack image \"", "desc = ",
    };

    for (size_t i = 0; i < countof(marks); i++) {
        const char *at = strstr(message, marks[i]), *end;

        if (at == NULL)
            continue;
        at += strlen(marks[i]);
        if (at[-1] != '"')
            return at;
        end = strstr(at, "\": ");
        return end != NULL ? end + 3 : at;
    }
    return message;
}

static bool has_any(const char *message, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(message, *words) != NULL)
            return true;
    return false;
}

/* Words of errors that no second try changes. */
static const char *const final_words[] = {
    "not found", "nauthorized", "denied", "manifest unknown", "no match for platform",
    "no such file or directory", "not a directory", "exec format error", NULL,
};

static char *with_core(const char *what, const char *message)
{
    return message != NULL && message[0] != '\0'
               ? xasprintf("%s: %.*s", what, POD_WHY_MAX, error_core(message)) : xstrdup(what);
}

/* A kubelet that has just got a pod may not be allowed to read its pull secret for a moment (the API
 * server's node authorizer learns of the pod a little later). It waits one second, pulls without the
 * credential and tries again. Older kubelets say in ImagePullBackOff only that they wait. */
static const char *const login_words[] = {
    "nauthorized", "enied", "orbidden", "authorization failed", "no basic auth", NULL,
};

static bool pull_refused(const struct pod *p, const char *message)
{
    if (!p->pull_secret)
        return false;
    if (waits_as(p, "ImagePullBackOff") && strstr(message, "ErrImagePull") == NULL)
        return true;
    return (waits_as(p, "ErrImagePull") || waits_as(p, "ImagePullBackOff")) && has_any(message, login_words);
}

/* A pull that a login is missing for: whoever pushes can only tell who has it. */
static char *waiting_text(const struct pod *p, size_t i, const char *message)
{
    cleanup_free char *text = with_core(waits[i].text, message);

    if (strstr(waits[i].text, "pull") == NULL || !has_any(message, login_words))
        return steal_ptr(text);
    return xasprintf("%s; %s", text, p->pull_secret
                     ? "the registry refuses the login of [kubernetes] image_pull_secret: tell the server's admin"
                     : "the nodes have no login for the registry: tell the server's admin to set [kubernetes] image_pull_secret");
}

static enum pod_trouble judge_waiting(const struct pod *p, char **ret_why)
{
    const char *message = p->waiting_message != NULL ? p->waiting_message : "";

    for (size_t i = 0; i < countof(waits); i++) {
        enum pod_trouble t = waits[i].trouble;
        /* "secret … not found" may only mean that the kubelet hasn't seen it yet. */
        bool waits_for_config = waits_as(p, "CreateContainerConfigError");

        if (!waits_as(p, waits[i].reason))
            continue;
        *ret_why = waiting_text(p, i, message);
        if (pull_refused(p, message))
            return POD_PULL_REFUSED;
        return has_any(message, final_words) && t == POD_SUSPECT && !waits_for_config ? POD_HOPELESS
                                                                                     : t;
    }
    return POD_FINE;
}

#define BOOT_SLACK_S 5 /* the kubelet's own time between the last probe and the kill */

/* It was ended because it didn't listen: killed by its liveness probe at the boot limit. */
static bool ended_before_boot(const struct pod_end *e, int boot_limit_s)
{
    int64_t ran = e->ended_at - e->started_at;

    return boot_limit_s > 0 && (e->code == 137 || e->code == 143) && e->started_at != 0 &&
           ran >= (int64_t) (boot_limit_s - BOOT_SLACK_S) * 1000;
}

enum pod_trouble pod_judge(const struct pod *p, int max_restarts, int boot_limit_s, char **ret_why)
{
    const struct pod_end *e = pod_last_end(p);
    int crashes = pod_crashes(p);
    cleanup_free char *how = NULL;

    *ret_why = NULL;
    if (p->deleting)
        return POD_FINE;
    if (p->unschedulable != NULL && p->node_ip == NULL) {
        *ret_why = xasprintf("finds no node to run on: %s", p->unschedulable);
        return POD_UNSCHEDULABLE;
    }
    if (crashes > 0 && e != NULL && !p->ready) {
        if (ended_as(e, "StartError") &&
            (crashes > 1 || has_any(e->message != NULL ? e->message : "", final_words))) {
            *ret_why = with_core("can't be started", e->message);
            return POD_HOPELESS;
        }
        if (ended_as(e, "OOMKilled")) {
            *ret_why = oom_text(p);
            return POD_HOPELESS;
        }
        if (ended_before_boot(e, boot_limit_s)) {
            *ret_why = xasprintf("did not listen on 0.0.0.0:$PORT (port %d) within %d s", WEB_PORT,
                                 boot_limit_s);
            return POD_HOPELESS;
        }
        if (crashes >= max_restarts) {
            how = exit_text(e);
            *ret_why = strcmp(how, "exit 0") == 0 ? xasprintf("ended by itself (%s), where it must go on", how)
                       : crashes == 1             ? xasprintf("crashed (%s)", how)
                                                  : xasprintf("crashed %d times (%s)", crashes, how);
            return POD_HOPELESS;
        }
    }
    return judge_waiting(p, ret_why);
}
