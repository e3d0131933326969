/* Amounts as the settings have them, which is as Kubernetes writes them: "512Mi", "500m".
 * Source: kubernetes.io "Resource Management for Pods and Containers", "Resource units". */
#ifndef SLIPWAY_DEPLOYER_DOCKER_QUANTITY_H
#define SLIPWAY_DEPLOYER_DOCKER_QUANTITY_H

#include "base/err.h"

#include <stdint.h>

/* Bytes of "512Mi", "1G", "1.5Gi", "1000000". ERR_USAGE where it is none. Empty is 0: no limit. */
int quantity_bytes(const char *text, int64_t *ret, struct err *err);

/* Billionths of a CPU of "1", "0.5", "500m". Empty is 0: no limit. */
int quantity_nano_cpus(const char *text, int64_t *ret, struct err *err);

#endif
