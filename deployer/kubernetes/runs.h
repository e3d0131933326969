/* One-off commands as the cluster holds them. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_RUNS_H
#define SLIPWAY_DEPLOYER_KUBERNETES_RUNS_H

#include "deployer/kubernetes/cluster.h"
#include "deployer/one_off.h"

/* Reads the Pod of one; -1 where it is none. Release *ret. Pure. */
int run_read(const json_t *pod, struct target_one_off *ret);

/* Deletes a pod or Job of one-off commands; a missing one is fine. */
int run_delete(struct target *t, const char *path, struct err *err);

/* Deletes those of `list`, a PodList, whose owner was killed before it could. */
void runs_sweep(struct target *t, const char *namespace_, const json_t *list);

#endif
