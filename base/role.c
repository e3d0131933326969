#include "config.h"

#include "base/role.h"

#include <stdlib.h>

/* What a role may know of its caller's environment: where programs are, language and time zone, how
 * the network is reached (libcurl, OpenSSL), and where the cluster is that it runs in. */
static const char *const passed[] = {
    "PATH", "LANG", "LC_ALL", "TZ",
    "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
    "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
    /* Options of the sanitizers, which only such a build reads. */
    "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
};

void role_argv(const struct conf *c, const char *role, struct vec *ret)
{
    vec_addf(ret, "slipway: %s", role); /* what ps shows */
    vec_addl(ret, "role", role, NULL);
    if (c->file != NULL)
        vec_addl(ret, "--config", c->file, NULL);
}

void role_env(const struct conf *c, struct vec *ret)
{
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
        const char *value = getenv(passed[i]);

        if (value != NULL)
            vec_addf(ret, "%s=%s", passed[i], value);
    }
    if (getenv("PATH") == NULL)
        vec_add(ret, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (getenv("LANG") == NULL)
        vec_add(ret, "LANG=C.UTF-8");
    vec_addf(ret, "HOME=%s", c->state);
}
