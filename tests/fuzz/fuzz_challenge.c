/* WWW-Authenticate: what is taken is the same when it is parsed in a second call after nothing. */
#include "config.h"

#include "base/challenge.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct challenge c = { .basic = false }, again;

    if (challenge_parse((const char *) data, n, &c) == 0 && !c.bearer && c.realm[0] != '\0')
        abort();
    if (strlen(c.realm) >= sizeof(c.realm) || strpbrk(c.realm, "\r\n") != NULL)
        abort();
    again = c;
    /* A bearer challenge that was seen stays. */
    (void) challenge_parse((const char *) data, n, &again);
    if (c.bearer && strcmp(c.realm, again.realm) != 0)
        abort();
    return 0;
}
