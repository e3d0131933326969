#include "config.h"

#include "deployer/one_off.h"

#include "base/mem.h"
#include "base/word.h"
#include "sql/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RUN_DIGITS_MAX 11    /* of run.48213 */
/* Cloud Native Buildpacks, Platform Specification. Other images have no launcher. */
#define LAUNCHER "/cnb/lifecycle/launcher"
#define BY_LAUNCHER "if [ -x " LAUNCHER " ]; then exec " LAUNCHER " -- sh -c \"$0\" \"$@\"; fi; exec sh -c \"$0\" \"$@\""

/* bash where the image has it, as on Heroku. */
#define ANY_SHELL "if command -v bash >/dev/null 2>&1; then exec bash"

/* Eight hex digits, "-", digits. */
static size_t cron_number_length(const char *s)
{
    size_t id = strspn(s, "0123456789abcdef"), n = id == 8 && s[id] == '-' ? strspn(s + id + 1, "0123456789") : 0;

    return n > 0 ? id + 1 + n : 0;
}

int run_number_parse(const char *name, char ret[RUN_NUMBER_SIZE], struct err *err)
{
    bool run = strncmp(name, RUN_NAME_PREFIX, strlen(RUN_NAME_PREFIX)) == 0;
    bool cron = strncmp(name, RUN_CRON_PREFIX, strlen(RUN_CRON_PREFIX)) == 0;
    struct word given = word_shown(name);
    size_t n;

    name += run ? strlen(RUN_NAME_PREFIX) : cron ? strlen(RUN_CRON_PREFIX) : 0;
    n = run ? 0 : cron_number_length(name);
    if (n == 0 && !cron && strspn(name, "0123456789") <= RUN_DIGITS_MAX)
        n = strspn(name, "0123456789");
    if (n == 0 || n >= RUN_NUMBER_SIZE || name[n] != '\0')
        return err_set(err, ERR_USAGE, "a one-off command is named as in run:list, not \"%s\"; for example: run.48213", given.s);
    memcpy(ret, name, n + 1);
    return 0;
}

bool run_is_cron(const char *number)
{
    return strchr(number, '-') != NULL;
}

char *run_name(const char *number)
{
    return xasprintf("%s%s", run_is_cron(number) ? RUN_CRON_PREFIX : RUN_NAME_PREFIX, number);
}

void run_command(struct vec *ret, const char *first, char *const *argv, bool shell)
{
    vec_addl(ret, "sh", "-c", BY_LAUNCHER, NULL);
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
