#include "config.h"

#include "builder/output.h"
#include "builder/pack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char secret[] = "abababac";

/* Every line is what may reach a terminal: bounded, no control characters but SGR, no secret. */
static void check(const char *line, size_t n, bool rewritten, void *arg)
{
    if (n > OUTPUT_LINE_MAX || memmem(line, n, secret, sizeof(secret) - 1) != NULL)
        abort();
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) line[i];

        if (c == 0x1b && (i + 1 >= n || line[i + 1] != '[') && n < OUTPUT_LINE_MAX - 64)
            abort();
        if ((c < 0x20 && c != '\t' && c != 0x1b) || c == 0x7f)
            abort();
    }
    (void) pack_line(arg, line, n, !rewritten);
    (void) pack_line_hidden(line, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pack_seen seen = { .trusted = n > 0 && (data[0] & 1) != 0 };
    size_t step = n > 0 ? (size_t) (data[0] >> 1) + 1 : 1;
    char text[256], digest[DIGEST_SIZE];
    struct output o;

    output_init(&o, check, &seen);
    output_mask(&o, secret, sizeof(secret) - 1);
    for (size_t i = 0; i < n; i += step)
        output_feed(&o, (const char *) data + i, n - i < step ? n - i : step);
    output_end(&o);
    output_release(&o);
    (void) pack_reason(&seen, 1, text, sizeof(text));
    (void) pack_report_digest((const char *) data, n, digest);
    return 0;
}
