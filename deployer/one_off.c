#include "config.h"

#include "deployer/one_off.h"

#include "base/mem.h"
#include "sql/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LAUNCHER "/cnb/lifecycle/launcher" /* Cloud Native Buildpacks, Platform Specification */

/* bash where the image has it, as on Heroku. */
#define ANY_SHELL "if command -v bash >/dev/null 2>&1; then exec bash"

int run_number_parse(const char *name, char ret[RUN_NUMBER_SIZE], struct err *err)
{
    size_t prefix = strlen(RUN_NAME_PREFIX), n;

    if (strncmp(name, RUN_NAME_PREFIX, prefix) == 0)
        name += prefix;
    n = strspn(name, "0123456789");
    if (n == 0 || n >= RUN_NUMBER_SIZE || name[n] != '\0')
        return err_set(err, ERR_USAGE, "a one-off command is named like run.48213; see: run:list");
    memcpy(ret, name, n + 1);
    return 0;
}

void run_command(struct vec *ret, const char *first, char *const *argv, bool shell)
{
    vec_addl(ret, LAUNCHER, "--", "sh", "-c", NULL);
    if (argv[0] == NULL)
        vec_addf(ret, "%s" ANY_SHELL "; fi; exec sh", first);
    else if (shell)
        vec_addf(ret, "%s" ANY_SHELL " -c \"$1\"; fi; exec sh -c \"$1\"", first);
    else
        vec_addf(ret, "%sexec \"$@\"", first);
    vec_add(ret, "sh");
    for (; *argv != NULL; argv++)
        vec_add(ret, *argv);
}

/* --- owners */

char *run_owner(struct err *err)
{
    struct lease me;

    if (lease_self("run", &me, err) < 0)
        return NULL;
    return xasprintf("%s %" PRId64 " %" PRId64, me.boot, (int64_t) me.pid, me.start);
}

bool run_owner_is_dead(const char *owner)
{
    struct lease me, it = { 0 };
    long long pid, start;

    if (sscanf(owner, "%39s %lld %lld", it.boot, &pid, &start) != 3 || lease_self("run", &me, NULL) < 0 ||
        strcmp(it.boot, me.boot) != 0)
        return false;
    return lease_is_dead(it.boot, pid, start, INT64_MAX);
}
