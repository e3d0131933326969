/* What a Pod document says about the one process in it. Pure.
 * Source: kubernetes.io "Pod Lifecycle"; waiting reasons from k8s.io/kubernetes pkg/kubelet. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_POD_H
#define SLIPWAY_DEPLOYER_KUBERNETES_POD_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define POD_TEXT_MAX 1000 /* of a message that is kept: a pull error names the image three times */
#define POD_WHY_MAX 400   /* of what is said of it */

/* How a container ended. */
struct pod_end {
    bool is;                 /* it has ended at all */
    int code;
    char *reason;            /* "Error", "OOMKilled", "Completed", "StartError"; NULL: none */
    char *message;           /* NULL: none */
    int64_t started_at, ended_at; /* ms since 1970; 0: unknown */
};

struct pod {
    char *name, *uid;
    char *process;           /* "" where it is not one of ours */
    char *template, *restarted; /* the annotations; "" where absent */
    char *owner;             /* the ReplicaSet's or Job's name; "" where none */
    char *node_ip;           /* NULL: not placed yet */
    char *phase;             /* "Pending", "Running", "Succeeded", "Failed", "Unknown" */
    char *phase_reason;      /* "Evicted"; NULL: none */
    bool deleting;
    int64_t created_at;
    char *unschedulable;     /* the scheduler's sentence; NULL: placed, or not looked at yet */
    /* The container: at most one of waiting, running and end.is. */
    char *waiting;           /* reason; NULL: does not wait */
    char *waiting_message;   /* NULL: none */
    bool running;
    int64_t running_since;
    struct pod_end end;      /* of the container as it is */
    struct pod_end last;     /* of the one before the last restart */
    int restarts;
    bool ready;
    char *memory_limit;      /* NULL: none */
    bool pull_secret;        /* its image is pulled with a credential */
};

/* Reads a Pod document. 0, or -1 where it has no name or uid. Release with pod_release. */
int pod_read(const json_t *doc, struct pod *ret, struct err *err);
void pod_release(struct pod *p);

/* How often the process ended, this time included. */
int pod_crashes(const struct pod *p);
/* How it ended most recently; NULL where it never did. */
const struct pod_end *pod_last_end(const struct pod *p);

/* The state for people: "running", "starting", "crashed", "stopping", "pending", "done". */
const char *pod_state(const struct pod *p);
/* Why it is not running, in plain words; the caller frees it, NULL: nothing to say. */
char *pod_reason(const struct pod *p);

/* What is wrong with a pod that should come up. */
enum pod_trouble {
    POD_FINE,
    POD_SUSPECT,             /* may pass by itself; a failure when it lasts */
    POD_PULL_REFUSED,        /* the same: the kubelet's next pull may have the credential */
    POD_UNSCHEDULABLE,       /* the same, with more patience: nodes may be added */
    POD_HOPELESS,            /* waiting longer changes nothing */
};
/* Judges it; max_restarts: so many crashes are hopeless; boot_limit_s: time in which it
 * must accept a connection, 0: any. *ret_why (the caller's; NULL where POD_FINE): "crashed 3 times (exit 1)", to
 * be put behind the process's name. */
enum pod_trouble pod_judge(const struct pod *p, int max_restarts, int boot_limit_s, char **ret_why);

#endif
