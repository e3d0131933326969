#include "config.h"

#include "deployer/docker/boot.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void boot_init(struct boot *b, int max_crashes, const char *memory_limit)
{
    memset(b, 0, sizeof(*b));
    b->max_crashes = max_crashes;
    b->memory_limit = memory_limit;
}

void boot_release(struct boot *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->v[i].id);
        free(b->v[i].process);
        free(b->v[i].address);
        free(b->v[i].failed);
        container_status_release(&b->v[i].status);
    }
    free(b->v);
    memset(b, 0, sizeof(*b));
}

void boot_expect(struct boot *b, const char *id, const char *process, int number, const char *address)
{
    struct boot_instance *i;

    b->v = xrealloc_n(b->v, b->n + 1, sizeof(*b->v));
    i = &b->v[b->n++];
    *i = (struct boot_instance) { .id = xstrdup(id), .process = xstrdup(process), .address = xstrdup(address),
                                  .number = number, .web = strcmp(process, PROCESS_WEB) == 0, .running_since = -1 };
}

struct boot_instance *boot_find(struct boot *b, const char *id)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->v[i].id, id) == 0)
            return &b->v[i];
    return NULL;
}

void boot_status(struct boot_instance *i, struct container_status *status, int64_t now)
{
    bool again = i->known && (status->restarts != i->status.restarts || status->started_at != i->status.started_at);

    container_status_release(&i->status);
    i->status = *status;
    memset(status, 0, sizeof(*status));
    i->known = true;
    i->oom = i->oom || i->status.oom;
    if (i->status.exit_code != 0)
        i->exit_code = i->status.exit_code;
    if (i->status.state != CONTAINER_RUNNING || again)
        i->answered = false;
    if (i->status.state != CONTAINER_RUNNING)
        i->running_since = -1;
    else if (i->running_since < 0 || again)
        i->running_since = now;
}

void boot_died(struct boot_instance *i, int exit_code)
{
    i->exit_code = exit_code;
    i->answered = false;
    i->running_since = -1;
}

/* Each restart follows a crash; one that is not restarted has been stopped. */
static int crashes(const struct boot_instance *i)
{
    return i->status.restarts;
}

static char *not_listening(const struct boot_instance *i, int64_t seconds)
{
    return xasprintf("%s did not listen on 0.0.0.0:$PORT (port %d) within %" PRId64 " s", i->process, WEB_PORT, seconds);
}

static char *failure_text(const struct boot *b, const struct boot_instance *i, int64_t now)
{
    enum container_state s = i->status.state;
    int n = crashes(i);
    cleanup_free char *how = NULL;

    if (i->gone || (i->known && s == CONTAINER_GONE))
        return xasprintf("%s: somebody removed its container", i->process);
    if (!i->known)
        return NULL;
    if (i->status.error != NULL && s != CONTAINER_RUNNING)
        return xasprintf("%s can't be started: %s", i->process, i->status.error);
    if (i->oom && (n > 0 || s != CONTAINER_RUNNING))
        return xasprintf("%s ran out of memory (limit %s)", i->process, b->memory_limit);
    if (n >= b->max_crashes) {
        how = container_exit_text(i->exit_code);
        if (i->exit_code == 0)
            return xasprintf("%s ended by itself (%s), where it must go on", i->process, how);
        return n == 1 ? xasprintf("%s crashed (%s)", i->process, how)
                      : xasprintf("%s crashed %d times (%s)", i->process, n, how);
    }
    if (s == CONTAINER_EXITED)
        return xasprintf("%s: somebody stopped its container", i->process);
    if (i->failed != NULL)
        return xasprintf("%s %s", i->process, i->failed);
    if (i->web && !i->answered && !i->checked && i->running_since >= 0 && now - i->running_since >= BOOT_LIMIT_MS)
        return not_listening(i, BOOT_LIMIT_MS / 1000);
    return NULL;
}

static bool is_ready(const struct boot_instance *i, int64_t now)
{
    if (i->running_since < 0)
        return false;
    return i->web ? i->answered : now - i->running_since >= SETTLE_MS;
}

enum boot_verdict boot_judge(const struct boot *b, int64_t now, int *ret_again_ms, struct boot_failure *ret)
{
    enum boot_verdict all = BOOT_DONE;

    *ret_again_ms = -1;
    memset(ret, 0, sizeof(*ret));
    for (size_t k = 0; k < b->n; k++) {
        const struct boot_instance *i = &b->v[k];
        int64_t limit = i->web ? BOOT_LIMIT_MS : SETTLE_MS, left;

        ret->why = failure_text(b, i, now);
        if (ret->why != NULL) {
            ret->of = i->gone ? NULL : i;
            return BOOT_FAILED;
        }
        if (is_ready(i, now))
            continue;
        all = BOOT_GOING;
        left = i->running_since < 0 || i->checked ? -1 : i->running_since + limit - now;
        if (left >= 0 && (*ret_again_ms < 0 || left < *ret_again_ms))
            *ret_again_ms = (int) left;
    }
    return all;
}

/* Instances of a process, and how many of them are ready. */
static int count(const struct boot *b, const char *process, int64_t now, int *ret_ready)
{
    int all = 0;

    *ret_ready = 0;
    for (size_t k = 0; k < b->n; k++) {
        if (strcmp(b->v[k].process, process) != 0)
            continue;
        all++;
        *ret_ready += is_ready(&b->v[k], now);
    }
    return all;
}

void boot_overdue(const struct boot *b, int64_t now, int64_t seconds, struct boot_failure *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t k = 0; k < b->n && ret->of == NULL; k++)
        if (!is_ready(&b->v[k], now))
            ret->of = &b->v[k];
    if (ret->of == NULL) {
        ret->why = xasprintf("the release is not ready after %" PRId64 " s", seconds);
    } else if (ret->of->web && !ret->of->answered && !ret->of->checked && ret->of->running_since >= 0) {
        ret->why = not_listening(ret->of, seconds);
    } else {
        int ready, all = count(b, ret->of->process, now, &ready);

        ret->why = xasprintf("%s is not ready after %" PRId64 " s: %d of %d ready", ret->of->process, seconds, ready,
                             all);
    }
}

void boot_progress(const struct boot *b, int64_t now, struct buf *out)
{
    for (size_t k = 0; k < b->n; k++) {
        const char *process = b->v[k].process;
        bool said = false;
        int ready, all;

        for (size_t j = 0; j < k && !said; j++)
            said = strcmp(b->v[j].process, process) == 0;
        if (said)
            continue;
        all = count(b, process, now, &ready);
        (void) buf_addf(out, "%s%s %d/%d ready", k > 0 ? ", " : "", process, ready, all);
    }
}
