#include "config.h"

#include "gateway/image_archive.h"

#include "base/image_file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/archive_load.h"
#include "gateway/archive_path.h"
#include "gateway/gateway.h"
#include "gateway/image_manifest.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_PIECE (256 * 1024)
#define ENTRIES_MAX 20000              /* a layer has four; an archive may have many images */
#define LINKS_MAX 8                    /* links that lead to links */
#define MANIFEST_MAX (4 * 1024 * 1024) /* of manifest.json: names, and a path for each layer */

struct file { char digest[DIGEST_SIZE]; int64_t offset, size; };

struct reading {
    const struct conf *conf;
    int in, out;
    struct archive *archive;
    struct archive_entry *entry;
    struct buf path;          /* of the entry, cleaned */
    size_t entries;
    int64_t written;
    struct file *files;
    size_t n_files;
    json_t *names;            /* path → a file's number, or the path that a link leads to */
    struct err *err;
};

static int too_large(struct reading *r)
{
    return err_set(r->err, ERR_FAILED, "the archive's files are larger than %lld MiB together (max_image)",
                   r->conf->max_image >> 20);
}

static int no_archive(struct reading *r)
{
    return err_set(r->err, ERR_FAILED, "standard input is no archive as docker save writes it (tar or tar.gz)");
}

static int begin(struct reading *r)
{
    if (archive_load(r->err) < 0)
        return -1;
    r->archive = libarchive.read_new();
    if (r->archive == NULL)
        return err_set(r->err, ERR_FAILED, "the archive can't be read");
    if (libarchive.read_support_filter_gzip(r->archive) != ARCHIVE_OK ||
        libarchive.read_support_format_tar(r->archive) != ARCHIVE_OK)
        return archive_damaged(r->archive, r->err);
    return libarchive.read_open_fd(r->archive, r->in, READ_PIECE) == ARCHIVE_OK ? 0 : no_archive(r);
}

static void end(struct reading *r)
{
    if (r->archive != NULL)
        (void) libarchive.read_free(r->archive);
    r->archive = NULL;
}

/* --- the entries */

static int put_file(struct reading *r)
{
    cleanup_free char *piece = xmalloc(READ_PIECE);
    struct file f = { .offset = r->written };
    struct digest d;
    ssize_t n;

    digest_init(&d);
    while ((n = libarchive.read_data(r->archive, piece, READ_PIECE)) > 0) {
        if (n > r->conf->max_image - r->written)
            return too_large(r);
        digest_add(&d, piece, (size_t) n);
        if (fd_write_all(r->out, piece, (size_t) n, r->err) < 0)
            return err_wrap(r->err, "the server can't keep the image");
        r->written += n;
    }
    if (n < 0)
        return archive_damaged(r->archive, r->err);
    digest_text(&d, f.digest);
    f.size = r->written - f.offset;
    (void) json_object_set_new(r->names, buf_str(&r->path), json_integer((json_int_t) r->n_files));
    r->files = xrealloc_n(r->files, r->n_files + 1, sizeof(*r->files));
    r->files[r->n_files++] = f;
    return 0;
}

/* Where a link leads: a hard link from the archive's top, a symbolic one from its own folder. */
static int put_link(struct reading *r, const char *target, bool symbolic)
{
    const char *path = buf_str(&r->path), *slash = symbolic ? strrchr(path, '/') : NULL;
    cleanup_buf struct buf b;

    buf_init(&b, ARCHIVE_PATH_MAX);
    if (target == NULL || target[0] == '/')
        return archive_path_refuse(path, "is a link that leaves the archive", r->err);
    if (slash != NULL)
        (void) buf_addf(&b, "%.*s", (int) (slash - path), path);
    for (const char *p = target; *p != '\0'; p += *p == '/') {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            const char *last = strrchr(buf_str(&b), '/');

            if (buf_len(&b) == 0)
                return archive_path_refuse(path, "is a link that leaves the archive", r->err);
            buf_truncate(&b, last != NULL ? (size_t) (last - buf_str(&b)) : 0);
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            (void) buf_addf(&b, "%s%.*s", buf_len(&b) > 0 ? "/" : "", (int) n, p);
        }
        p += n;
    }
    if (b.overflow)
        return archive_path_refuse(path, "is a link with too long a target", r->err);
    (void) json_object_set_new(r->names, path, json_string(buf_str(&b)));
    return 0;
}

static int put_entry(struct reading *r)
{
    const char *path = libarchive.entry_pathname(r->entry);
    unsigned type = libarchive.entry_filetype(r->entry);

    if (path == NULL)
        return err_set(r->err, ERR_FAILED, "the archive has a name that isn't UTF-8");
    if (++r->entries > ENTRIES_MAX)
        return err_set(r->err, ERR_FAILED, "the archive has more than %d entries", ENTRIES_MAX);
    buf_clear(&r->path);
    if (archive_path_clean(path, r->conf->max_depth, &r->path, r->err) < 0)
        return -1;
    if (libarchive.entry_hardlink(r->entry) != NULL)
        return put_link(r, libarchive.entry_hardlink(r->entry), false);
    if (type == AE_IFDIR)
        return 0;
    if (type == AE_IFLNK)
        return put_link(r, libarchive.entry_symlink(r->entry), true);
    return type == AE_IFREG ? put_file(r) : archive_path_refuse(buf_str(&r->path), "is neither a file nor a folder nor a link", r->err);
}

static int put_all(struct reading *r)
{
    for (;;) {
        int rc = libarchive.read_next_header(r->archive, &r->entry);

        if (rc == ARCHIVE_EOF)
            return r->entries > 0 ? 0 : no_archive(r);
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return r->entries == 0 && libarchive.format(r->archive) == 0 ? no_archive(r) : archive_damaged(r->archive, r->err);
        if (put_entry(r) < 0)
            return -1;
    }
}

/* What follows the archive's end is padding; who sends it is not to be told that nobody reads. */
static int read_away(struct reading *r)
{
    cleanup_free char *piece = xmalloc(READ_PIECE);
    ssize_t n;

    while ((n = read(r->in, piece, READ_PIECE)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_errno(r->err, "the archive can't be read");
    }
    return 0;
}

/* --- the image */

/* The file with this path, links followed; NULL where there is none. */
static const struct file *find(struct reading *r, const char *path)
{
    cleanup_buf struct buf clean;
    const json_t *x;

    buf_init(&clean, ARCHIVE_PATH_MAX);
    if (archive_path_clean(path, r->conf->max_depth, &clean, NULL) < 0)
        return NULL;
    x = json_object_get(r->names, buf_str(&clean));
    for (int i = 0; json_is_string(x) && i < LINKS_MAX; i++)
        x = json_object_get(r->names, json_string_value(x));
    return json_is_integer(x) ? &r->files[json_integer_value(x)] : NULL;
}

/* "blobs/sha256/HEX" and "HEX.json" say what digest the file has. */
static bool named_rightly(const char *path, const struct file *f)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t n = strspn(name, "0123456789abcdef");

    return n != 64 || (name[n] != '\0' && strcmp(name + n, ".json") != 0) || strncmp(name, f->digest + 7, n) == 0;
}

static const struct file *find_named(struct reading *r, const char *path)
{
    const struct file *f = find(r, path);

    if (f == NULL)
        (void) archive_path_refuse(path, "is missing; was it cut off?", r->err);
    else if (!named_rightly(path, f))
        (void) archive_path_refuse(path, "is damaged: it has another digest than its name says", r->err);
    else
        return f;
    return NULL;
}

static json_t *read_json(struct reading *r, const struct file *f, int64_t max, const char *what)
{
    cleanup_free char *text = NULL;

    if (f->size > max) {
        (void) err_set(r->err, ERR_FAILED, "%s is larger than %lld MiB", what, (long long) max >> 20);
        return NULL;
    }
    text = xmalloc((size_t) f->size + 1);
    if (image_file_bytes(r->out, f->offset, text, (size_t) f->size, r->err) < 0)
        return NULL;
    return json_parse(text, (size_t) f->size, what, r->err);
}

static enum layer_kind layer_kind(const unsigned char *magic, size_t n)
{
    static const unsigned char gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };

    if (n >= sizeof(gzip) && memcmp(magic, gzip, sizeof(gzip)) == 0)
        return LAYER_GZIP;
    return n >= sizeof(zstd) && memcmp(magic, zstd, sizeof(zstd)) == 0 ? LAYER_ZSTD : LAYER_TAR;
}

/* A file within the image file, as libarchive reads it. */
struct part { struct reading *r; int64_t at, left; char *piece; };

static la_ssize_t part_read(struct archive *a, void *arg, const void **ret)
{
    struct part *p = arg;
    size_t n = p->left < READ_PIECE ? (size_t) p->left : READ_PIECE;

    (void) a;
    *ret = p->piece;
    if (image_file_bytes(p->r->out, p->at, p->piece, n, p->r->err) < 0)
        return -1;
    p->at += (int64_t) n;
    p->left -= (int64_t) n;
    return (la_ssize_t) n;
}

static int unpacked_digest(struct reading *r, struct archive *a, struct part *p, enum layer_kind kind, char ret[DIGEST_SIZE])
{
    __typeof__(libarchive.read_support_filter_gzip) filter =
        kind == LAYER_GZIP ? libarchive.read_support_filter_gzip : libarchive.read_support_filter_zstd;
    cleanup_free char *piece = xmalloc(READ_PIECE);
    struct archive_entry *e;
    int64_t total = 0;
    struct digest d;
    la_ssize_t n;

    if (libarchive.read_support_format_raw(a) != ARCHIVE_OK || filter(a) != ARCHIVE_OK
        || libarchive.read_open(a, p, NULL, part_read, NULL) != ARCHIVE_OK
        || libarchive.read_next_header(a, &e) != ARCHIVE_OK)
        return -1;
    digest_init(&d);
    while ((n = libarchive.read_data(a, piece, READ_PIECE)) > 0) {
        if (n > r->conf->max_image - total)
            return too_large(r);
        total += n;
        digest_add(&d, piece, (size_t) n);
    }
    digest_text(&d, ret);
    return n < 0 ? -1 : 0;
}

/* The digest of the tar in a layer that is compressed. */
static int unpack(struct reading *r, const struct file *f, enum layer_kind kind, char ret[DIGEST_SIZE])
{
    struct part p = { .r = r, .at = f->offset, .left = f->size, .piece = xmalloc(READ_PIECE) };
    struct archive *a = libarchive.read_new();
    int rc = a != NULL ? unpacked_digest(r, a, &p, kind, ret) : -1;

    if (rc < 0 && r->err->code == ERR_NONE)
        (void) err_set(r->err, ERR_FAILED, "a compressed layer of the image is damaged");
    if (a != NULL)
        (void) libarchive.read_free(a);
    free(p.piece);
    return rc;
}

static int read_layer(struct reading *r, const char *path, struct image_layer *ret, const struct file **ret_file)
{
    const struct file *f = find_named(r, path);
    unsigned char magic[4] = { 0 };
    size_t n = sizeof(magic);

    if (f == NULL)
        return -1;
    n = f->size < (int64_t) n ? (size_t) f->size : n;
    if (image_file_bytes(r->out, f->offset, magic, n, r->err) < 0)
        return -1;
    ret->kind = layer_kind(magic, n);
    ret->size = f->size;
    memcpy(ret->digest, f->digest, DIGEST_SIZE);
    memcpy(ret->diff_id, f->digest, DIGEST_SIZE);
    *ret_file = f;
    return ret->kind == LAYER_TAR ? 0 : unpack(r, f, ret->kind, ret->diff_id);
}

static void add_blob(struct image_file *t, const struct file *f)
{
    struct image_blob b = { .offset = f->offset, .size = f->size };

    memcpy(b.digest, f->digest, DIGEST_SIZE);
    if (image_file_find(t, b.digest) == NULL)
        t->v[t->n++] = b;
}

static int write_table(struct reading *r, const struct image_entry *e, struct image_layer *layers, struct image_file *t)
{
    const struct file *config = find_named(r, e->config), *f;
    json_t *doc;
    int rc;

    if (config == NULL)
        return -1;
    doc = read_json(r, config, IMAGE_CONFIG_MAX, "the image's configuration");
    if (doc == NULL)
        return -1;
    add_blob(t, config);
    rc = 0;
    for (size_t i = 0; i < e->layers.n && rc == 0; i++) {
        rc = read_layer(r, e->layers.v[i], &layers[i], &f);
        if (rc == 0)
            add_blob(t, f);
    }
    if (rc == 0)
        rc = image_config_check(doc, layers, e->layers.n, r->err);
    json_decref(doc);
    if (rc < 0)
        return -1;
    t->manifest = image_manifest_text(config->digest, config->size, layers, e->layers.n);
    t->manifest_len = strlen(t->manifest);
    return image_file_end(r->out, t, r->err);
}

static int find_image(struct reading *r, const struct image_ref *wanted, struct image_entry *ret)
{
    const struct file *f = find(r, "manifest.json");
    json_t *doc;
    int rc;

    if (f == NULL && find(r, "oci-layout") != NULL)
        return err_set(r->err, ERR_FAILED, "the archive is an OCI layout without docker's manifest.json; write it with docker "
                       "save, or copy it with: skopeo copy oci-archive:FILE docker-archive:/dev/stdout");
    if (f == NULL)
        return err_set(r->err, ERR_FAILED, "the archive has no manifest.json: it was cut off, or docker save didn't write it");
    doc = read_json(r, f, MANIFEST_MAX, "the archive's manifest.json");
    if (doc == NULL)
        return -1;
    rc = image_entry_choose(doc, wanted, ret, r->err);
    json_decref(doc);
    return rc;
}

static int make(struct reading *r, const struct image_ref *wanted, char **ret_name)
{
    struct image_layer *layers;
    struct image_file t = { .manifest = NULL };
    struct image_entry e;
    int rc;

    if (find_image(r, wanted, &e) < 0)
        return -1;
    layers = xcalloc(e.layers.n, sizeof(*layers));
    t.v = xcalloc(e.layers.n + 1, sizeof(*t.v));
    rc = write_table(r, &e, layers, &t);
    if (rc == 0)
        *ret_name = steal_ptr(e.name);
    free(layers);
    image_file_release(&t);
    image_entry_release(&e);
    return rc;
}

int image_archive_read(const struct conf *c, const struct image_ref *wanted, int in, int out, char **ret_name,
                       struct err *err)
{
    struct reading r = { .conf = c, .in = in, .out = out, .names = json_object(), .err = err };
    int rc;

    buf_init(&r.path, ARCHIVE_PATH_MAX);
    rc = begin(&r);
    if (rc == 0)
        rc = put_all(&r);
    end(&r);
    if (rc == 0)
        rc = read_away(&r);
    if (rc == 0)
        rc = make(&r, wanted, ret_name);
    buf_release(&r.path);
    json_decref(r.names);
    free(r.files);
    return rc;
}

/* The line in front of the archive: the name that is asked for, or nothing. */
static int read_wanted(int in, char *ret, size_t size, struct err *err)
{
    size_t n = 0;

    while (n < size && read(in, ret + n, 1) == 1 && ret[n] != '\n')
        n++;
    if (n == size || ret[n] != '\n')
        return err_set(err, ERR_FAILED, "the archive can't be read");
    ret[n] = '\0';
    return 0;
}

int image_archive_main(const struct conf *c, int result_fd)
{
    char wanted[IMAGE_NAME_MAX + IMAGE_TAG_MAX + 2] = "";
    cleanup_free char *name = NULL;
    struct err err = ERR_INIT;
    struct image_ref ref;
    int rc;

    (void) setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive gives names in the locale's encoding */
    rc = read_wanted(STDIN_FILENO, wanted, sizeof(wanted), &err);
    if (rc == 0 && wanted[0] != '\0')
        rc = image_ref_parse(wanted, &ref, &err);
    if (rc == 0)
        rc = image_archive_read(c, wanted[0] != '\0' ? &ref : NULL, STDIN_FILENO, STDOUT_FILENO, &name, &err);
    (void) fd_write_all(result_fd, rc == 0 ? name : err.msg, strlen(rc == 0 ? name : err.msg), NULL);
    return rc == 0 ? 0 : (int) err.code;
}
