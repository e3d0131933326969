#include "config.h"

#include "gateway/image_load.h"

#include "base/image_file.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/gitprog.h"
#include "gateway/reader.h"
#include "sql/image_label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_PIECE (256 * 1024)
#define TEXT_MAX 4096             /* of what the role says */
#define AROUND (64 * 1024 * 1024) /* what an archive has beside its files' bytes, and the file its table */
#define TRIES 3

void image_load_release(struct image_load *l)
{
    if (l->path != NULL)
        (void) unlink(l->path);
    fd_drop(&l->fd);
    free(l->path);
    free(l->name);
    free(l->architecture);
    processes_release(&l->processes);
    vec_release(&l->warnings);
}

/* A file whose name says that somebody writes it; until it is locked, it may be removed as one that nobody writes. */
static int file_make(const struct conf *c, struct image_load *l, struct err *err)
{
    for (int i = 0; i < TRIES; i++) {
        cleanup_free char *path = conf_state_path(c, IMAGE_FILE_FOLDER "/" IMAGE_FILE_INCOMING "XXXXXX");
        cleanup_close int fd = mkostemp(path, O_CLOEXEC);
        struct stat st;

        if (fd < 0)
            return err_errno(err, "cannot make %s; slipway init makes its folder", path);
        if (fchmod(fd, 0640) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
            return err_errno(err, "cannot keep the image");
        if (st.st_nlink > 0) {
            l->fd = steal_fd(fd);
            l->path = steal_ptr(path);
            return 0;
        }
    }
    return err_set(err, ERR_FAILED, "cannot keep the image");
}

/* Standard input to the role. That it takes no more is told by its end. */
static int pass_on(struct command_ctx *c, int to, struct err *err)
{
    cleanup_free char *piece = xmalloc(READ_PIECE);
    int64_t size = 0;
    long n;

    while ((n = c->io->read(c->io, piece, READ_PIECE)) > 0) {
        size += n;
        if (size > c->conf->max_image + AROUND)
            return err_set(err, ERR_FAILED, "the archive is larger than %lld MiB (max_image)", c->conf->max_image >> 20);
        if (fd_write_all(to, piece, (size_t) n, NULL) < 0)
            return 0;
    }
    if (n < 0)
        return err_set(err, ERR_DOWN, "the archive broke off; nothing was changed");
    if (size == 0)
        return err_set(err, ERR_USAGE, "standard input is empty; for example: docker save my/app:1.2 | ssh HOST git:load-image %s -",
                       c->app.name);
    return 0;
}

static int take(struct command_ctx *c, const char *wanted, struct reader *r, struct image_load *l, struct err *err)
{
    cleanup_free char *line = xasprintf("%s\n", wanted != NULL ? wanted : "");
    cleanup_close int in = -1, to = -1;
    struct spawn_result ended;
    char text[TEXT_MAX];

    if (reader_pipe(&in, &to, err) < 0
        || reader_start(r, c->conf, "image", in, l->fd, (uint64_t) c->conf->max_image + AROUND, err) < 0)
        return -1;
    fd_drop(&in);
    (void) fd_write_all(to, line, strlen(line), NULL);
    if (pass_on(c, to, err) < 0)
        return -1;
    fd_drop(&to);
    if (reader_wait(r, c, loop_now() + (uint64_t) c->conf->index_time, &ended, err) < 0)
        return -1;
    reader_text(r->result, text, sizeof(text));
    if (ended.signaled || (ended.code != 0 && text[0] == '\0'))
        return err_set(err, ERR_FAILED, "the archive can't be read: its reader ended by itself");
    if (ended.code != 0)
        return err_set(err, ended.code == ERR_USAGE ? ERR_USAGE : ERR_FAILED, "%s", text);
    l->name = xstrdup(text);
    return 0;
}

static json_t *config_read(int fd, const struct image_file *f, const json_t *manifest, struct err *err)
{
    const struct image_blob *b = image_file_find(f, json_str(manifest, "config.digest", ""));
    cleanup_free char *text = NULL;

    if (b == NULL || b->size > IMAGE_CONFIG_MAX) {
        (void) err_set(err, ERR_FAILED, "the image's file is damaged");
        return NULL;
    }
    text = xmalloc((size_t) b->size + 1);
    if (image_file_bytes(fd, b->offset, text, (size_t) b->size, err) < 0)
        return NULL;
    return json_parse(text, (size_t) b->size, "the image's configuration", err);
}

static int look(struct image_load *l, struct err *err)
{
    struct image_file f;
    json_t *manifest, *config;
    int rc = -1;

    if (image_file_read(l->fd, &f, err) < 0)
        return -1;
    digest_of(f.manifest, f.manifest_len, l->digest);
    manifest = json_parse(f.manifest, f.manifest_len, "the image's manifest", err);
    config = manifest != NULL ? config_read(l->fd, &f, manifest, err) : NULL;
    if (config != NULL)
        rc = image_any_processes(config, &l->processes, &l->warnings, err);
    l->architecture = xstrdup(json_str(config, "architecture", ""));
    l->layers = json_array_size(json_object_get(manifest, "layers"));
    for (size_t i = 0; i < f.n; i++)
        l->bytes += f.v[i].size;
    json_decref(config);
    json_decref(manifest);
    image_file_release(&f);
    return rc;
}

int image_load(struct command_ctx *c, const char *wanted, struct image_load *ret, struct err *err)
{
    struct image_load l = { .fd = -1, .warnings = VEC_INIT };
    struct reader r = READER_INIT;
    int rc = file_make(c->conf, &l, err);

    if (rc == 0)
        rc = take(c, wanted, &r, &l, err);
    reader_stop(&r);
    if (rc == 0)
        rc = look(&l, err);
    /* The row outlives a crash of the machine, so the bytes must, too. */
    if (rc == 0 && fsync(l.fd) < 0)
        rc = err_errno(err, "the server can't keep the image");
    if (rc < 0)
        image_load_release(&l);
    else
        *ret = l;
    return rc;
}

int image_load_keep(struct image_load *l, char **ret_name, struct err *err)
{
    size_t folder = (size_t) (strrchr(l->path, '/') + 1 - l->path);
    cleanup_free char *kept = xasprintf("%.*s%s", (int) folder, l->path, l->path + folder + strlen(IMAGE_FILE_INCOMING));

    if (link(l->path, kept) < 0)
        return err_errno(err, "the server can't keep the image");
    (void) unlink(l->path);
    free(l->path);
    l->path = NULL;
    *ret_name = xstrdup(kept + folder);
    return 0;
}
