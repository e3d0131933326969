#include "config.h"

#include "gateway/archive_import.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "gateway/deploy.h"
#include "gateway/gateway.h"
#include "gateway/gitprog.h"
#include "gateway/quarantine.h"
#include "gateway/reader.h"
#include "gateway/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_PIECE (256 * 1024)
#define HEAD_MAX 4096
#define TEXT_MAX 4096          /* of what the two programs say */
/* A name inside fast-import only: it never becomes a ref. */
#define BRANCH "refs/heads/archive"

struct import {
    struct command_ctx *c;
    struct quarantine q;
    int spool;               /* the archive */
    int to_git, from_git, git_err;
    struct reader git, archive;
    uint64_t deadline;
};

/* --- standard input */

static int spool(struct import *m, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/archive", m->q.dir), *piece = xmalloc(READ_PIECE);
    uint64_t size = 0;

    m->spool = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (m->spool < 0)
        return err_errno(err, "cannot keep the archive");
    for (;;) {
        long n = m->c->io->read(m->c->io, piece, READ_PIECE);

        if (n < 0)
            return err_set(err, ERR_DOWN, "the archive broke off; nothing was changed");
        if (n == 0)
            break;
        size += (uint64_t) n;
        if (size > (uint64_t) m->c->conf->max_pack)
            return err_set(err, ERR_FAILED, "the archive is larger than %lld MiB (max_pack)",
                           m->c->conf->max_pack >> 20);
        if (fd_write_all(m->spool, piece, (size_t) n, err) < 0)
            return err_wrap(err, "cannot keep the archive");
    }
    if (size == 0)
        return err_set(err, ERR_USAGE, "standard input is empty; for example: git archive main | ssh HOST "
                       "git:from-archive %s -", m->c->app.name);
    return 0;
}

/* --- the two programs */

static int start_git(struct import *m, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_close int in = -1, out = -1, errors = -1;
    struct spawn s = SPAWN_INIT;
    pid_t pid;

    if (reader_pipe(&in, &m->to_git, err) < 0 || reader_pipe(&m->from_git, &out, err) < 0
        || reader_pipe(&m->git_err, &errors, err) < 0)
        return -1;
    gitprog_argv(&argv);
    /* One pack, whatever its size; large files go through in pieces; nothing is compared with anything. */
    vec_addl(&argv, "-c", "fastimport.unpackLimit=0", "-c", "core.bigFileThreshold=16m", "fast-import", "--quiet",
             "--done", "--depth=0", "--date-format=raw", NULL);
    /* Not told that this is a quarantine: it would fail at its end, although there is no ref to be written. */
    gitprog_env(&env, m->q.repo, NULL);
    vec_addf(&env, "GIT_OBJECT_DIRECTORY=%s", m->q.dir);
    vec_addf(&env, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s/objects", m->q.repo);
    gitprog_limit(&s, m->c->conf);
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.fd_in = in;
    s.fd_out = out;
    s.fd_err = errors;
    pid = spawn_start(&s, &m->git.pidfd, err);
    if (pid < 0)
        return -1;
    m->git.pid = pid;
    return 0;
}

/* --- the commit */

static const char *mail_host(const struct conf *c)
{
    return c->host == NULL || c->host[0] == '\0' || strpbrk(c->host, "<>\n") != NULL ? "localhost" : c->host;
}

static int put_commit(struct import *m, const char *parent, struct err *err)
{
    const char *user = m->c->user.name;
    int64_t now = store_now() / 1000;
    cleanup_buf struct buf b;

    buf_init(&b, HEAD_MAX);
    (void) buf_addf(&b, "commit " BRANCH "\nmark :1\nauthor %s <%s@%s> %" PRId64 " +0000\ncommitter %s <%s@%s> %" PRId64
                    " +0000\ndata %zu\n" ARCHIVE_MESSAGE "\n", user, user, mail_host(m->c->conf), now, user, user,
                    mail_host(m->c->conf), now, strlen(ARCHIVE_MESSAGE));
    if (parent[0] != '\0')
        (void) buf_addf(&b, "from %s\ndeleteall\n", parent);
    if (b.overflow)
        return err_set(err, ERR_FAILED, "the server's name is too long for a commit");
    return fd_write_all(m->to_git, buf_str(&b), buf_len(&b), err);
}

/* Asks for the commit's name, and lets the branch go: with no commit no ref is written. */
static int put_end(struct import *m, struct err *err)
{
    static const char end[] = "\nget-mark :1\nreset " BRANCH "\n\ndone\n";

    return fd_write_all(m->to_git, end, sizeof(end) - 1, err);
}

/* The pack that fast-import has made. */
static int find_pack(struct import *m, struct err *err)
{
    cleanup_free char *folder = xasprintf("%s/pack", m->q.dir);
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);

        if (n == 5 + OID_HEX + 5 && strncmp(e->d_name, "pack-", 5) == 0 && strcmp(e->d_name + n - 5, ".pack") == 0)
            (void) snprintf(m->q.pack, sizeof(m->q.pack), "%.*s", OID_HEX, e->d_name + 5);
    }
    if (d != NULL)
        (void) closedir(d);
    return m->q.pack[0] != '\0' ? 0 : err_set(err, ERR_FAILED, "git made no pack of the archive");
}

/* A crash report with what it was fed would be left in the repository. */
static void remove_report(struct import *m, pid_t git)
{
    cleanup_free char *path = xasprintf("%s/fast_import_crash_%d", m->q.repo, (int) git);

    (void) unlink(path);
}

static int git_failed(struct import *m, pid_t git, struct err *err)
{
    char text[TEXT_MAX], why[256];
    cleanup_buf struct buf b;

    buf_init(&b, TEXT_MAX);
    reader_text(m->git_err, text, sizeof(text));
    (void) buf_addstr(&b, text);
    gitprog_reason(&b, why, sizeof(why));
    log_error("git fast-import: %s", why);
    remove_report(m, git);
    return err_set(err, ERR_FAILED, "the server cannot store the archive");
}

static int run(struct import *m, const char *parent, char ret_commit[OID_HEX + 1], struct err *err)
{
    struct spawn_result of_archive, of_git;
    char text[TEXT_MAX];
    pid_t git;

    if (start_git(m, err) < 0 || put_commit(m, parent, err) < 0
        || reader_start(&m->archive, m->c->conf, "archive", m->spool, m->to_git, 0, err) < 0
        || reader_wait(&m->archive, m->c, m->deadline, &of_archive, err) < 0)
        return -1;
    git = m->git.pid;
    if (of_archive.signaled || of_archive.code != 0) {
        fd_drop(&m->to_git);
        reader_text(m->archive.result, text, sizeof(text));
        if (of_archive.signaled || text[0] == '\0')
            return err_set(err, ERR_FAILED, "the archive can't be read: its reader ended by itself");
        if (of_archive.code != ERR_DOWN) /* then git has ended, and says why */
            return err_set(err, ERR_FAILED, "%s", text);
    }
    if (m->to_git >= 0)
        (void) put_end(m, NULL); /* that git has gone is told by its end */
    fd_drop(&m->to_git);
    if (reader_wait(&m->git, m->c, m->deadline, &of_git, err) < 0)
        return -1;
    if (of_git.signaled || of_git.code != 0)
        return git_failed(m, git, err);
    reader_text(m->from_git, text, sizeof(text));
    if (strlen(text) < OID_HEX || strspn(text, "0123456789abcdef") != OID_HEX)
        return err_set(err, ERR_FAILED, "git didn't name the archive's commit");
    (void) snprintf(ret_commit, OID_HEX + 1, "%.*s", OID_HEX, text);
    return find_pack(m, err);
}

static void import_release(struct import *m)
{
    int *const fds[] = { &m->spool, &m->to_git, &m->from_git, &m->git_err };
    pid_t git = m->git.pid;

    /* The programs write into the quarantine: they must be gone before it is. */
    reader_stop(&m->archive);
    reader_stop(&m->git);
    if (git > 0)
        remove_report(m, git);
    for (size_t i = 0; i < countof(fds); i++)
        fd_drop(fds[i]);
    quarantine_release(&m->q);
}

/* What the deploy branch has, "" where nothing: after an image's release it is the last commit that was live. */
static int parent_find(struct command_ctx *c, git_repository *repo, char ret[OID_HEX + 1], struct err *err)
{
    cleanup_free char *name = xasprintf("refs/heads/%s", c->app.deploy_branch);
    cleanup_close int lock = refs_lock(repo, err);
    git_oid oid;

    ret[0] = '\0';
    if (lock < 0 || refs_project(repo, &c->app, err) < 0)
        return -1;
    if (git_reference_name_to_id(&oid, repo, name) == 0)
        git_oid_tostr(ret, OID_HEX + 1, &oid);
    return 0;
}

int archive_import(struct command_ctx *c, git_repository *repo, struct archive_import *ret, struct err *err)
{
    struct import m = { .c = c, .spool = -1, .to_git = -1, .from_git = -1, .git_err = -1,
                        .git = READER_INIT, .archive = READER_INIT };
    struct archive_import out = { .cut = false };
    struct vec none = VEC_INIT;
    char parent[OID_HEX + 1];
    bool cut;
    int rc;

    if (parent_find(c, repo, parent, err) < 0)
        return -1;
    rc = quarantine_init(&m.q, c->conf, repo, &none, err);
    if (rc == 0)
        rc = spool(&m, err);
    if (rc == 0)
        rc = command_again(c, err);
    m.deadline = loop_now() + (uint64_t) c->conf->index_time;
    if (rc == 0)
        rc = run(&m, parent, out.commit, err);
    if (rc == 0)
        rc = policy_check(repo, m.q.dir, out.commit, c->conf, &out.policy, err);
    if (rc == 0 && deploy_env_check(c->store, &c->app, &out.policy.app_json, err) < 0) {
        policy_result_release(&out.policy);
        rc = -1;
    }
    if (rc == 0) {
        cleanup_close int lock = refs_lock(repo, err);

        out.cut = parent[0] != '\0' && git_repository_is_shallow(repo) == 1;
        rc = lock < 0 ? -1 : quarantine_migrate(&m.q, repo, &none, &cut, err);
        if (rc < 0)
            policy_result_release(&out.policy);
    }
    import_release(&m);
    if (rc == 0)
        *ret = out;
    return rc;
}
