/* The first half of a push: the same result in one piece and byte by byte, within the limits, and a
 * report that git's own packets can carry. */
#include "config.h"

#include "gateway/push.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct push *p)
{
    if (p->n_refs > PUSH_REFS_MAX || p->shallow.n > PUSH_SHALLOW_MAX || p->options.n > PUSH_OPTIONS_MAX)
        abort();
    for (size_t i = 0; i < p->n_refs; i++) {
        const struct push_ref *r = &p->refs[i];

        if (strlen(r->old) != OID_HEX || strlen(r->new) != OID_HEX || strlen(r->name) > PUSH_REF_NAME_MAX ||
            strchr(r->name, '\n') != NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct push whole = PUSH_INIT, bytes = PUSH_INIT;
    const char *p = (const char *) data;
    size_t used = 0, at = 0;
    struct buf report;
    int rc, rc2 = 0;

    rc = push_feed(&whole, p, n, &used, NULL);
    check(&whole);
    if (n < 4096) { /* the second way is quadratic */
        for (size_t i = 0; i <= n && rc2 == 0; i++) {
            size_t u = 0;

            rc2 = push_feed(&bytes, p + at, i - at, &u, NULL);
            if (rc2 >= 0)
                at += u;
        }
        if (rc2 != rc || bytes.n_refs != whole.n_refs || bytes.options.n != whole.options.n)
            abort();
    }
    if (rc == 1) {
        buf_init(&report, PUSH_REFS_MAX * 2048);
        push_refuse_all(&whole, "%.*s", (int) n, p);
        if (push_report(&whole, "ok", &report) < 0)
            abort();
        buf_release(&report);
    }
    push_release(&whole);
    push_release(&bytes);
    return 0;
}
