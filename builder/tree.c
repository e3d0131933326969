#include "config.h"

#include "builder/tree.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From this many entries on a second process costs less than it saves. */
#define PARALLEL_FROM 3000
#define PARALLEL_MAX 4     /* more only wait for the file system's journal */
#define TICK_EVERY 256     /* entries between two calls of the caller's function */
#define CHILD_WAIT_MS 1000 /* the same while only a child works */

/* What the processes of one export tell each other (a shared anonymous mapping). */
struct share {
    int64_t bytes;
    bool failed[PARALLEL_MAX];
    struct err err[PARALLEL_MAX];
};

struct export {
    git_odb *odb;
    git_repository *repo;
    const struct tree_limits *limits;
    struct share *share;
    tree_tick_fn *tick;
    void *tick_arg;
    int64_t files;       /* entries seen */
    int64_t folders;     /* folders seen; a folder's files are written by process number % processes */
    int me, processes;
    bool write;          /* false: only count and check */
    char path[TREE_PATH_MAX + 1]; /* of the folder that is being written, for messages */
    size_t path_len;
    int depth;
};

static int git_failed(struct err *err, const char *what)
{
    const git_error *e = git_error_last();

    return err_set(err, ERR_FAILED, "%s: %s", what,
                   e != NULL && e->message != NULL ? e->message : "unknown error of libgit2");
}

/* Code points that HFS+ ignores in names: a checkout on a Mac would see ".git" (CVE-2014-9390). */
static size_t ignored_by_hfs(const unsigned char *s)
{
    if (s[0] == 0xe2 && s[1] == 0x80 && s[2] != 0
        && ((s[2] >= 0x8c && s[2] <= 0x8f) || (s[2] >= 0xaa && s[2] <= 0xae)))
        return 3;
    if (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xaa && s[2] <= 0xaf)
        return 3;
    if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf)
        return 3;
    return 0;
}

/* ".git" as some file system or tool would read it. */
static bool like_dot_git(const char *name)
{
    char plain[8];
    size_t n = 0;

    for (const unsigned char *s = (const unsigned char *) name; *s != '\0';) {
        size_t skip = ignored_by_hfs(s);

        if (skip > 0) {
            s += skip;
            continue;
        }
        if (*s == ':' || *s == '\\') /* an NTFS stream or folder */
            break;
        if (n == sizeof(plain) - 1) {
            if (*s != '.' && *s != ' ')
                return false;
        } else {
            plain[n++] = (char) *s;
        }
        s++;
    }
    while (n > 0 && (plain[n - 1] == '.' || plain[n - 1] == ' ')) /* Windows drops these */
        n--;
    plain[n] = '\0';
    return strcasecmp(plain, ".git") == 0 || strcasecmp(plain, "git~1") == 0;
}

static int refuse(const struct export *x, const char *name, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "%s%s%s %s", x->path, x->path_len > 0 ? "/" : "", name, why);
}

static int write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, data, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        data += k;
        n -= (size_t) k;
    }
    return 0;
}

static int read_object(struct export *x, const git_oid *id, git_object_t type, const char *name,
                       git_odb_object **ret, struct err *err)
{
    char hex[GIT_OID_HEXSZ + 1];

    if (git_odb_read(ret, x->odb, id) != 0) {
        (void) git_oid_tostr(hex, sizeof(hex), id);
        (void) git_failed(err, "reading it");
        return err_wrap(err, "%s%s%s (object %s)", x->path, x->path_len > 0 ? "/" : "", name, hex);
    }
    if (git_odb_object_type(*ret) != type) {
        git_odb_object_free(*ret);
        *ret = NULL;
        return refuse(x, name, "is not the kind of object that its tree says", err);
    }
    return 0;
}

/* Big files are checked before they are inflated: 2 MB of pack can hold 2 GiB of blob. */
static int check_size(struct export *x, const git_oid *id, const char *name, struct err *err)
{
    git_object_t type;
    size_t size;

    if (git_odb_read_header(&size, &type, x->odb, id) != 0)
        return 0; /* the read that follows says why */
    if (size > (size_t) x->limits->max_file)
        return err_set(err, ERR_FAILED, "%s%s%s has %zu bytes; the limit is %lld", x->path,
                       x->path_len > 0 ? "/" : "", name, size, (long long) x->limits->max_file);
    return 0;
}

static int export_blob(struct export *x, int dir, const git_tree_entry *e, const char *name,
                       struct err *err)
{
    git_filemode_t mode = git_tree_entry_filemode(e);
    git_odb_object *o = NULL;
    cleanup_close int fd = -1;
    int rc = -1;
    const char *data;
    int64_t bytes;
    size_t n;

    if (check_size(x, git_tree_entry_id(e), name, err) != 0)
        return -1;
    if (read_object(x, git_tree_entry_id(e), GIT_OBJECT_BLOB, name, &o, err) != 0)
        return -1;
    data = git_odb_object_data(o);
    n = git_odb_object_size(o);
    bytes = __atomic_add_fetch(&x->share->bytes, (int64_t) n, __ATOMIC_RELAXED);
    if (bytes > x->limits->max_bytes) {
        (void) err_set(err, ERR_FAILED, "the tree has more than %lld bytes in all, the limit",
                       (long long) x->limits->max_bytes);
        goto out;
    }
    if (mode == GIT_FILEMODE_LINK) {
        cleanup_free char *target = NULL;

        if (n == 0 || n >= PATH_MAX || memchr(data, '\0', n) != NULL) {
            (void) refuse(x, name, "is a symbolic link with a bad target", err);
            goto out;
        }
        target = xstrndup(data, n);
        if (symlinkat(target, dir, name) != 0) {
            (void) err_errno(err, "%s/%s", x->path, name);
            goto out;
        }
        rc = 0;
        goto out;
    }
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644);
    if (fd < 0 || write_all(fd, data, n) != 0) {
        (void) err_errno(err, "writing %s%s%s", x->path, x->path_len > 0 ? "/" : "", name);
        goto out;
    }
    rc = 0;
out:
    git_odb_object_free(o);
    return rc;
}

static int export_tree(struct export *x, int dir, const git_oid *id, struct err *err);

static int export_folder(struct export *x, int dir, const git_tree_entry *e, const char *name,
                         struct err *err)
{
    cleanup_close int fd = -1;
    size_t before = x->path_len;

    if (x->depth >= x->limits->max_depth)
        return err_set(err, ERR_FAILED, "%s/%s is more than %lld folders deep, the limit", x->path,
                       name, (long long) x->limits->max_depth);
    if (x->write) {
        /* Another process of this export may have been here first. A link of that name is not followed. */
        if (mkdirat(dir, name, 0755) != 0 && (errno != EEXIST || x->processes == 1))
            return err_errno(err, "making the folder %s%s%s", x->path, before > 0 ? "/" : "", name);
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return err_errno(err, "opening the folder %s%s%s", x->path, before > 0 ? "/" : "",
                             name);
    }
    if (before > 0)
        x->path[x->path_len++] = '/';
    memcpy(x->path + x->path_len, name, strlen(name) + 1);
    x->path_len += strlen(name);
    x->depth++;
    if (export_tree(x, fd, git_tree_entry_id(e), err) != 0)
        return -1;
    x->depth--;
    x->path_len = before;
    x->path[before] = '\0';
    return 0;
}

static int check_name(const struct export *x, const char *name, struct err *err)
{
    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0
        || strcmp(name, "..") == 0)
        return refuse(x, name, "is not a file name", err);
    if (like_dot_git(name))
        return refuse(x, name, "has a name that git reserves", err);
    if (x->path_len + 1 + strlen(name) > TREE_PATH_MAX)
        return err_set(err, ERR_FAILED, "a path is longer than %d bytes, the limit: %.60s…",
                       TREE_PATH_MAX, x->path);
    return 0;
}

static int export_entry(struct export *x, int dir, bool mine, const git_tree_entry *e,
                        struct err *err)
{
    const char *name = git_tree_entry_name(e);

    if (++x->files > x->limits->max_files)
        return err_set(err, ERR_FAILED, "the tree has more than %lld files and folders, the limit",
                       (long long) x->limits->max_files);
    if (x->files % TICK_EVERY == 0 && x->tick != NULL && !x->tick(x->tick_arg))
        return err_set(err, ERR_FAILED, "ended");
    if (!x->write && check_name(x, name, err) != 0)
        return -1;
    switch (git_tree_entry_filemode(e)) {
    case GIT_FILEMODE_TREE:
        return export_folder(x, dir, e, name, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
    case GIT_FILEMODE_LINK:
        return x->write && mine ? export_blob(x, dir, e, name, err) : 0;
    case GIT_FILEMODE_COMMIT:
        return refuse(x, name, "is a submodule; they are not supported: commit its files instead",
                      err);
    default:
        return refuse(x, name, "has an unknown file mode", err);
    }
}

static int export_tree(struct export *x, int dir, const git_oid *id, struct err *err)
{
    bool mine = x->folders++ % x->processes == x->me;
    git_tree *tree = NULL;
    int rc = 0;

    if (git_tree_lookup(&tree, x->repo, id) != 0) {
        (void) git_failed(err, "reading the folder");
        return err_wrap(err, "/%s", x->path);
    }
    for (size_t i = 0; rc == 0 && i < git_tree_entrycount(tree); i++)
        rc = export_entry(x, dir, mine, git_tree_entry_byindex(tree, i), err);
    git_tree_free(tree);
    return rc;
}

void tree_init(void)
{
    (void) git_libgit2_init();
}

/* The object store alone: neither the repository's configuration nor its owner matters here. */
static int open_objects(const char *path, git_odb **ret_odb, git_repository **ret_repo,
                        struct err *err)
{
    cleanup_free char *objects = xasprintf("%s/objects", path);

    (void) git_libgit2_init();
    /* index-pack has checked every hash before the objects came here; zlib still checks its sums. */
    (void) git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    if (git_odb_open(ret_odb, objects) != 0) {
        (void) git_failed(err, "opening the repository");
        (void) git_libgit2_shutdown();
        return -1;
    }
    if (git_repository_wrap_odb(ret_repo, *ret_odb) != 0) {
        (void) git_failed(err, "opening the repository");
        git_odb_free(*ret_odb);
        (void) git_libgit2_shutdown();
        return -1;
    }
    return 0;
}

static void close_objects(git_odb *odb, git_repository *repo)
{
    git_repository_free(repo);
    git_odb_free(odb);
    (void) git_libgit2_shutdown();
}

/* One walk over the whole tree: counting, or writing this process's share. */
static int walk(struct export *x, const char *repo, const git_oid *id, int dir, bool write,
                struct err *err)
{
    int rc;

    if (open_objects(repo, &x->odb, &x->repo, err) != 0)
        return -1;
    x->write = write;
    x->files = x->folders = 0;
    x->depth = 0;
    x->path_len = 0;
    x->path[0] = '\0';
    rc = export_tree(x, dir, id, err);
    close_objects(x->odb, x->repo);
    return rc;
}

/* Process `me` of the export. It does nothing but write its files: no exec is needed for that. */
static pid_t fork_share(struct export *x, const char *repo, const git_oid *id, int dir, int me,
                        struct err *err)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        return err_errno(err, "starting a process");
    if (pid > 0)
        return pid;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing may write here once the builder is gone */
    if (getppid() != parent)
        _exit(1);
    x->me = me;
    x->tick = NULL;
    if (walk(x, repo, id, dir, true, &x->share->err[me]) != 0)
        x->share->failed[me] = true;
    _exit(0);
}

/* Waits for a process of this export, which is killed where the caller ends it. */
static int join_share(struct export *x, pid_t pid, int me, bool stop, struct err *err)
{
    cleanup_close int fd = (int) syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int status;

    while (!stop && fd >= 0 && poll(&p, 1, CHILD_WAIT_MS) == 0)
        stop = x->tick != NULL && !x->tick(x->tick_arg);
    if (stop)
        (void) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (x->share->failed[me]) {
        if (err != NULL)
            *err = x->share->err[me];
        return -1;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_FAILED, "a process that wrote files was ended");
    return 0;
}

static int write_parallel(struct export *x, const char *repo, const git_oid *id, int dir,
                          struct err *err)
{
    pid_t pids[PARALLEL_MAX] = { 0 };
    int rc = 0;

    for (int i = 1; i < x->processes && rc == 0; i++) {
        pids[i] = fork_share(x, repo, id, dir, i, err);
        if (pids[i] < 0)
            rc = -1;
    }
    if (rc == 0)
        rc = walk(x, repo, id, dir, true, err);
    for (int i = 1; i < x->processes; i++) {
        if (pids[i] > 0 && join_share(x, pids[i], i, rc != 0, rc == 0 ? err : NULL) != 0)
            rc = -1;
    }
    return rc;
}

static int processes_for(int64_t files)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (files < PARALLEL_FROM || cpus < 2)
        return 1;
    return cpus < PARALLEL_MAX ? (int) cpus : PARALLEL_MAX;
}

int tree_export(const char *repo, const char *tree, const char *dest, const struct tree_limits *l,
                tree_tick_fn *tick, void *tick_arg, struct tree_stats *ret, struct err *err)
{
    cleanup_close int dir = -1;
    cleanup_free struct export *x = xcalloc(1, sizeof(*x));
    git_oid id;
    mode_t before;
    int rc;

    if (strlen(tree) != GIT_OID_HEXSZ || git_oid_fromstr(&id, tree) != 0)
        return err_set(err, ERR_FAILED, "\"%.50s\" is not the name of a tree", tree);
    x->limits = l;
    x->tick = tick;
    x->tick_arg = tick_arg;
    x->processes = 1;
    dir = open(dest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return err_errno(err, "opening %s", dest);
    if (walk(x, repo, &id, -1, false, err) != 0)
        return -1;
    ret->files = x->files;
    x->processes = processes_for(x->files);
    x->share = mmap(NULL, sizeof(*x->share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    if (x->share == MAP_FAILED)
        return err_errno(err, "sharing memory");
    before = umask(022); /* the modes that git means; the folder around it keeps others out */
    rc = write_parallel(x, repo, &id, dir, err);
    (void) umask(before);
    ret->bytes = x->share->bytes;
    (void) munmap(x->share, sizeof(*x->share));
    return rc;
}

/* Not git_graph_descendant_of: where a commit is missing, libgit2 1.5 leaks in it. */
static int find_ancestor(git_repository *r, const git_oid *commit, const git_oid *ancestor)
{
    git_revwalk *walk = NULL;
    int rc = -1, end;
    git_oid id;

    if (git_revwalk_new(&walk, r) != 0)
        return -1;
    if (git_revwalk_push(walk, commit) == 0) {
        while ((end = git_revwalk_next(&id, walk)) == 0 && rc < 0) {
            if (git_oid_equal(&id, ancestor))
                rc = 1;
        }
        if (end == GIT_ITEROVER && rc < 0)
            rc = 0;
    }
    git_revwalk_free(walk);
    return rc;
}

int tree_descends(const char *repo, const char *commit, const char *ancestor)
{
    git_odb *odb = NULL;
    git_repository *r = NULL;
    git_oid a, b;
    int rc = -1;

    if (git_oid_fromstr(&a, commit) != 0 || git_oid_fromstr(&b, ancestor) != 0)
        return -1;
    if (git_oid_equal(&a, &b))
        return 1;
    if (open_objects(repo, &odb, &r, NULL) != 0)
        return -1;
    if (git_odb_exists(odb, &b))
        rc = find_ancestor(r, &a, &b);
    close_objects(odb, r);
    return rc;
}
