/* The manifest.json of somebody's archive, and the same bytes as an image's configuration. */
#include "config.h"

#include "base/json.h"
#include "gateway/image_manifest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_ref wanted = { .registry = "docker.io", .repository = "my/app", .tag = "1.2" };
    struct image_layer layers[2] = { { .size = 1 }, { .size = 2, .kind = LAYER_ZSTD } };
    json_t *doc = json_parse((const char *) data, size, "manifest.json", NULL);

    if (doc == NULL)
        return 0;
    for (int i = 0; i < 2; i++) {
        struct image_entry e;

        if (image_entry_choose(doc, i == 0 ? &wanted : NULL, &e, NULL) < 0)
            continue;
        if (e.config[0] == '\0' || e.layers.n == 0 || (i == 0 && e.name[0] == '\0') || strpbrk(e.name, "\n\r\033") != NULL)
            abort();
        image_entry_release(&e);
    }
    (void) image_config_check(doc, layers, 2, NULL);
    json_decref(doc);
    return 0;
}
