/* An SSH public key line: what is accepted is whole, and its own parts make the same key again. */
#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_free char *line = xstrndup((const char *) data, n), *again = NULL, *base64 = NULL;
    struct key k = { 0 }, k2 = { 0 };
    struct err err = ERR_INIT;
    size_t size;

    if (key_parse(line, &k, &err) != 0) {
        if (err.code != ERR_USAGE || err.msg[0] == '\0' || k.type != NULL || k.blob != NULL)
            abort();
        return 0;
    }
    size = sodium_base64_encoded_len(k.blob_len, sodium_base64_VARIANT_ORIGINAL);
    base64 = xmalloc(size);
    (void) sodium_bin2base64(base64, size, k.blob, k.blob_len, sodium_base64_VARIANT_ORIGINAL);
    again = xasprintf("%s %s", k.type, base64);
    if (key_parse(again, &k2, &err) != 0 || strcmp(k.fingerprint, k2.fingerprint) != 0)
        abort();
    key_release(&k);
    key_release(&k2);
    return 0;
}
