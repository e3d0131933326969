/* What the router has seen: logs -p router. Caddy writes a document per request into a file that it changes over to a new
 * one at a size, for all apps; each app is shown what came for its host names.
 *
 *   STATE/run/docker/requests/requests.log         the newest, made by the router's own process: so others may read it
 *   STATE/run/docker/requests/requests-TIME.log    the one before
 *
 * Source: caddyserver.com/docs/json/apps/http/servers/logs, caddyserver.com/docs/json/logging/logs/writer/file. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_REQUESTS_H
#define SLIPWAY_DEPLOYER_DOCKER_REQUESTS_H

#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"

#include <jansson.h>
#include <stddef.h>

#define REQUESTS_FILE "run/docker/requests/requests.log"

/* The part of Caddy's configuration that says what is kept of a request and where: a member of logging.logs. */
json_t *requests_log(const struct conf *c);

/* A line of that file (n bytes) as "2026-01-02T03:04:05Z at=info method=GET path=…"; NULL where it is for none of the
 * hosts, or not a request at all. The caller frees it. Pure. */
char *requests_line(const char *line, size_t n, const struct vec *hosts);

#endif
