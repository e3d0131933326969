/* A certificate with its chain and key: what is accepted is whole, and what was written anew is accepted again as the same. */
#include "config.h"

#include "base/mem.h"
#include "gateway/certificate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1798761600000LL /* 2027-01-01: the corpus is valid then, whenever it is read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_printable(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct certificate c = { .chain = NULL }, again = { .chain = NULL };
    cleanup_free char *pem = NULL;
    struct err err = ERR_INIT;

    if (certificate_read((const char *) data, n, NOW, &c, &err) != 0) {
        if (err.code == ERR_NONE || err.msg[0] == '\0' || c.chain != NULL || c.key != NULL || c.names.n != 0)
            abort();
        return 0;
    }
    if (c.names.n == 0 || c.hash != NULL || c.not_before > NOW || c.not_after < NOW || strlen(c.fingerprint) != 64 ||
        !is_printable(c.subject) || !is_printable(c.issuer))
        abort();
    for (size_t i = 0; i < c.names.n; i++)
        if (c.names.v[i][0] == '\0' || !is_printable(c.names.v[i]) || strchr(c.names.v[i], ' ') != NULL)
            abort();
    pem = xasprintf("%s%s", c.key, c.chain);
    if (certificate_read(pem, strlen(pem), NOW, &again, &err) != 0 || strcmp(c.fingerprint, again.fingerprint) != 0 ||
        strcmp(c.chain, again.chain) != 0 || strcmp(c.key, again.key) != 0)
        abort();
    certificate_release(&c);
    certificate_release(&again);
    return 0;
}
