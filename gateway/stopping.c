#include "config.h"

#include "gateway/stopping.h"

#include "base/mem.h"
#include "base/path.h"

bool server_is_stopping(const char *state)
{
    cleanup_free char *path = xasprintf("%s/run/draining", state);

    return path_exists(path);
}
