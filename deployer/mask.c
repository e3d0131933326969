#include "config.h"

#include "deployer/mask.h"

#include <string.h>

/* The longest line of any value that stands at s; 0 where none. */
static size_t value_at(const struct config_set *config, const char *s, const char **ret_name)
{
    size_t found = 0;

    for (size_t i = 0; i < config->n; i++) {
        const char *p = config->v[i].value;

        while (p != NULL && *p != '\0') {
            size_t n = strcspn(p, "\r\n");

            if (n >= MASK_MIN && n > found && strncmp(s, p, n) == 0) {
                found = n;
                *ret_name = config->v[i].name;
            }
            p += n;
            p += strspn(p, "\r\n");
        }
    }
    return found;
}

void mask_line(const struct config_set *config, const char *line, struct buf *out)
{
    while (*line != '\0') {
        const char *name = NULL;
        size_t n = config != NULL ? value_at(config, line, &name) : 0;
        int rc;

        rc = n > 0 ? buf_addf(out, "[%s hidden]", name) : buf_addch(out, *line);
        if (rc < 0)
            return;
        line += n > 0 ? n : 1;
    }
}
