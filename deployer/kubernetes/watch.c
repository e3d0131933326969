#include "config.h"

#include "deployer/kubernetes/watch.h"

#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (2 * 1024 * 1024) /* etcd holds objects of 1.5 MiB at most */
/* the server ends a watch after 5 to 10 minutes, as client-go asks for */
#define TIMEOUT_MIN_S 300
#define TIMEOUT_SPAN_S 300
/* a bookmark comes each minute: three missing, the connection is dead */
#define STALL_MS 180000
#define PAUSE_MIN_MS 100                 /* before a failed watch is opened again; doubles */
#define PAUSE_MAX_MS 5000

struct kube_watch {
    struct kube *kube;
    struct kube_stream *stream; /* NULL: to be opened at open_at */
    char *path, *selector;
    kube_event_fn *fn;
    void *arg;
    struct err err;          /* of a line */
    bool broken;             /* a line could not be used: open anew */
    bool fresh;              /* the user has nothing from before */
    uint64_t open_at;
    unsigned failures;       /* in a row, without an event between */
};

int kube_watch_parse(const char *line, size_t n, enum kube_event *ret_event, json_t **ret_object,
                     struct err *err)
{
    json_auto_t *doc = kube_document(line, n, err);
    const char *type = json_str(doc, "type", "");
    json_t *object = json_at(doc, "object");

    if (doc == NULL)
        return -1;
    if (!json_is_object(object))
        return err_set(err, ERR_DOWN, "the watch sent an event without an object");
    if (strcmp(type, "ERROR") == 0)
        return kube_status_error(object, (long) json_int(object, "code", 0), err);
    if (strcmp(type, "BOOKMARK") == 0)
        return 0;
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
        *ret_event = KUBE_CHANGED;
    else if (strcmp(type, "DELETED") == 0)
        *ret_event = KUBE_DELETED;
    else
        return err_set(err, ERR_DOWN, "the watch sent an event of an unknown type");
    *ret_object = json_incref(object);
    return 1;
}

static void on_line(void *arg, const char *line, size_t n)
{
    struct kube_watch *w = arg;
    json_auto_t *object = NULL;
    enum kube_event event;
    int rc;

    if (w->broken || n == 0)
        return;
    rc = kube_watch_parse(line, n, &event, &object, &w->err);
    if (rc < 0) {
        w->broken = true;
        return;
    }
    w->failures = 0;
    if (rc > 0) {
        w->fresh = false;
        w->fn(w->arg, event, object);
    }
}

static int watch_start(struct kube_watch *w, struct err *err)
{
    cleanup_free char *path = xasprintf(
        "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&labelSelector=%s", w->path,
        TIMEOUT_MIN_S + randombytes_uniform(TIMEOUT_SPAN_S), w->selector);

    w->broken = false;
    if (!w->fresh)
        w->fn(w->arg, KUBE_RESET, NULL);
    w->fresh = true;
    w->stream = kube_stream_open(w->kube, path, LINE_MAX_BYTES, STALL_MS, on_line, w, err);
    return w->stream != NULL ? 0 : -1;
}

struct kube_watch *kube_watch_open(struct kube *k, const char *path, const char *selector,
                                   kube_event_fn *fn, void *arg, struct err *err)
{
    struct kube_watch *w = xcalloc(1, sizeof(*w));

    w->kube = k;
    w->path = xstrdup(path);
    w->selector = xstrdup(selector);
    w->fn = fn;
    w->arg = arg;
    w->fresh = true;
    if (watch_start(w, err) < 0) {
        kube_watch_close(w);
        return NULL;
    }
    return w;
}

int kube_watch_service(struct kube_watch *w, struct err *err)
{
    struct err why = ERR_INIT;
    uint64_t now = loop_now();
    int rc;

    if (w->stream != NULL) {
        rc = kube_stream_done(w->stream, &why);
        if (rc == 0 && !w->broken)
            return -1;
        if (rc == 0)
            why = w->err;
        kube_stream_close(w->stream);
        w->stream = NULL;
        if (why.code == ERR_DENIED || why.code == ERR_NOT_FOUND) {
            if (err != NULL)
                *err = why;
            return KUBE_WATCH_FAILED;
        }
        w->open_at = now;
        if (rc < 0 || w->broken || w->fresh) {
            uint64_t pause = (uint64_t) PAUSE_MIN_MS << (w->failures < 8 ? w->failures : 8);

            w->open_at += pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
            w->failures++;
        }
    }
    if (now < w->open_at)
        return (int) (w->open_at - now);
    if (watch_start(w, &why) < 0) {
        /* Only a login fails here; the exec plugin may do better later. */
        w->open_at = now + PAUSE_MAX_MS;
        return PAUSE_MAX_MS;
    }
    return -1;
}

void kube_watch_close(struct kube_watch *w)
{
    if (w == NULL)
        return;
    kube_stream_close(w->stream);
    free(w->path);
    free(w->selector);
    free(w);
}
