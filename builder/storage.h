/* What of this server's disks the builder can see: its spool, its engine, the build registry. */
#ifndef SLIPWAY_BUILDER_STORAGE_H
#define SLIPWAY_BUILDER_STORAGE_H

#include "base/conf.h"
#include "builder/docker.h"
#include "sql/store.h"

#include <jansson.h>

/* {"spool": bytes, "docker": {"root", "free", "size", "images", "caches", "volumes"}, "docker_error": text, "apps":
 * {"ID": {"cache", "images", "registry"}}}, sizes in bytes. null: not known (a registry that doesn't answer, an engine on another
 * machine). app_id 0: of all apps. The caller decrefs it. -1 where not even the database answers. */
int storage_report(const struct conf *c, struct store *s, int64_t app_id, json_t **ret, struct err *err);

/* Its member "docker", out of what docker_usage says. */
json_t *storage_engine(const json_t *df, const char *root);

#endif
