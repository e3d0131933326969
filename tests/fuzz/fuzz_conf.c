/* The configuration file: whatever is read without an error is printed and read again. */
#include "config.h"

#include "base/conf.h"
#include "base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_free char *text = NULL;
    struct err err = ERR_INIT;
    struct conf c;
    size_t size;
    FILE *f;

    if (conf_parse(&c, "/etc/slipway/slipway.conf", (const char *) data, n, &err) < 0) {
        if (err.code == ERR_NONE || err.msg[0] == '\0')
            abort();
        return 0;
    }
    f = open_memstream(&text, &size);
    conf_print(&c, f);
    (void) fclose(f);
    conf_release(&c);
    if (conf_parse(&c, "/etc/slipway/slipway.conf", text, size, &err) < 0)
        abort();
    conf_release(&c);
    return 0;
}
