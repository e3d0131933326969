#include "config.h"

#include "gateway/policy.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POLICY_PATH_MAX 2048   /* below PATH_MAX with room for the folder that it is written into */
#define POLICY_NAME_MAX 255    /* of one part; NAME_MAX of every common file system */
#define POLICY_NAMED_MAX 5     /* submodules or LFS files that a refusal lists */
#define LINK_TARGET_MAX 4095   /* PATH_MAX */
/* A pointer file: version, oid sha256:64 digits, size (Git LFS's docs/spec.md says below 1024 bytes). */
#define LFS_MIN 100
#define LFS_MAX 1023
#define LFS_FIRST_LINE "version https://git-lfs.github.com/spec/v1\n"
/* Folders, beside the files that are counted on their own: a tree of folders only has no files. */
#define FOLDERS_PER_FILE 2
#define FOLDERS_MIN 1000

#define APP_JSON "app.json"

struct walk {
    git_repository *repo;
    git_odb *odb;
    const struct conf *conf;
    struct policy_result *r;
    uint64_t folders;
    git_oid app_json;        /* of the file at the top */
    bool has_app_json;
    struct buf path;         /* of the folder that is walked */
    struct buf submodules, lfs;
    unsigned n_submodules, n_lfs;
    struct err *err;
};

void policy_result_release(struct policy_result *r)
{
    free(r->subject);
    app_json_release(&r->app_json);
    memset(r, 0, sizeof(*r));
}

bool policy_name_is_git(const char *name)
{
    size_t n = strcspn(name, ":"); /* name:stream of NTFS */

    while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' '))
        n--;
    return (n == 4 && strncasecmp(name, ".git", 4) == 0) || (n == 5 && strncasecmp(name, "git~1", 5) == 0);
}

bool policy_link_stays(const char *dir, const char *target)
{
    long depth = 0;

    if (target[0] == '/' || target[0] == '\0')
        return false;
    for (const char *p = dir; *p != '\0'; p++)
        depth += *p == '/';
    depth += dir[0] != '\0';
    for (const char *p = target; *p != '\0';) {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (--depth < 0)
                return false;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            depth++;
        }
        p += n;
        p += strspn(p, "/");
    }
    return true;
}

static int git_failed(struct walk *w, const char *what)
{
    const git_error *e = git_error_last();

    return err_set(w->err, ERR_FAILED, "%s: %s", what, e != NULL ? e->message : "no reason given");
}

/* The path of an entry, as far as a sentence takes it; control characters are shown as "?". */
static const char *shown(const struct walk *w, const char *name, char *out, size_t size)
{
    int n = snprintf(out, size, "%s%s%s", buf_str(&w->path), buf_len(&w->path) > 0 ? "/" : "", name);

    if (n >= (int) size)
        memcpy(out + size - 4, "...", 4);
    for (char *p = out; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f)
            *p = '?';
    }
    return out;
}

static int refuse(struct walk *w, const char *name, const char *why)
{
    char path[300];

    return err_set(w->err, ERR_FAILED, "%s %s", shown(w, name, path, sizeof(path)), why);
}

static void list(struct walk *w, struct buf *to, unsigned *n, const char *name)
{
    char path[160];

    if ((*n)++ < POLICY_NAMED_MAX)
        (void) buf_addf(to, "%s%s", buf_len(to) > 0 ? ", " : "", shown(w, name, path, sizeof(path)));
}

static int check_name(struct walk *w, const char *name)
{
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/') != NULL)
        return refuse(w, name, "is no name for a file");
    if (policy_name_is_git(name))
        return refuse(w, name, "is named like a repository's own folder");
    if (strlen(name) > POLICY_NAME_MAX || buf_len(&w->path) + strlen(name) + 1 > POLICY_PATH_MAX)
        return refuse(w, name, "has too long a path");
    return 0;
}

/* Reads a small blob as a string; the caller frees it. */
static char *read_small(struct walk *w, const git_oid *oid)
{
    git_odb_object *o = NULL;
    char *text;

    if (git_odb_read(&o, w->odb, oid) < 0)
        return NULL;
    text = xstrndup(git_odb_object_data(o), git_odb_object_size(o));
    git_odb_object_free(o);
    return text;
}

static int check_link(struct walk *w, const char *name, const git_oid *oid, size_t size)
{
    cleanup_free char *target = NULL;

    if (size > LINK_TARGET_MAX)
        return refuse(w, name, "is a symbolic link with too long a target");
    target = read_small(w, oid);
    if (target == NULL)
        return git_failed(w, "cannot read a symbolic link");
    if (!policy_link_stays(buf_str(&w->path), target))
        return refuse(w, name, "is a symbolic link that leaves the tree; commit what it points to instead");
    return 0;
}

static int check_file(struct walk *w, const char *name, const git_oid *oid, git_filemode_t mode)
{
    git_object_t type;
    size_t size;

    if (++w->r->files > (uint64_t) w->conf->max_files)
        return err_set(w->err, ERR_FAILED, "the tree has more than %lld files (max_files)", w->conf->max_files);
    if (git_odb_read_header(&size, &type, w->odb, oid) < 0 || type != GIT_OBJECT_BLOB)
        return refuse(w, name, "cannot be read from what was pushed");
    if (size > (uint64_t) w->conf->max_file)
        return err_set(w->err, ERR_FAILED, "%s is larger than %lld MiB (max_file)",
                       shown(w, name, (char[300]) { "" }, 300), w->conf->max_file >> 20);
    w->r->bytes += size;
    if (w->r->bytes > (uint64_t) w->conf->max_tree)
        return err_set(w->err, ERR_FAILED, "the files of the tree are larger than %lld MiB together (max_tree)",
                       w->conf->max_tree >> 20);
    if (buf_len(&w->path) == 0 && strcmp(name, APP_JSON) == 0) {
        if (mode == GIT_FILEMODE_LINK)
            return refuse(w, name, "is a symbolic link; it must be the file itself");
        if (size > APP_JSON_MAX)
            return err_set(w->err, ERR_FAILED, APP_JSON " is larger than %d KiB", APP_JSON_MAX / 1024);
        w->app_json = *oid;
        w->has_app_json = true;
    }
    if (mode == GIT_FILEMODE_LINK)
        return check_link(w, name, oid, size);
    if (size >= LFS_MIN && size <= LFS_MAX) {
        cleanup_free char *text = read_small(w, oid);

        if (text != NULL && strncmp(text, LFS_FIRST_LINE, strlen(LFS_FIRST_LINE)) == 0)
            list(w, &w->lfs, &w->n_lfs, name);
    }
    return 0;
}

static int walk_tree(struct walk *w, const git_oid *oid, int depth);

static int walk_folder(struct walk *w, const char *name, const git_oid *oid, int depth)
{
    size_t before = buf_len(&w->path);
    int rc;

    if (depth >= w->conf->max_depth)
        return err_set(w->err, ERR_FAILED, "the tree has folders within folders more than %lld deep (max_depth)",
                       w->conf->max_depth);
    if (++w->folders > (uint64_t) w->conf->max_files * FOLDERS_PER_FILE + FOLDERS_MIN)
        return err_set(w->err, ERR_FAILED, "the tree has too many folders (max_files)");
    if (buf_addf(&w->path, "%s%s", before > 0 ? "/" : "", name) < 0)
        return refuse(w, name, "has too long a path");
    rc = walk_tree(w, oid, depth + 1);
    buf_truncate(&w->path, before);
    return rc;
}

static int walk_tree(struct walk *w, const git_oid *oid, int depth)
{
    git_tree *tree = NULL;
    int rc = 0;

    if (git_tree_lookup(&tree, w->repo, oid) < 0)
        return git_failed(w, "cannot read a folder of the pushed tree");
    for (size_t i = 0, n = git_tree_entrycount(tree); i < n && rc == 0; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(e);
        git_filemode_t mode = git_tree_entry_filemode(e);

        rc = check_name(w, name);
        if (rc < 0)
            break;
        if (mode == GIT_FILEMODE_TREE)
            rc = walk_folder(w, name, git_tree_entry_id(e), depth);
        else if (mode == GIT_FILEMODE_COMMIT)
            list(w, &w->submodules, &w->n_submodules, name);
        else if (mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE || mode == GIT_FILEMODE_LINK)
            rc = check_file(w, name, git_tree_entry_id(e), mode);
        else
            rc = refuse(w, name, "has a mode that git does not know");
    }
    git_tree_free(tree);
    return rc;
}

static int check_lists(struct walk *w)
{
    if (w->n_submodules > 0)
        return err_set(w->err, ERR_FAILED, "submodules are not supported: %s%s; commit their files instead",
                       buf_str(&w->submodules), w->n_submodules > POLICY_NAMED_MAX ? " and more" : "");
    if (w->n_lfs > 0)
        return err_set(w->err, ERR_FAILED, "Git LFS is not supported, and these are only pointers: %s%s; commit the files themselves instead",
                       buf_str(&w->lfs), w->n_lfs > POLICY_NAMED_MAX ? " and more" : "");
    return 0;
}

static int read_app_json(struct walk *w)
{
    cleanup_free char *text = NULL, *kept = NULL;

    if (!w->has_app_json)
        return 0;
    text = read_small(w, &w->app_json);
    if (text == NULL)
        return git_failed(w, "cannot read " APP_JSON);
    if (app_json_parse(text, strlen(text), &w->r->app_json, w->err) < 0)
        return -1;
    kept = app_json_kept(&w->r->app_json);
    if (kept != NULL && strlen(kept) > APP_JSON_MAX) /* with defaults written out */
        return err_set(w->err, ERR_FAILED, APP_JSON " has too many healthchecks and cron tasks for %d KiB",
                       APP_JSON_MAX / 1024);
    return 0;
}

static char *subject_of(git_commit *commit)
{
    const char *s = git_commit_summary(commit);
    char *out = xstrndup(s != NULL ? s : "", POLICY_SUBJECT_MAX);
    size_t n = strlen(out);

    /* Cut before a UTF-8 sequence that the limit has cut. */
    while (n == POLICY_SUBJECT_MAX && n > 0 && ((unsigned char) out[n - 1] & 0xc0) == 0x80)
        out[--n] = '\0';
    for (char *p = out; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f)
            *p = ' ';
    }
    return out;
}

int policy_check(git_repository *repo, const char *objects, const char *commit, const struct conf *conf,
                 struct policy_result *ret, struct err *err)
{
    struct policy_result r = { .tree = "" };
    struct walk w = { .repo = repo, .conf = conf, .r = &r, .err = err };
    git_object *object = NULL;
    git_commit *c;
    git_oid oid;
    int rc = -1;

    buf_init(&w.path, POLICY_PATH_MAX);
    buf_init(&w.submodules, ERR_MSG_MAX);
    buf_init(&w.lfs, ERR_MSG_MAX);
    if (git_repository_odb(&w.odb, repo) < 0 ||
        (objects != NULL && git_odb_add_disk_alternate(w.odb, objects) < 0)) {
        git_failed(&w, "cannot read the pushed objects");
        goto out;
    }
    if (git_oid_fromstr(&oid, commit) < 0 || git_object_lookup(&object, repo, &oid, GIT_OBJECT_ANY) < 0) {
        err_set(err, ERR_FAILED, "missing necessary objects");
        goto out;
    }
    if (git_object_type(object) != GIT_OBJECT_COMMIT) {
        err_set(err, ERR_FAILED, "what is pushed to the deploy branch must be a commit");
        goto out;
    }
    c = (git_commit *) object;
    git_oid_tostr(r.tree, sizeof(r.tree), git_commit_tree_id(c));
    r.subject = subject_of(c);
    rc = walk_tree(&w, git_commit_tree_id(c), 0);
    if (rc == 0)
        rc = check_lists(&w);
    if (rc == 0)
        rc = read_app_json(&w);
out:
    git_object_free(object);
    git_odb_free(w.odb);
    buf_release(&w.path);
    buf_release(&w.submodules);
    buf_release(&w.lfs);
    if (rc < 0)
        policy_result_release(&r);
    else
        *ret = r;
    return rc;
}
