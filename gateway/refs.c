#include "config.h"

#include "gateway/refs.h"

#include "base/mem.h"
#include "base/path.h"
#include "gateway/pktline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* libgit2 would map a pack whole, and a repository may have more than a session may (session_memory). */
#define MAP_PIECE ((size_t) 8 << 20)
#define MAP_ALL ((size_t) 32 << 20)

#define PRIVATE_BUILDS REFS_PRIVATE "builds/"
#define PRIVATE_SHALLOW REFS_PRIVATE "shallow/"

/* A failed push is often followed by nearly the same one: its objects need not come again. More commits
 * than this only make the advertisement longer. */
#define HAVE_MAX 16

#define CAPABILITIES "report-status report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta " \
                     "push-options object-format=sha1 agent=slipway/" PACKAGE_VERSION

static int git_failed(struct err *err, const char *what)
{
    const git_error *e = git_error_last();

    return err_set(err, ERR_FAILED, "%s: %s", what, e != NULL ? e->message : "no reason given");
}

int refs_init(struct err *err)
{
    static const int levels[] = { GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
                                  GIT_CONFIG_LEVEL_PROGRAMDATA };

    if (git_libgit2_init() < 0)
        return git_failed(err, "libgit2 cannot start");
    for (size_t i = 0; i < countof(levels); i++)
        (void) git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    (void) git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    (void) git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, MAP_PIECE);
    (void) git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAP_ALL);
    return 0;
}

char *refs_path(const struct conf *c, int64_t app_id)
{
    return conf_state_path(c, "repos/%" PRId64 ".git", app_id);
}

int refs_make(const char *path, git_repository **ret, struct err *err)
{
    git_repository_init_options o = GIT_REPOSITORY_INIT_OPTIONS_INIT;

    o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR;
    o.initial_head = "main";
    if (git_repository_init_ext(ret, path, &o) < 0)
        return git_failed(err, "cannot make a repository");
    return 0;
}

int refs_open(const struct conf *c, int64_t app_id, git_repository **ret, struct err *err)
{
    cleanup_free char *path = refs_path(c, app_id);
    cleanup_free char *head = xasprintf("%s/HEAD", path);

    if (!path_exists(head))
        return refs_make(path, ret, err);
    if (git_repository_open_ext(ret, path, GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE, NULL) < 0)
        return git_failed(err, "cannot open the repository");
    return 0;
}

int refs_lock(git_repository *repo, struct err *err)
{
    return refs_lock_path(git_repository_path(repo), err);
}

int refs_lock_path(const char *repo, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/slipway.lock", repo);
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);

    if (fd < 0)
        return err_errno(err, "cannot lock the repository");
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return err_errno(err, "cannot lock the repository");
    }
    return steal_fd(fd);
}

/* The oid of a ref, as hexadecimal; "" where there is none. */
static void ref_value(git_repository *repo, const char *name, char ret[OID_HEX + 1])
{
    git_oid oid;

    ret[0] = '\0';
    if (git_reference_name_to_id(&oid, repo, name) == 0)
        git_oid_tostr(ret, OID_HEX + 1, &oid);
}

static bool has_object(git_repository *repo, const git_oid *oid)
{
    git_odb *odb;
    bool there;

    if (git_repository_odb(&odb, repo) < 0)
        return false;
    there = git_odb_exists(odb, oid) == 1;
    git_odb_free(odb);
    return there;
}

static int set_ref(git_repository *repo, const char *name, const char *hex, struct err *err)
{
    git_reference *ref = NULL;
    git_oid oid;

    if (git_oid_fromstr(&oid, hex) < 0 || git_reference_create(&ref, repo, name, &oid, 1, NULL) < 0)
        return git_failed(err, "cannot write a ref");
    git_reference_free(ref);
    return 0;
}

/* The branch that was deployed before apps:set named another. */
static int remove_other_heads(git_repository *repo, const char *keep, struct err *err)
{
    cleanup_vec struct vec others = VEC_INIT;
    git_reference_iterator *i = NULL;
    const char *name;

    if (git_reference_iterator_glob_new(&i, repo, "refs/heads/*") < 0)
        return git_failed(err, "cannot list the refs");
    while (git_reference_next_name(&name, i) == 0) {
        if (strcmp(name, keep) != 0)
            vec_add(&others, name);
    }
    git_reference_iterator_free(i);
    for (size_t n = 0; n < others.n; n++) {
        if (git_reference_remove(repo, others.v[n]) < 0)
            return git_failed(err, "cannot remove a ref");
    }
    return 0;
}

int refs_project(git_repository *repo, const struct app *app, struct err *err)
{
    cleanup_free char *name = xasprintf("refs/heads/%s", app->deploy_branch);
    char now[OID_HEX + 1];
    git_reference *head = NULL;
    git_oid oid;

    ref_value(repo, name, now);
    if (app->live_commit == NULL) {
        /* An image's release has no commit: a clone still gets the last one that was live. */
        if (app->live_release_id == 0 && now[0] != '\0' && git_reference_remove(repo, name) < 0)
            return git_failed(err, "cannot remove a ref");
        return 0;
    }
    if (git_oid_fromstr(&oid, app->live_commit) < 0 || !has_object(repo, &oid))
        return err_set(err, ERR_FAILED, "the live commit %s is not in the repository", app->live_commit);
    if ((strcmp(now, app->live_commit) != 0 && set_ref(repo, name, app->live_commit, err) < 0)
        || remove_other_heads(repo, name, err) < 0)
        return -1;
    if (git_reference_lookup(&head, repo, "HEAD") == 0 && git_reference_symbolic_target(head) != NULL &&
        strcmp(git_reference_symbolic_target(head), name) == 0) {
        git_reference_free(head);
        return 0;
    }
    git_reference_free(head);
    if (git_repository_set_head(repo, name) < 0)
        return git_failed(err, "cannot set HEAD");
    return 0;
}

void advert_release(struct advert *a)
{
    vec_release(&a->tags);
    vec_release(&a->have);
}

/* A build's private ref. */
struct numbered { int64_t id; char oid[OID_HEX + 1]; };

static int newer_first(const void *a, const void *b)
{
    int64_t x = ((const struct numbered *) a)->id, y = ((const struct numbered *) b)->id;

    return (x < y) - (x > y);
}

/* The private refs below a prefix, newest first; the caller frees them. */
static int list_builds(git_repository *repo, const char *prefix, struct numbered **ret, size_t *ret_n,
                       struct err *err)
{
    cleanup_free char *glob = xasprintf("%s*", prefix);
    git_reference_iterator *it = NULL;
    struct numbered *v = NULL;
    size_t n = 0, cap = 0;
    const char *name;

    if (git_reference_iterator_glob_new(&it, repo, glob) < 0)
        return git_failed(err, "cannot list refs");
    while (git_reference_next_name(&name, it) == 0) {
        if (n == cap) {
            cap = cap == 0 ? 64 : cap * 2;
            v = xrealloc_n(v, cap, sizeof(*v));
        }
        v[n].id = strtoll(name + strlen(prefix), NULL, 10);
        ref_value(repo, name, v[n].oid);
        if (v[n].oid[0] != '\0')
            n++;
    }
    git_reference_iterator_free(it);
    if (n > 0)
        qsort(v, n, sizeof(*v), newer_first);
    *ret = v;
    *ret_n = n;
    return 0;
}

/* Commits of the newest builds that are here with all that is behind them. */
static int add_builds(git_repository *repo, struct advert *a, const char *live, bool *ret_live_complete,
                      struct err *err)
{
    struct numbered *v = NULL;
    size_t n = 0;

    if (list_builds(repo, PRIVATE_BUILDS, &v, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].oid, live) == 0)
            *ret_live_complete = true;
        if (a->have.n < HAVE_MAX && !vec_has(&a->have, v[i].oid))
            vec_add(&a->have, v[i].oid);
    }
    free(v);
    return 0;
}

int refs_forget_builds(const char *path, size_t keep, struct err *err)
{
    static const char *const prefixes[] = { PRIVATE_BUILDS, PRIVATE_SHALLOW };
    git_repository *repo = NULL;
    int rc = 0;

    if (git_repository_open_bare(&repo, path) < 0)
        return git_failed(err, "cannot open the repository");
    for (size_t p = 0; p < countof(prefixes) && rc == 0; p++) {
        struct numbered *v = NULL;
        size_t n = 0;

        rc = list_builds(repo, prefixes[p], &v, &n, err);
        for (size_t i = keep; i < n && rc == 0; i++) {
            cleanup_free char *name = xasprintf("%s%" PRId64, prefixes[p], v[i].id);

            if (git_reference_remove(repo, name) < 0)
                rc = git_failed(err, "cannot remove a ref");
        }
        free(v);
    }
    git_repository_free(repo);
    return rc;
}

static int add_tags(git_repository *repo, struct advert *a, struct err *err)
{
    git_strarray names = { NULL, 0 };

    if (git_tag_list(&names, repo) < 0)
        return git_failed(err, "cannot list tags");
    for (size_t i = 0; i < names.count; i++) {
        cleanup_free char *full = xasprintf("refs/tags/%s", names.strings[i]);
        char oid[OID_HEX + 1];

        ref_value(repo, full, oid);
        if (oid[0] != '\0')
            vec_addl(&a->tags, full, oid, NULL);
    }
    git_strarray_dispose(&names);
    return 0;
}

int advert_fill(git_repository *repo, const struct app *app, bool live_from_ref, struct advert *ret,
                struct err *err)
{
    struct advert a = { .live = "" };
    char live[OID_HEX + 1] = "";
    bool complete = false;

    if (repo == NULL) {
        *ret = a;
        return 0;
    }
    a.shallow = git_repository_is_shallow(repo) == 1;
    if (live_from_ref) {
        cleanup_free char *name = xasprintf("refs/heads/%s", app->deploy_branch);

        ref_value(repo, name, live);
    } else if (app->live_commit != NULL) {
        (void) snprintf(live, sizeof(live), "%s", app->live_commit);
    }
    if (add_builds(repo, &a, live, &complete, err) < 0 || (!a.shallow && add_tags(repo, &a, err) < 0)) {
        advert_release(&a);
        return -1;
    }
    if (live[0] != '\0' && (!a.shallow || complete)) {
        memcpy(a.live, live, sizeof(live));
        if (!vec_has(&a.have, live))
            vec_add(&a.have, live);
    }
    *ret = a;
    return 0;
}

const char *advert_find(const struct advert *a, const struct app *app, const char *name)
{
    if (strncmp(name, "refs/heads/", 11) == 0)
        return a->live[0] != '\0' && strcmp(name + 11, app->deploy_branch) == 0 ? a->live : NULL;
    for (size_t i = 0; i + 1 < a->tags.n; i += 2) {
        if (strcmp(a->tags.v[i], name) == 0)
            return a->tags.v[i + 1];
    }
    return NULL;
}

/* The first line carries the capabilities, whatever it is. */
static int put_ref(struct buf *out, bool *first, const char *oid, const char *name)
{
    bool with = *first;
    struct buf line;
    int rc;

    *first = false;
    buf_init(&line, PKTLINE_PAYLOAD_MAX);
    rc = buf_addf(&line, "%s %s", oid, name);
    if (rc == 0 && with)
        rc = buf_addch(&line, '\0') < 0 ? -1 : buf_addstr(&line, CAPABILITIES);
    if (rc == 0)
        rc = buf_addch(&line, '\n');
    if (rc == 0)
        rc = pktline_put(out, buf_str(&line), buf_len(&line));
    buf_release(&line);
    return rc;
}

int advert_write(const struct advert *a, const struct app *app, bool version_1, struct buf *out)
{
    bool first = true;

    if (version_1 && pktline_putf(out, "version 1\n") < 0)
        return -1;
    if (a->live[0] != '\0') {
        cleanup_free char *name = xasprintf("refs/heads/%s", app->deploy_branch);

        if (put_ref(out, &first, a->live, name) < 0)
            return -1;
    }
    for (size_t i = 0; i + 1 < a->tags.n; i += 2) {
        if (put_ref(out, &first, a->tags.v[i + 1], a->tags.v[i]) < 0)
            return -1;
    }
    for (size_t i = 0; i < a->have.n; i++) {
        if (strcmp(a->have.v[i], a->live) != 0 && put_ref(out, &first, a->have.v[i], ".have") < 0)
            return -1;
    }
    if (first && put_ref(out, &first, OID_ZERO, "capabilities^{}") < 0)
        return -1;
    return pktline_flush(out);
}

int refs_keep_build(git_repository *repo, int64_t build_id, const char *commit, bool shallow, struct err *err)
{
    cleanup_free char *name = xasprintf("%s%" PRId64, shallow ? PRIVATE_SHALLOW : PRIVATE_BUILDS, build_id);

    return set_ref(repo, name, commit, err);
}

int refs_update(git_repository *repo, const struct push_ref *r, bool any_old, struct err *err)
{
    char now[OID_HEX + 1];

    ref_value(repo, r->name, now);
    if (any_old && !oid_is_zero(r->new) && strcmp(now, r->new) == 0)
        return 0;
    if (strcmp(now[0] != '\0' ? now : OID_ZERO, r->old) != 0) {
        if (any_old && now[0] != '\0')
            return err_set(err, ERR_FAILED, "it is there already and points elsewhere");
        return err_set(err, ERR_BUSY, "it was changed by another push; fetch first");
    }
    if (!oid_is_zero(r->new))
        return set_ref(repo, r->name, r->new, err);
    if (git_reference_remove(repo, r->name) < 0)
        return git_failed(err, "cannot remove the ref");
    return 0;
}
