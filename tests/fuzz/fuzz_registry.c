/* What registries and credential files say. The first byte chooses: a manifest, or a docker config.json. */
#include "config.h"

#include "base/docker_auth.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/oci.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void manifest(const char *data, size_t n)
{
    struct oci_manifest m;
    struct err err = ERR_INIT;
    struct buf body;

    buf_init(&body, n + 1);
    (void) buf_add(&body, data, n);
    if (oci_manifest_read("r", "latest", NULL, &body, &m, &err) == 0) {
        /* The bytes are kept as they came: their digest is the image's name. */
        if (m.len != n || memcmp(m.body, data, n) != 0 || !digest_valid(m.digest))
            abort();
        (void) oci_is_index(m.media_type);
        oci_manifest_release(&m);
    } else if (err.code != ERR_FAILED) {
        abort();
    }
    buf_release(&body);
}

static void credentials(const char *data, size_t n)
{
    struct docker_auth a = { .found = false };
    struct err err = ERR_INIT;
    cleanup_free char *helper = NULL;

    if (docker_auth_parse(data, n, "config.json", "r.example:5000", &a, &helper, &err) < 0)
        return;
    if (a.found && a.user == NULL && a.identity_token == NULL)
        abort();
    if (helper != NULL && (strchr(helper, '/') != NULL || helper[0] == '\0'))
        abort();
    docker_auth_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    if (data[0] == 'a')
        credentials((const char *) data + 1, n - 1);
    else
        manifest((const char *) data + 1, n - 1);
    return 0;
}
