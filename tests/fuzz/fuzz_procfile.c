#include "config.h"

#include "builder/procfile.h"

#include "sql/model.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct procfile p = PROCFILE_INIT;
    struct vec warnings = VEC_INIT;

    procfile_parse((const char *) data, n, &p, &warnings);
    if (p.types.n != p.commands.n || p.types.n > PROCESSES_MAX)
        abort();
    for (size_t i = 0; i < p.types.n; i++) {
        if (process_name_check(p.types.v[i], NULL) != 0 || p.commands.v[i][0] == '\0')
            abort();
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p.types.v[i], p.types.v[k]) == 0)
                abort();
        }
    }
    procfile_release(&p);
    vec_release(&warnings);
    return 0;
}
