#include "config.h"

#include "gateway/archive_load.h"

#include "base/library.h"
#include "gateway/archive_path.h"

#include <stddef.h>

struct archive_api libarchive;

int archive_load(struct err *err)
{
    static const struct library_function functions[] = {
#define ARCHIVE_ROW(name) { "archive_" #name, offsetof(struct archive_api, name) },
        ARCHIVE_FUNCTIONS(ARCHIVE_ROW)
#undef ARCHIVE_ROW
    };

    if (libarchive.read_new != NULL)
        return 0;
    return library_load(ARCHIVE_SONAME, functions, sizeof(functions) / sizeof(functions[0]), &libarchive, err);
}

int archive_damaged(struct archive *a, struct err *err)
{
    const char *why = libarchive.error_string(a);
    char shown[ARCHIVE_SHOWN];

    return err_set(err, ERR_FAILED, "the archive can't be read: %s",
                   archive_path_shown(why != NULL ? why : "it is damaged", shown));
}
