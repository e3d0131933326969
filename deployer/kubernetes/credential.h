/* What requests are authenticated with, and until when: a bearer token or a client certificate that
 * a file or an exec plugin gives and replaces. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_CREDENTIAL_H
#define SLIPWAY_DEPLOYER_KUBERNETES_CREDENTIAL_H

#include "deployer/kubernetes/kubeconfig.h"

#include <stdint.h>

struct credential {
    char *token;             /* NULL: none */
    char *cert_pem, *key_pem;/* of the exec plugin; NULL: none */
    int64_t renew_at;        /* ms since 1970; 0: lasts */
};

/* Makes *c current: rereads a token file each minute, runs the exec plugin when its credential
 * expires within a minute; `rejected` (the server answered 401) forces either. now: ms since 1970.
 * 1 where something changed, 0 where not, -1: *c is as before. */
int credential_refresh(const struct kubeconfig *k, struct credential *c, int64_t now, bool rejected,
                       struct err *err);

/* Parses what an exec plugin printed. It must be of the asked version. Pure.
 * Source: kubernetes.io "client-go credential plugins". */
int credential_parse(const char *data, size_t n, const char *api_version, struct credential *ret,
                     struct err *err);

void credential_release(struct credential *c);

#endif
