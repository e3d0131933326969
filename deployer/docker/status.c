/* What inspecting a container says. */
#include "config.h"

#include "deployer/docker/container.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/rfc3339.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_MAX 300 /* of the engine's reason why a container can't be started */

static int number_at(const json_t *doc, const char *path)
{
    long long v = json_int(doc, path, 0);

    return v < 0 || v > INT_MAX ? 0 : (int) v;
}

void container_status_read(const json_t *doc, struct container_status *ret)
{
    const char *status = json_str(doc, "State.Status", ""), *error = json_str(doc, "State.Error", "");

    memset(ret, 0, sizeof(*ret));
    ret->state = strcmp(status, "created") == 0 ? CONTAINER_CREATED
               : strcmp(status, "running") == 0 || strcmp(status, "paused") == 0 ? CONTAINER_RUNNING
               : strcmp(status, "restarting") == 0 ? CONTAINER_RESTARTING
               : strcmp(status, "exited") == 0 ? CONTAINER_EXITED : CONTAINER_GONE;
    ret->oom = json_bool(doc, "State.OOMKilled", 0);
    ret->exit_code = number_at(doc, "State.ExitCode");
    ret->restarts = number_at(doc, "RestartCount");
    ret->started_at = rfc3339_ms(json_str(doc, "State.StartedAt", NULL)); /* year 1 where it never was: 0 */
    if (error[0] != '\0')
        ret->error = text_plain(error, ERROR_MAX);
}

void container_status_release(struct container_status *s)
{
    free(s->error);
    memset(s, 0, sizeof(*s));
}

/* Codes over 128 are how a shell, and the engine, write "ended by signal N". */
char *container_exit_text(int code)
{
    if (code > 128 && code < 128 + NSIG && sigabbrev_np(code - 128) != NULL)
        return xasprintf("SIG%s", sigabbrev_np(code - 128));
    return xasprintf("exit %d", code);
}
