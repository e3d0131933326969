/* Keeps the Docker engine at what the live releases say: after a reboot, a crash, or somebody's hand. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_RECONCILE_H
#define SLIPWAY_DEPLOYER_DOCKER_RECONCILE_H

#include "base/conf.h"

/* Role "reconcile": compares each app's containers with its live release at its start and whenever the engine's events
 * or run/releases.wake tell of a change; starts and makes what is missing, takes what is left out of service, and
 * stops and removes what is out of service. Does not return while all is well. */
int reconcile_main(const struct conf *c);

#endif
