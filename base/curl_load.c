#include "config.h"

#include "base/curl_load.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

struct curl_api curl;

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define CURL_ROW(name) { "curl_" #name, offsetof(struct curl_api, name) },
    CURL_FUNCTIONS(CURL_ROW)
#undef CURL_ROW
};

int curl_load(struct err *err)
{
    struct curl_api api;
    void *library;

    if (curl.url_set != NULL)
        return 0;
    library = dlopen(CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return err_set(err, ERR_DOWN, "cannot load libcurl: %s", dlerror());
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        void *f = dlsym(library, functions[i].name);

        if (f == NULL) {
            err_set(err, ERR_DOWN, "libcurl is too old: %s", dlerror());
            (void) dlclose(library);
            return -1;
        }
        memcpy((char *) &api + functions[i].offset, &f, sizeof(f));
    }
    curl = api; /* never unloaded */
    return 0;
}
