/* An app's pods under the names that people use: "web.1". Pure. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_INSTANCES_H
#define SLIPWAY_DEPLOYER_KUBERNETES_INSTANCES_H

#include "deployer/kubernetes/cluster.h"
#include "deployer/kubernetes/pod.h"

#define INSTANCES_MAX 4096 /* pods of one app that are looked at */

struct instance {
    struct pod pod;
    int number;              /* from 1; 0: not given yet */
    void *data;              /* its user's */
};
struct instances { struct instance *v; size_t n; };

/* Takes in a Pod document: a new one without a number, or a known one (by uid) anew. NULL where
 * it is not a process of an app, or there are too many. The pointer holds until the next call. */
struct instance *instances_take(struct instances *all, const json_t *doc);
struct instance *instances_find(struct instances *all, const char *uid);
/* Ends one; its data must be gone. */
void instances_drop(struct instances *all, struct instance *i);

/* Gives numbers to those without: those that stay before those that are being stopped (web.1 is one that stays), oldest
 * first, the lowest that no other of the process has. Sorts by process and number. */
void instances_number(struct instances *all);

/* "web.1"; the caller frees it. */
char *instance_name(const struct instance *i);

void instances_release(struct instances *all);

#endif
