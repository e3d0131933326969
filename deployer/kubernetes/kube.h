/* The Kubernetes API over one HTTP/2 connection: requests whose answers are documents, alone or
 * several at a time, and streams (watches, logs) that go on beside them.
 * Source: kubernetes.io "Kubernetes API Concepts", "Server-Side Apply". */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_KUBE_H
#define SLIPWAY_DEPLOYER_KUBERNETES_KUBE_H

#include "base/err.h"
#include "deployer/kubernetes/kubeconfig.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who owns the fields that a release applies, and the one annotation that a restart sets. */
#define KUBE_MANAGER "slipway"
#define KUBE_MANAGER_RESTART "slipway-restart"

#define KUBE_APPLY "application/apply-patch+yaml" /* JSON is YAML */
#define KUBE_MERGE "application/merge-patch+json"
/* Accept: a list of names and labels, without what the objects hold. */
#define KUBE_METADATA "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

struct kube;

/* Takes over *k (which is empty then). Opens no connection yet. */
int kube_new(struct kubeconfig *k, struct kube **ret, struct err *err);
/* All streams must be closed before. NULL is fine. */
void kube_free(struct kube *k);
/* The server's URL. */
const char *kube_server(const struct kube *k);

/* From now on `stop` is asked each time fd is readable, and has to read it empty, also while an exec plugin runs or
 * answers are waited for: so a lease is renewed meanwhile. Where it says true, such a plugin is ended; requests, which
 * end by themselves, go on. */
void kube_attend(struct kube *k, int fd, bool (*stop)(void *arg), void *arg);

/* One request and what came of it. Fill the first part, the rest zero; release with
 * kube_op_release. */
struct kube_op {
    const char *method;
    const char *path;        /* "/api/v1/…?…", percent-encoded */
    const char *type;        /* Content-Type of the body; NULL: application/json */
    const json_t *body;      /* NULL: none */
    const char *accept;      /* NULL: application/json */
    bool raw;                /* the answer is text, not a document */

    long status;             /* 0: no answer came */
    json_t *answer;          /* owned; NULL where raw or failed */
    char *text;              /* owned; where raw and it went well; may have NUL bytes in it */
    size_t text_len;
    struct err err;          /* code ERR_NONE: it went well */
    /* the Status's machine-readable reason ("AlreadyExists"); NULL: none; owned */
    char *reason;
};
void kube_op_release(struct kube_op *o);

/* Sends all n at once and waits for the last. An answer that says "later" (429, 500, 502, 503,
 * 504) and a broken connection are tried again a few times, after the time that the server
 * names. Each op says for itself how it went; returns -1 (err: the first failure, not wrapped)
 * where one did not go well. */
int kube_do_all(struct kube *k, struct kube_op *v, size_t n, struct err *err);

/* The same for one. *ret: the answer, the caller's (NULL: not wanted). */
int kube_do(struct kube *k, const char *method, const char *path, const char *type,
            const json_t *body, json_t **ret, struct err *err);
/* GET of a text (a log). *ret is the caller's. */
int kube_get_text(struct kube *k, const char *path, char **ret, struct err *err);

/* Turns a Status document (NULL: none came) with its HTTP status into an error. A conflict of
 * fields names them and the other managers. ERR_NOT_FOUND: 404; ERR_DENIED: 401, 403; ERR_BUSY:
 * 409; ERR_DOWN: 429 and 5xx; else ERR_FAILED. Returns -1. Pure. */
int kube_status_error(const json_t *status, long http_status, struct err *err);

/* Parses a document of the API. A NUL inside a string, which an app can bring about by its
 * termination message, ends that string and nothing else. NULL and err where it is not JSON; the
 * caller's. */
json_t *kube_document(const char *data, size_t n, struct err *err);

/* A GET whose answer goes on: fn gets each line without its newline (longer ones than line_max in
 * pieces). It is called inside kube_poll and kube_do_all, and must not start or end requests. */
typedef void kube_line_fn(void *arg, const char *line, size_t n);
struct kube_stream;
/* stall_ms: it counts as broken after so long without a byte; 0: never. NULL and err on failure. */
struct kube_stream *kube_stream_open(struct kube *k, const char *path, size_t line_max,
                                     long stall_ms, kube_line_fn *fn, void *arg, struct err *err);
/* 0: it goes on, 1: it has ended, -1: it failed (an unexpected status, a broken connection). */
int kube_stream_done(struct kube_stream *s, struct err *err);
void kube_stream_close(struct kube_stream *s);

struct websocket;
/* A WebSocket to an attach or exec (channels.h). Waits for the handshake. A refusal is an error as of
 * kube_status_error. The caller closes it before the client is freed. */
int kube_websocket(struct kube *k, const char *path, struct websocket **ret, struct err *err);

/* Drives all that is in flight until something happened, timeout_ms passed (-1: none), or extra_fd
 * (-1: none) is readable: then *ret_extra is set. */
int kube_poll(struct kube *k, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err);

/* Milliseconds since 1970. */
int64_t kube_now(void);

#endif
