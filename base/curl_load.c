#include "config.h"

#include "base/curl_load.h"

#include "base/library.h"

#include <stddef.h>

struct curl_api curl;

int curl_load(struct err *err)
{
    static const struct library_function functions[] = {
#define CURL_ROW(name) { "curl_" #name, offsetof(struct curl_api, name) },
        CURL_FUNCTIONS(CURL_ROW)
#undef CURL_ROW
    };

    if (curl.url_set != NULL)
        return 0;
    return library_load(CURL_SONAME, functions, sizeof(functions) / sizeof(functions[0]), &curl, err);
}
