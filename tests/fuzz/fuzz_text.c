/* Text for a terminal: no control character but tab and newline comes out, and no escape but SGR. */
#include "config.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bool color = n > 0 && (data[0] & 1) != 0;
    struct buf b;
    const char *p;

    buf_init(&b, 8 * n + 1024);
    if (text_clean_line(&b, (const char *) data, n, color) < 0)
        abort();
    for (p = buf_str(&b); *p != '\0'; p++) {
        unsigned char c = (unsigned char) *p;

        if (c == 0x1b) {
            size_t len = strspn(p + 2, "0123456789;");

            if (!color || p[1] != '[' || p[2 + len] != 'm')
                abort();
        } else if (c < ' ' && c != '\t' && c != '\n') {
            abort();
        }
    }
    if ((size_t) (p - buf_str(&b)) != buf_len(&b))
        abort();
    buf_release(&b);
    return 0;
}
