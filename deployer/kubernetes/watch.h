/* Following the objects of one kind. A watch without a resource version begins with all objects
 * as they are, so there is nothing to list before, nothing to resume, and no "410 Gone": a watch
 * that ends is opened again and its user begins anew (KUBE_RESET).
 * Source: kubernetes.io "Kubernetes API Concepts", "Semantics for watch": "Get State and Start
 * at Most Recent". */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_WATCH_H
#define SLIPWAY_DEPLOYER_KUBERNETES_WATCH_H

#include "deployer/kubernetes/kube.h"

enum kube_event {
    KUBE_RESET,              /* forget all objects: they come again; object is NULL */
    KUBE_CHANGED,            /* made or changed */
    KUBE_DELETED,
};

/* object is borrowed. Called inside kube_poll; must not start or end requests. */
typedef void kube_event_fn(void *arg, enum kube_event event, const json_t *object);

struct kube_watch;

/* path: a collection ("/apis/apps/v1/namespaces/x/deployments"); selector: percent-encoded label
 * selector. NULL and err on failure. Close before the client is freed. */
struct kube_watch *kube_watch_open(struct kube *k, const char *path, const char *selector,
                                   kube_event_fn *fn, void *arg, struct err *err);

/* To be called after each kube_poll: opens an ended watch again, after a pause where it failed.
 * Returns the milliseconds until it wants to be called again, -1: no time, -2 with err where it
 * can't go on (no permission, no such thing). */
#define KUBE_WATCH_FAILED (-2)
int kube_watch_service(struct kube_watch *w, struct err *err);

void kube_watch_close(struct kube_watch *w);

/* Reads one line of a watch. 1: *ret_event and *ret_object (the caller's), 0: nothing for the user
 * (a bookmark), -1: the watch has failed (an ERROR event, no JSON). Pure. */
int kube_watch_parse(const char *line, size_t n, enum kube_event *ret_event, json_t **ret_object,
                     struct err *err);

#endif
