#include "config.h"

#include "base/library.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static int pages_release(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);

    (void) size;
    (void) arg;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + h->p_vaddr, end = (begin + h->p_memsz) & ~(page - 1);

        /* What may have been written is not in the file. Whole pages only: the next segment may begin on the last one. */
        begin = (begin + page - 1) & ~(page - 1);
        if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && begin < end)
            (void) madvise((void *) begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void library_pages_release(void)
{
    (void) dl_iterate_phdr(pages_release, NULL);
}
