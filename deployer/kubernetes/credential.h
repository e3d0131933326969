/* What requests are authenticated with, and until when: a bearer token or a client certificate that
 * a file or an exec plugin gives and replaces. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_CREDENTIAL_H
#define SLIPWAY_DEPLOYER_KUBERNETES_CREDENTIAL_H

#include "deployer/kubernetes/kubeconfig.h"

#include <stdbool.h>
#include <stdint.h>

struct credential {
    char *token;             /* NULL: none */
    char *cert_pem, *key_pem;/* of the exec plugin; NULL: none */
    int64_t renew_at;        /* ms since 1970; 0: lasts */
};

/* What goes on while an exec plugin runs. */
struct credential_wait {
    bool (*stop)(void *arg); /* asked each time fd is readable, and has to read it empty; true ends the plugin, unless it
                              * was true before the plugin began: what is cleaned up then has to log in, too. NULL: none */
    void *arg;
    int fd;
    int timeout_ms;          /* 0: CREDENTIAL_PLUGIN_MS */
};
/* It asks a cloud's API; one that takes longer waits for a person. */
#define CREDENTIAL_PLUGIN_MS 30000

/* Makes *c current: rereads a token file each minute, runs the exec plugin when its credential
 * expires within a minute; `rejected` (the server answered 401) forces either. now: ms since 1970. w: NULL: nothing goes on.
 * 1 where something changed, 0 where not, -1: *c is as before. */
int credential_refresh(const struct kubeconfig *k, struct credential *c, int64_t now, bool rejected,
                       const struct credential_wait *w, struct err *err);

/* Parses what an exec plugin printed. It must be of the asked version. Pure.
 * Source: kubernetes.io "client-go credential plugins". */
int credential_parse(const char *data, size_t n, const char *api_version, struct credential *ret,
                     struct err *err);

void credential_release(struct credential *c);

#endif
