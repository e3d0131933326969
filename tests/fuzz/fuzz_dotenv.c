/* Dotenv files: what is read, written and read again is the same. */
#include "config.h"

#include "gateway/dotenv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct dotenv d = DOTENV_INIT, again = DOTENV_INIT;
    struct err err = ERR_INIT;
    struct buf b;

    if (dotenv_parse((const char *) data, n, &d, &err) != 0) {
        if (err.code != ERR_USAGE || err.msg[0] == '\0' || d.n != 0)
            abort();
        return 0;
    }
    buf_init(&b, 8 * n + 65536);
    if (d.n > DOTENV_NAMES_MAX || dotenv_write(&d, FORMAT_DOTENV, &b, &err) != 0
        || dotenv_parse(buf_str(&b), buf_len(&b), &again, &err) != 0 || again.n != d.n)
        abort();
    for (size_t i = 0; i < d.n; i++) {
        if (strcmp(d.v[i].name, again.v[i].name) != 0 || d.v[i].value_len != again.v[i].value_len
            || memcmp(d.v[i].value, again.v[i].value, d.v[i].value_len) != 0)
            abort();
    }
    for (int f = FORMAT_ENV; f <= FORMAT_YAML; f++)
        (void) dotenv_write(&d, (enum dotenv_format) f, &b, NULL); /* text that is no UTF-8 may be refused */
    buf_release(&b);
    dotenv_release(&d);
    dotenv_release(&again);
    return 0;
}
