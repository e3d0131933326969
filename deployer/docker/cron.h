/* Starts the scheduled tasks of app.json: the engine has no scheduler. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_CRON_H
#define SLIPWAY_DEPLOYER_DOCKER_CRON_H

#include "deployer/docker/docker.h"
#include "sql/store.h"

/* Starts what is due, of all apps on this target, each as a one-off command. A row per task says up to when its times are
 * done, so a restart neither loses nor repeats one; what is later than CRON_LATE_S is left out, as is one whose last run
 * goes on still. Returns ms until the next is due, -1: at the next change of a live release. */
int cron_service(struct target *t, struct store *s);

#endif
