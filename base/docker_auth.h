/* Credentials for a registry out of a docker config.json: "auths" (base64 of user:password, or an identity
 * token), "credHelpers" and "credsStore" (programs docker-credential-NAME: how ECR, GCR and Docker
 * Hub log in; protocol of the docker-credential-helpers project). */
#ifndef SLIPWAY_BASE_DOCKER_AUTH_H
#define SLIPWAY_BASE_DOCKER_AUTH_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

struct docker_auth {
    bool found;           /* false: the file has nothing for this registry */
    char *user, *password;/* owned */
    char *identity_token; /* an OAuth2 refresh token instead of user and password; owned */
};
/* Zeroes the secrets. */
void docker_auth_release(struct docker_auth *a);

/* What `file` (NULL or "": nothing) says for registry, a "host[:port]". Runs a helper for at most 10 seconds, in this
 * process's environment. Nothing found is success; ERR_FAILED where the file is wrong or the helper failed. */
int docker_auth_get(const char *file, const char *registry, struct docker_auth *ret, struct err *err);

/* The same out of the file's text, pure: finds either the credential itself (*ret) or the name of the helper
 * to ask (*ret_helper, owned; NULL: none). `file` is its name, for errors. */
int docker_auth_parse(const char *text, size_t n, const char *file, const char *registry,
                      struct docker_auth *ret, char **ret_helper, struct err *err);

/* A config.json for another program (pack, a pull secret) that holds only this registry's credential. */
int docker_auth_write(const struct docker_auth *a, const char *registry, struct buf *ret);

#endif
