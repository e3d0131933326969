/* The exec line: whatever is accepted as one of git's services names an app and nothing else. */
#include "config.h"

#include "gateway/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct request r = REQUEST_INIT;
    struct err err = ERR_INIT;

    if (request_parse((const char *) data, n, &r, &err) < 0) {
        if (err.code == ERR_NONE || err.msg[0] == '\0')
            abort();
        return 0;
    }
    if (r.kind == REQUEST_COMMAND) {
        if (r.words.n == 0 || r.words.v[0][0] == '\0' || (n >= 4 && memcmp(data, "git-", 4) == 0))
            abort();
    } else if (app_name_check(r.app, NULL) < 0 || r.words.n != 0 || memmem(data, n, r.app, strlen(r.app)) == NULL) {
        abort();
    }
    request_release(&r);
    return 0;
}
