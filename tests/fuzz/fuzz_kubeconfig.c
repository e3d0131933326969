/* A kubeconfig file, and what an exec plugin prints. */
#include "config.h"

#include "deployer/kubernetes/credential.h"
#include "deployer/kubernetes/kubeconfig.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = ERR_INIT;
    struct kubeconfig k;
    struct credential c;

    if (kubeconfig_parse((const char *) data, n, "/etc", NULL, &k, &err) == 0)
        kubeconfig_release(&k);
    if (credential_parse((const char *) data, n, "client.authentication.k8s.io/v1", &c, &err) == 0)
        credential_release(&c);
    return 0;
}
