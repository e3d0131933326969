/* Libraries that are loaded when a process first needs them. One that brings a dozen others along costs every
 * process milliseconds at its start and memory, also those that never call it. */
#ifndef SLIPWAY_BASE_LIBRARY_H
#define SLIPWAY_BASE_LIBRARY_H

#include "base/err.h"

#include <stddef.h>

struct library_function {
    const char *name;        /* as dlsym(3) takes it */
    size_t offset;           /* of its pointer in the struct of all */
};

/* Loads the library of this soname and writes the addresses of v's n functions into *api, all or none. It is never
 * unloaded. -1 with ERR_DOWN where it is missing or too old. */
int library_load(const char *soname, const struct library_function *v, size_t n, void *api, struct err *err);

/* For a process that has started and will wait most of its life: gives back the pages of code and constants that starting
 * has touched, above all the symbol tables of libraries. They are the files' own, unchanged, and what is needed again comes
 * back from the page cache. See madvise(2), MADV_DONTNEED, and dl_iterate_phdr(3). */
void library_pages_release(void);

#endif
