/* Keeping a repository small: what no ref keeps goes, and many packs become few. */
#include "config.h"

#include "gateway/quarantine.h"

#include "base/log.h"
#include "base/mem.h"
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

static int git(const struct conf *c, const char *repo, const char *const *args, struct err *err)
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
    if (spawn_run(&s, NULL, NULL, &text, REPACK_MS, &r, err) < 0)
        return -1;
    if (!r.signaled && r.code == 0)
        return 0;
    gitprog_reason(&text, why, sizeof(why));
    return err_set(err, ERR_FAILED, "git: %s", why[0] != '\0' ? why : "ended without a word");
}

void quarantine_repack(const struct conf *c, int64_t app_id)
{
    static const char *const repack[] = { "repack", "-A", "-d", "-q", "--unpack-unreachable=" UNREACHABLE, NULL };
    static const char *const prune[] = { "prune", "--expire=" UNREACHABLE, NULL };
    cleanup_free char *repo = refs_path(c, app_id);
    cleanup_free char *lock_path = xasprintf("%s/repack.lock", repo);
    cleanup_close int lock = -1;
    struct err err = ERR_INIT;

    if (count_packs(repo) <= PACKS_MAX)
        return;
    /* One at a time; pushes go on meanwhile: what they bring is in packs that this one does not know. */
    lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        return;
    if (refs_forget_builds(repo, BUILDS_KEPT, &err) < 0 || git(c, repo, repack, &err) < 0 ||
        git(c, repo, prune, &err) < 0)
        log_warn("cannot repack the repository: %s", err.msg);
    else
        log_info("repacked the repository");
}
