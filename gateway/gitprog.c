#include "config.h"

#include "gateway/gitprog.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fewer switches between the session and git than with the default of 64 KiB; the default works, too. */
#define PIPE_BYTES (1024 * 1024)
/* A line that carries less than this, 128 kbit/s, is no way to push an app. */
#define PUSH_BYTES_PER_S (16 * 1024)

/* git maps packs in pieces of a GiB, and inflates a blob of 512 MiB as a whole, unless it is told otherwise: a repository
 * or a file that is larger than index_memory could not be worked on at all. */
#define MAP_PIECE "core.packedGitWindowSize=8m"
#define MAP_ALL "core.packedGitLimit=32m"
#define STREAM_FROM "core.bigFileThreshold=16m"

void gitprog_env(struct vec *ret, const char *repo, const char *objects)
{
    const char *path = getenv("PATH");

    vec_addf(ret, "PATH=%s", path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    vec_addl(ret, "LANG=C.UTF-8", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
             "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", NULL);
    vec_addf(ret, "GIT_DIR=%s", repo);
    if (objects != NULL) {
        vec_addf(ret, "GIT_OBJECT_DIRECTORY=%s", objects);
        vec_addf(ret, "GIT_QUARANTINE_PATH=%s", objects);
        vec_addf(ret, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s/objects", repo);
    }
}

void gitprog_argv(struct vec *ret)
{
    vec_addl(ret, "git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.fsync=all", "-c", MAP_PIECE, "-c", MAP_ALL,
             "-c", STREAM_FROM, NULL);
}

uint64_t gitprog_time_ms(const struct conf *c, uint64_t bytes)
{
    return (uint64_t) c->index_time + bytes * 1000 / PUSH_BYTES_PER_S;
}

void gitprog_limit(struct spawn *s, const struct conf *c)
{
    s->new_group = true;
    s->parent_death_signal = SIGKILL; /* nobody else would end it */
    s->limit_memory = (uint64_t) c->index_memory;
    s->limit_cpu = (uint64_t) (c->index_time + 999) / 1000;
    /* The pack itself, and the bases that a thin one is completed with. */
    s->limit_file = 2 * (uint64_t) c->max_pack + (64u << 20);
}

int gitprog_limit_reached(const struct conf *c, const struct spawn_result *r, const char *why, struct err *err)
{
    static const char *const words[] = { "ut of memory", "annot allocate", "mmap", "unable to create thread" };

    if (r->signaled && r->code == SIGXCPU)
        return err_set(err, ERR_FAILED, "checking it used more than %lld s of CPU (index_time)", c->index_time / 1000);
    for (size_t i = 0; i < countof(words) && !r->signaled && r->code != 0; i++) {
        if (strstr(why, words[i]) != NULL)
            return err_set(err, ERR_FAILED, "checking it needs more than %lld MiB of memory (index_memory)", c->index_memory >> 20);
    }
    return 0;
}

int gitprog_pipe(int *ours, int *theirs, bool we_write, struct err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return err_errno(err, "cannot make a pipe");
    *ours = p[we_write ? 1 : 0];
    *theirs = p[we_write ? 0 : 1];
    (void) fcntl(*ours, F_SETPIPE_SZ, PIPE_BYTES);
    return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? err_errno(err, "cannot make a pipe") : 0;
}

void fd_drop(int *fd)
{
    if (*fd >= 0)
        (void) close(*fd);
    *fd = -1;
}

void gitprog_reason(const struct buf *err_out, char *ret, size_t size)
{
    const char *p = buf_str(err_out), *best = NULL;
    size_t best_len = 0, n = 0;
    bool found = false;

    while (*p != '\0' && !found) {
        size_t len = strcspn(p, "\n");

        found = strncmp(p, "fatal: ", 7) == 0 || strncmp(p, "error: ", 7) == 0;
        if (len > 0) {
            best = found ? p + 7 : p;
            best_len = found ? len - 7 : len;
        }
        p += len + (p[len] == '\n');
    }
    for (size_t i = 0; best != NULL && i < best_len && n + 1 < size; i++) {
        if ((unsigned char) best[i] >= ' ' && best[i] != 0x7f)
            ret[n++] = best[i];
    }
    ret[n] = '\0';
}

int gitprog_disk_full(const char *why, struct err *err)
{
    if (strstr(why, strerror(ENOSPC)) == NULL && strstr(why, strerror(EDQUOT)) == NULL)
        return 0;
    return err_set(err, ERR_FAILED, "the server's disk has no room for this push; an admin finds what takes it: storage:report");
}
