/* Names of an archive's entries: what comes out can't lead anywhere else. */
#include "config.h"

#include "base/mem.h"
#include "gateway/archive_path.h"
#include "gateway/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *path = xstrndup((const char *) data, size);
    cleanup_buf struct buf clean, quoted;

    buf_init(&clean, ARCHIVE_PATH_MAX);
    buf_init(&quoted, 4 * ARCHIVE_PATH_MAX + 2);
    if (archive_path_clean(path, 20, &clean, NULL) < 0)
        return 0;
    for (const char *p = buf_str(&clean); *p != '\0'; p += *p == '/') {
        cleanup_free char *part = xstrndup(p, strcspn(p, "/"));

        if (part[0] == '\0' || strcmp(part, ".") == 0 || strcmp(part, "..") == 0 || policy_name_is_git(part))
            abort();
        p += strlen(part);
        if (*p == '/' && p[1] == '\0')
            abort();
    }
    archive_path_quote(buf_str(&clean), &quoted);
    if (quoted.overflow || strchr(buf_str(&quoted), '\n') != NULL)
        abort();
    return 0;
}
