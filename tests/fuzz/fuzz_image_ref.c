/* Names of images: what is taken, written out again, means the same. */
#include "config.h"

#include "base/image_ref.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_free char *text = xstrndup((const char *) data, n), *full = NULL;
    struct image_ref r, again;
    struct err err = ERR_INIT;

    if (image_ref_parse(text, &r, &err) < 0) {
        if (err.code != ERR_USAGE)
            abort();
        return 0;
    }
    full = xasprintf("%s/%s%s%s%s%s", r.registry, r.repository, r.tag[0] != '\0' ? ":" : "", r.tag,
                     r.digest[0] != '\0' ? "@" : "", r.digest);
    if (strlen(r.registry) + 1 + strlen(r.repository) > IMAGE_NAME_MAX)
        return 0;
    if (image_ref_parse(full, &again, &err) < 0 || strcmp(r.registry, again.registry) != 0 ||
        strcmp(r.repository, again.repository) != 0 || strcmp(r.tag, again.tag) != 0 ||
        strcmp(r.digest, again.digest) != 0)
        abort();
    return 0;
}
