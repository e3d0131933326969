/* One-off commands as the cluster holds them. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_RUNS_H
#define SLIPWAY_DEPLOYER_KUBERNETES_RUNS_H

#include "deployer/kubernetes/cluster.h"

#define RUN_NUMBER_SIZE 12

/* "run.48213" to "48213": digits only. -1 with ERR_USAGE. */
int run_number_parse(const char *name, char ret[RUN_NUMBER_SIZE], struct err *err);

/* Reads the Pod of one; -1 where it is none. Release *ret. Pure. */
int run_read(const json_t *pod, struct target_one_off *ret);

/* Who this process is, for ANNOTATION_OWNER: "BOOT PID START"; the caller's. */
char *run_owner(struct err *err);
/* True where the owner was a process of this machine that is no more. */
bool run_owner_is_dead(const char *owner);

/* The container's command: argv exactly, or argv[0] as a line for a shell, or, without any, a shell alone. The
 * launcher sets the buildpacks' environment; a sh behind it runs `first` ("" or statements that end in ";"),
 * and gives the usual codes for a program that isn't there (127, 126). Appended to ret. */
void run_command(struct vec *ret, const char *first, char *const *argv, bool shell);

/* Deletes a pod or Job of one-off commands; a missing one is fine. now: without time to end itself. */
int run_delete(struct target *t, const char *path, bool now, struct err *err);

/* Deletes those of `list`, a PodList, whose owner was killed before it could. */
void runs_sweep(struct target *t, const char *namespace_, const json_t *list);

#endif
