#include "config.h"

#include "base/library.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <string.h>

int library_load(const char *soname, const struct library_function *v, size_t n, void *api, struct err *err)
{
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    void **found = xcalloc(n, sizeof(*found));
    int rc = 0;

    if (library == NULL)
        rc = err_set(err, ERR_DOWN, "cannot load %s: %s", soname, dlerror());
    for (size_t i = 0; rc == 0 && i < n; i++) {
        found[i] = dlsym(library, v[i].name);
        if (found[i] == NULL)
            rc = err_set(err, ERR_DOWN, "%s is too old: %s", soname, dlerror());
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        memcpy((char *) api + v[i].offset, &found[i], sizeof(found[i]));
    if (rc < 0 && library != NULL)
        (void) dlclose(library);
    free(found);
    return rc;
}
