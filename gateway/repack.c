/* Keeping a repository small: what no ref keeps goes, and many packs become few. */
#include "config.h"

#include "gateway/quarantine.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "gateway/gitprog.h"
#include "gateway/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* git's own gc.autoPackLimit. */
#define PACKS_MAX 50
/* Builds whose commits are kept beside the live one and the tags: as far back as anybody looks or rolls back. */
#define BUILDS_KEPT 100
/* What no ref keeps may belong to a push that is just being taken in; git's own gc waits as long. */
#define UNREACHABLE "2.weeks.ago"
#define REPACK_ERR_MAX 4096
#define REPACK_MS (30 * 60 * 1000)

static int count_packs(const char *repo)
{
    cleanup_free char *path = xasprintf("%s/objects/pack", repo);
    DIR *d = opendir(path);
    struct dirent *e;
    int n = 0;

    if (d == NULL)
        return 0;
    while ((e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);

        n += len > 5 && strcmp(e->d_name + len - 5, ".pack") == 0;
    }
    (void) closedir(d);
    return n;
}

/* Its standard error until it ends; the person is kept company meanwhile. */
static int hear(struct command_io *io, int fd, struct buf *text)
{
    char piece[1024];

    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n > 0)
            (void) buf_add(text, piece, (size_t) n < buf_room(text) ? (size_t) n : buf_room(text));
        else if (n == 0)
            return 0;
        else if (errno == EAGAIN && (io->wait(io, fd, false, -1) & IO_GONE) != 0)
            return 0;
        else if (errno != EAGAIN && errno != EINTR)
            return -1;
    }
}

static int run_with(struct command_io *io, struct spawn *s, struct buf *text, struct spawn_result *r, struct err *err)
{
    int ours = -1, theirs = -1, rc;
    pid_t pid;

    if (gitprog_pipe(&ours, &theirs, false, err) < 0)
        return -1;
    s->fd_err = theirs;
    pid = spawn_start(s, NULL, err);
    fd_drop(&theirs);
    if (pid > 0 && hear(io, ours, text) < 0)
        log_warn("cannot read what git says: %s", strerror(errno));
    rc = pid > 0 ? spawn_wait(pid, r, err) : -1;
    fd_drop(&ours);
    return rc;
}

/* io: who waits; NULL: nobody. */
static int git(const struct conf *c, const char *repo, struct command_io *io, const char *const *args, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_buf struct buf text;
    struct spawn s = SPAWN_INIT;
    struct spawn_result r;
    char why[256];

    buf_init(&text, REPACK_ERR_MAX);
    gitprog_argv(&argv);
    for (; *args != NULL; args++)
        vec_add(&argv, *args);
    gitprog_env(&env, repo, NULL);
    gitprog_limit(&s, c);
    s.limit_file = 0; /* all packs together may be larger than one push */
    s.nice = 10;
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    if ((io != NULL ? run_with(io, &s, &text, &r, err) : spawn_run(&s, NULL, NULL, &text, REPACK_MS, &r, err)) < 0)
        return -1;
    if (!r.signaled && r.code == 0)
        return 0;
    gitprog_reason(&text, why, sizeof(why));
    return err_set(err, ERR_FAILED, "git: %s", why[0] != '\0' ? why : "ended without a word");
}

/* One at a time; pushes go on meanwhile: what they bring is in packs that this one does not know. */
static int lock_repack(const char *repo, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/repack.lock", repo);
    cleanup_close int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);

    if (lock < 0)
        return err_errno(err, "cannot open %s", path);
    if (flock(lock, LOCK_EX | LOCK_NB) == 0)
        return steal_fd(lock);
    return errno == EWOULDBLOCK ? err_set(err, ERR_BUSY, "the repository is being packed already; try again when that has ended")
                                : err_errno(err, "cannot lock %s", path);
}

static int pack(const struct conf *c, const char *repo, struct command_io *io, struct err *err)
{
    static const char *const repack[] = { "repack", "-A", "-d", "-q", "--unpack-unreachable=" UNREACHABLE, NULL };
    static const char *const prune[] = { "prune", "--expire=" UNREACHABLE, NULL };

    if (refs_forget_builds(repo, BUILDS_KEPT, err) < 0)
        return -1;
    if (io != NULL)
        (void) io_outf(io, "-----> Packing what is kept\n");
    if (git(c, repo, io, repack, err) < 0)
        return -1;
    if (io != NULL)
        (void) io_outf(io, "-----> Removing what nothing needs\n");
    return git(c, repo, io, prune, err);
}

void quarantine_repack(const struct conf *c, int64_t app_id)
{
    cleanup_free char *repo = refs_path(c, app_id);
    cleanup_close int lock = -1;
    struct err err = ERR_INIT;

    if (count_packs(repo) <= PACKS_MAX)
        return;
    lock = lock_repack(repo, &err);
    if (lock < 0 && err.code == ERR_BUSY)
        return;
    if (lock < 0 || pack(c, repo, NULL, &err) < 0)
        log_warn("cannot repack the repository: %s", err.msg);
    else
        log_info("repacked the repository");
}

static int measure(const char *repo, struct repo_size *ret, struct err *err)
{
    ret->packs = count_packs(repo);
    return path_size(repo, &ret->bytes, err);
}

int quarantine_gc(const struct conf *c, int64_t app_id, struct command_io *io, struct repo_size *ret_before,
                  struct repo_size *ret_after, struct err *err)
{
    cleanup_free char *repo = refs_path(c, app_id);
    cleanup_close int lock = -1;

    *ret_before = *ret_after = (struct repo_size) { 0, 0 };
    if (!path_exists(repo)) /* nothing was pushed yet */
        return 0;
    if (refs_init(err) < 0)
        return -1;
    lock = lock_repack(repo, err);
    if (lock < 0 || measure(repo, ret_before, err) < 0)
        return -1;
    (void) io_outf(io, "-----> The repository has %lld KiB in %d pack%s\n", (long long) (ret_before->bytes + 1023) / 1024,
                   ret_before->packs, ret_before->packs == 1 ? "" : "s");
    if (pack(c, repo, io, err) < 0)
        return -1;
    return measure(repo, ret_after, err);
}
