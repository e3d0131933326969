#include "config.h"

#include "builder/project.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    (void) project_check((const char *) data, n, NULL);
    return 0;
}
