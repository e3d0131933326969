#include "config.h"

#include "builder/work.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/pack.h"
#include "builder/project.h"
#include "builder/tree.h"
#include "sql/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTH_MAX (1024 * 1024) /* a config.json for many registries, a bundle of authorities */
#define LIFECYCLE_NAME "slipway/lifecycle" /* of images in the engine alone */
/* A descriptor that asks for nothing; the version keeps pack from warning that there is none. */
#define NO_PROJECT "[_]\nschema-version = \"0.2\"\n"

static int open_vars(struct work *w, struct err *err)
{
    /* The app may be a clone that was made since this worker last looked. */
    if (config_copies_do(w->store, err) != 0
        || config_get(w->store, w->build.app_id, w->build.config_version, &w->vars, err) != 0)
        return err_wrap(err, "reading the build variables");
    for (size_t i = 0; i < w->vars.n; i++) {
        struct config_var *v = &w->vars.v[i];

        if (v->build && seal_open(w->conf->state, SEAL_BUILD, w->build.app_id, v->name, v->sealed_build,
                                  v->sealed_build_len, &v->value, &v->value_len, err) != 0)
            return err_wrap(err, "opening the build variable %s", v->name);
    }
    return 0;
}

int work_open_vars(struct work *w, struct err *err)
{
    struct err first = ERR_INIT;

    if (open_vars(w, &first) == 0)
        return 0;
    /* A rotation may have destroyed the key between the reading of a row and its opening. */
    config_set_release(&w->vars);
    return open_vars(w, err);
}

static int write_file(const char *dir, const char *name, mode_t mode, const void *data, size_t n,
                      struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0 || fchmod(fd, mode) != 0)
        return err_errno(err, "writing %s", path);
    return fd_write_all(fd, data, n, err);
}

static int make_dir(const struct work *w, const char *name, mode_t mode, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/%s", w->dir, name);

    return path_mkdir(path, mode, err);
}

/* One file a variable: values with newlines arrive as they are, and none stands in an argument or in
 * an image (Cloud Native Buildpacks platform specification, "User-Provided Variables"). The build's user in the
 * container is another than ours, so the files are open; the folder around them is not. */
static int write_env(const struct work *w, struct err *err)
{
    cleanup_free char *dir = xasprintf("%s/env", w->dir);

    if (path_mkdir(dir, 0755, err) != 0)
        return -1;
    for (size_t i = 0; i < w->vars.n; i++) {
        const struct config_var *v = &w->vars.v[i];

        if (v->build && write_file(dir, v->name, 0644, v->value, v->value_len, err) != 0)
            return -1;
    }
    return 0;
}

/* The credential for the build registry, and no other that this account might have. */
static int write_docker_config(const struct work *w, struct err *err)
{
    cleanup_free char *dir = xasprintf("%s/docker", w->dir);
    cleanup_buf struct buf auth;
    int rc;

    buf_init(&auth, AUTH_MAX);
    if (path_mkdir(dir, 0700, err) != 0)
        return -1;
    if (w->conf->registry_auth[0] == '\0')
        (void) buf_addstr(&auth, "{}");
    else if (path_read(w->conf->registry_auth, &auth, err) != 0)
        return err_wrap(err, "reading the registry's credential");
    rc = write_file(dir, "config.json", 0600, buf_str(&auth), buf_len(&auth), err);
    if (auth.data != NULL)
        explicit_bzero(auth.data, auth.cap);
    return rc;
}

/* A file at the top of the exported tree. 1, 0 where there is no such regular file, or -1. */
static int read_top(const struct work *w, const char *name, struct buf *ret, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/tree/%s", w->dir, name);
    cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    for (;;) {
        size_t room = buf_room(ret) < 65536 ? buf_room(ret) : 65536;
        ssize_t n;

        if (room == 0)
            return 1; /* the parsers say that it is too long */
        n = read(fd, buf_reserve(ret, room), room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "reading %s", name);
        if (n == 0)
            return 1;
        buf_added(ret, (size_t) n);
    }
}

static int read_procfile(struct work *w, struct err *err)
{
    cleanup_vec struct vec warnings = VEC_INIT;
    cleanup_buf struct buf text;
    int rc;

    buf_init(&text, PROCFILE_MAX + 1);
    rc = read_top(w, "Procfile", &text, err);
    if (rc != 1)
        return rc;
    procfile_parse(buf_str(&text), buf_len(&text), &w->procfile, &warnings);
    for (size_t i = 0; i < warnings.n; i++)
        progress_warn(&w->log, "%s", warnings.v[i]);
    return 0;
}

/* Which project.toml pack gets: ours, which asks for nothing, or the tree's where the setting allows it. */
static int prepare_project(struct work *w, struct err *err)
{
    cleanup_buf struct buf text;
    int rc = 0;

    buf_init(&text, PROJECT_MAX + 1);
    if (w->conf->allow_project_toml) {
        rc = read_top(w, "project.toml", &text, err);
        if (rc < 0)
            return -1;
        if (rc == 1)
            return project_check(buf_str(&text), buf_len(&text), err);
    }
    return write_file(w->dir, "project.toml", 0600, NO_PROJECT, sizeof(NO_PROJECT) - 1, err);
}

static bool tick(void *arg)
{
    return work_goes_on(arg);
}

static int export_tree(struct work *w, struct err *err)
{
    const struct conf *c = w->conf;
    struct tree_limits limits = { c->max_files, c->max_tree, c->max_file, c->max_depth };
    cleanup_free char *repo = conf_state_path(c, "repos/%lld.git", (long long) w->build.app_id);
    cleanup_free char *dest = xasprintf("%s/tree", w->dir);
    uint64_t before = loop_now();
    struct tree_stats stats;

    if (path_mkdir(dest, 0755, err) != 0
        || tree_export(repo, w->build.tree, dest, &limits, tick, w, &stats, err) != 0)
        return -1;
    log_debug("wrote %lld entries, %lld bytes in %llu ms", (long long) stats.files, (long long) stats.bytes,
              (unsigned long long) (loop_now() - before));
    return 0;
}

/* In five phases only the app's own containers get pack's --volume, so those that talk to the registry need an image
 * that knows its authority: the lifecycle's with one more file, made once for each pair of the two. */
static int prepare_lifecycle(struct work *w, struct err *err)
{
    const struct conf *c = w->conf;
    char base[DIGEST_SIZE], ca[DIGEST_SIZE], have[DIGEST_SIZE];
    cleanup_buf struct buf pem;

    buf_init(&pem, AUTH_MAX);
    if (pack_trusts(c) || c->lifecycle_image[0] == '\0')
        return c->registry_ca[0] == '\0' || pack_trusts(c)
                   ? 0
                   : err_set(err, ERR_FAILED, "the registry has an authority of its own (ca), and the builder is not "
                             "trusted: [build] lifecycle_image must name the lifecycle's image");
    if (c->registry_ca[0] == '\0') {
        w->lifecycle = xstrdup(c->lifecycle_image);
        return 0;
    }
    if (path_read(c->registry_ca, &pem, err) != 0)
        return err_wrap(err, "reading the registry's authority");
    if (docker_image_id(w->docker, c->lifecycle_image, base, err) != 0)
        return err_wrap(err, "%s (pull it once)", c->lifecycle_image);
    digest_of(buf_str(&pem), buf_len(&pem), ca);
    w->lifecycle = xasprintf(LIFECYCLE_NAME ":%.16s-%.16s", strchr(base, ':') + 1, strchr(ca, ':') + 1);
    if (docker_image_id(w->docker, w->lifecycle, have, NULL) == 0)
        return 0;
    return docker_image_add_file(w->docker, c->lifecycle_image, PACK_CA_TARGET, buf_str(&pem), buf_len(&pem),
                                 w->lifecycle, err);
}

int work_prepare(struct work *w, struct err *err)
{
    if (path_remove_all(w->dir, err) != 0 /* of an attempt that was killed */
        || path_mkdir(w->dir, 0700, err) != 0)
        return -1;
    if (export_tree(w, err) != 0 || read_procfile(w, err) != 0 || prepare_project(w, err) != 0)
        return -1;
    if (make_dir(w, "pack", 0700, err) != 0 || make_dir(w, "report", 0700, err) != 0
        || make_dir(w, "tmp", 0700, err) != 0 || write_docker_config(w, err) != 0)
        return -1;
    return write_env(w, err) == 0 ? prepare_lifecycle(w, err) : -1;
}

void work_clean(struct work *w)
{
    struct err err = ERR_INIT;

    if (path_remove_all(w->dir, &err) != 0)
        log_warn("removing the build's folder: %s", err.msg);
}
