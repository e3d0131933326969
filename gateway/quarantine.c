#include "config.h"

#include "gateway/quarantine.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/gitprog.h"
#include "gateway/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INCOMING "incoming-"
#define SHALLOW_LIST_MAX (4 * 1024 * 1024) /* 100,000 roots */
#define OLD_S 60
#define REVLIST_INPUT_MAX (PUSH_REFS_MAX * 128)
#define REVLIST_ERR_MAX (16 * 1024)

/* 1: somebody uses it, 0: nobody does (it may be removed). */
static int in_use(const char *dir)
{
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* Old enough to have been locked by the session that made it, if that lives. */
static bool is_old(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_mtime + OLD_S < time(NULL);
}

/* The caller holds the repository's lock: a folder that has just been made is locked before it is let go. */
static void sweep_repo(const char *repo)
{
    cleanup_free char *objects = xasprintf("%s/objects", repo);
    DIR *d = opendir(objects);
    struct dirent *e;

    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL) {
        cleanup_free char *path = NULL;
        struct err err = ERR_INIT;

        if (strncmp(e->d_name, INCOMING, strlen(INCOMING)) != 0)
            continue;
        path = xasprintf("%s/%s", objects, e->d_name);
        if (!in_use(path) && path_remove_all(path, &err) < 0)
            log_warn("cannot remove what an ended push left: %s", err.msg);
    }
    (void) closedir(d);
}

void quarantine_sweep(const struct conf *c)
{
    cleanup_free char *repos = conf_state_path(c, "repos");
    DIR *d = opendir(repos);
    struct dirent *e;

    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL) {
        cleanup_free char *path = NULL;

        if (e->d_name[0] == '.')
            continue;
        path = xasprintf("%s/%s", repos, e->d_name);
        if (strncmp(e->d_name, "new-", 4) == 0) {
            /* A repository that was made for an app's first push, which did not come so far. */
            if (is_old(path) && !in_use(path))
                (void) path_remove_all(path, NULL);
        } else {
            cleanup_close int lock = refs_lock_path(path, NULL);

            if (lock >= 0)
                sweep_repo(path);
        }
    }
    (void) closedir(d);
}

/* The client's roots and the repository's own: where git may stop looking for parents. */
static int write_shallow(struct quarantine *q, const struct vec *client, struct err *err)
{
    cleanup_free char *own = xasprintf("%s/shallow", q->repo);
    cleanup_buf struct buf b;

    buf_init(&b, SHALLOW_LIST_MAX);
    if (client->n == 0) {
        q->shallow_file = xstrdup("");
        return 0;
    }
    if (path_exists(own) && path_read(own, &b, err) < 0)
        return -1;
    for (size_t i = 0; i < client->n; i++) {
        if (buf_addf(&b, "%s\n", client->v[i]) < 0)
            return err_set(err, ERR_FAILED, "too many shallow roots");
    }
    q->shallow_file = xasprintf("%s/shallow", q->dir);
    return path_write(q->shallow_file, buf_str(&b), buf_len(&b), 0640, err);
}

int quarantine_init(struct quarantine *q, const struct conf *conf, git_repository *repo,
                    const struct vec *client_shallow, struct err *err)
{
    cleanup_free char *pack = NULL;
    cleanup_close int lock = refs_lock(repo, err);
    size_t len = strlen(git_repository_path(repo));

    memset(q, 0, sizeof(*q));
    q->conf = conf;
    q->lock = -1;
    if (lock < 0)
        return -1;
    q->repo = xstrndup(git_repository_path(repo), len > 1 ? len - 1 : len);
    sweep_repo(q->repo);
    q->dir = xasprintf("%s/objects/" INCOMING "XXXXXX", q->repo);
    if (mkdtemp(q->dir) == NULL) {
        err_errno(err, "cannot make a folder for the push");
        free(q->dir);
        q->dir = NULL;
        return -1;
    }
    q->lock = open(q->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (q->lock < 0 || flock(q->lock, LOCK_EX | LOCK_NB) < 0)
        return err_errno(err, "cannot lock the folder of the push");
    pack = xasprintf("%s/pack", q->dir);
    if (path_mkdir(pack, 0750, err) < 0)
        return -1;
    return write_shallow(q, client_shallow, err);
}

void quarantine_moved(struct quarantine *q, char *repo)
{
    char *dir = xasprintf("%s%s", repo, q->dir + strlen(q->repo));

    free(q->repo);
    free(q->dir);
    q->repo = repo;
    q->dir = dir;
}

void quarantine_release(struct quarantine *q)
{
    struct err err = ERR_INIT;

    if (q->dir != NULL && path_remove_all(q->dir, &err) < 0)
        log_warn("cannot remove the folder of a push: %s", err.msg);
    if (q->lock >= 0)
        (void) close(q->lock);
    free(q->repo);
    free(q->dir);
    free(q->shallow_file);
    memset(q, 0, sizeof(*q));
    q->lock = -1;
}

int quarantine_connected(struct quarantine *q, const struct vec *new_oids, const struct vec *have,
                         struct sideband_io *io, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_buf struct buf in, out_err;
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    char why[256];

    /* It takes a second for a long history; what the pusher's connection needs in that time is little. */
    (void) sideband_tick(io);
    buf_init(&in, REVLIST_INPUT_MAX);
    buf_init(&out_err, REVLIST_ERR_MAX);
    for (size_t i = 0; i < new_oids->n; i++)
        (void) buf_addf(&in, "%s\n", new_oids->v[i]);
    for (size_t i = 0; i < have->n; i++)
        (void) buf_addf(&in, "^%s\n", have->v[i]);
    if (in.overflow)
        return err_set(err, ERR_FAILED, "too many refs");
    gitprog_argv(&argv);
    vec_addl(&argv, "--shallow-file", q->shallow_file, "rev-list", "--objects", "--stdin", "--quiet",
             "--end-of-options", NULL);
    gitprog_env(&env, q->repo, q->dir);
    gitprog_limit(&s, q->conf);
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    if (spawn_run(&s, &in, NULL, &out_err, (int) q->conf->index_time, &result, err) < 0)
        return -1;
    if (!result.signaled && result.code == 0)
        return 0;
    gitprog_reason(&out_err, why, sizeof(why));
    if (gitprog_limit_reached(q->conf, &result, why, err) < 0)
        return -1;
    log_info("the pushed history is not connected: %s", why);
    return err_set(err, ERR_FAILED, "missing necessary objects");
}

/* A root whose parents are all here is none any more: what is here is here with all behind it, up to
 * other roots. */
static bool is_root(git_repository *repo, git_odb *odb, const char *hex)
{
    git_oid oid;
    git_commit *commit = NULL;
    bool root = false;

    if (git_oid_fromstr(&oid, hex) < 0 || git_commit_lookup(&commit, repo, &oid) < 0)
        return false; /* the commit itself was not sent */
    for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
        root |= git_odb_exists(odb, git_commit_parent_id(commit, i)) != 1;
    git_commit_free(commit);
    return root;
}

static int update_shallow(struct quarantine *q, git_repository *repo, const struct vec *client, bool *ret_cut,
                          struct err *err)
{
    cleanup_free char *path = xasprintf("%s/shallow", q->repo);
    cleanup_buf struct buf old, new;
    git_odb *odb = NULL;
    char hex[OID_HEX + 1];
    int rc = 0;

    *ret_cut = false;
    buf_init(&old, SHALLOW_LIST_MAX);
    buf_init(&new, SHALLOW_LIST_MAX);
    if (client->n == 0 && !path_exists(path))
        return 0;
    if (path_exists(path) && path_read(path, &old, err) < 0)
        return -1;
    if (git_repository_odb(&odb, repo) < 0 || git_odb_refresh(odb) < 0) {
        git_odb_free(odb);
        return err_set(err, ERR_FAILED, "cannot read the repository's objects");
    }
    for (size_t i = 0; i < client->n; i++) {
        if (!is_root(repo, odb, client->v[i]))
            continue;
        *ret_cut = true;
        (void) buf_addf(&new, "%s\n", client->v[i]);
    }
    for (const char *p = buf_str(&old); strlen(p) >= OID_HEX + 1; p += OID_HEX + 1) {
        memcpy(hex, p, OID_HEX);
        hex[OID_HEX] = '\0';
        if (strstr(buf_str(&new), hex) == NULL && is_root(repo, odb, hex))
            (void) buf_addf(&new, "%s\n", hex);
    }
    git_odb_free(odb);
    if (new.overflow)
        return err_set(err, ERR_FAILED, "too many shallow roots");
    if (buf_len(&new) > 0)
        rc = path_write(path, buf_str(&new), buf_len(&new), 0640, err);
    else if (unlink(path) < 0 && errno != ENOENT)
        rc = err_errno(err, "cannot remove %s", path);
    return rc;
}

static int sync_folder(const char *path, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_errno(err, "cannot write %s to the disk", path);
    return 0;
}

int quarantine_migrate(struct quarantine *q, git_repository *repo, const struct vec *client_shallow,
                       bool *ret_cut, struct err *err)
{
    /* The index last: a pack without one is not looked at. */
    static const char *const parts[] = { "pack", "rev", "idx" };
    cleanup_free char *folder = xasprintf("%s/objects/pack", q->repo);

    for (size_t i = 0; i < countof(parts) && q->pack[0] != '\0'; i++) {
        cleanup_free char *from = xasprintf("%s/pack/pack-%s.%s", q->dir, q->pack, parts[i]);
        cleanup_free char *to = xasprintf("%s/pack-%s.%s", folder, q->pack, parts[i]);

        if (strcmp(parts[i], "rev") == 0 && !path_exists(from))
            continue;
        if (rename(from, to) < 0)
            return err_errno(err, "cannot take the pushed objects in");
    }
    if (q->pack[0] != '\0' && sync_folder(folder, err) < 0)
        return -1;
    return update_shallow(q, repo, client_shallow, ret_cut, err);
}
