/* The certificates that Caddy shows for the apps' host names, and why one doesn't come: Caddy writes what an ACME server
 * answers into a file.
 *
 *   STATE/run/docker/issuance/issuance.log         the newest, made by the router's own process: so others may read it
 *
 * Source: caddyserver.com/docs/automatic-https ("Errors"), caddyserver.com/docs/json/logging. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_CERTIFICATES_H
#define SLIPWAY_DEPLOYER_DOCKER_CERTIFICATES_H

#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"
#include "deployer/target.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISSUANCE_FOLDER "run/docker/issuance"
#define ISSUANCE_FILE ISSUANCE_FOLDER "/issuance.log"

/* The part of Caddy's configuration that says what is kept of its asking for certificates: a member of logging.logs. */
json_t *issuance_log(const struct conf *c);

/* The last time that Caddy asked for the host's certificate in vain, out of that file's text (n bytes); false where there was
 * none. *ret_why is the caller's: the answer to the challenge where there was one, for it says most. Pure. */
bool issuance_failure(const char *text, size_t n, const char *host, int64_t *ret_at, char **ret_why);

/* The hosts that it asked for in vain, each once. Pure. */
void issuance_failed_hosts(const char *text, size_t n, struct vec *ret);

/* target_ops' certificates. */
int docker_certificates(struct target *t, const struct app *app, json_t **ret, struct err *err);

/* For `slipway check`: a note for each host name of an app that gets no certificate, or no new one. */
int docker_certificates_check(const struct conf *c, target_say_fn *say, void *say_arg, struct err *err);

#endif
