#include "config.h"

#include "gateway/archive.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/archive_load.h"
#include "gateway/archive_path.h"
#include "gateway/gateway.h"
#include "gateway/policy.h"

#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_PIECE 65536
#define HEAD_MAX (2 * (4 * ARCHIVE_PATH_MAX + 64)) /* one command with two quoted paths */
#define LINK_MAX 4095                              /* PATH_MAX */
/* Folders are entries of their own, beside the files that max_files counts. */
#define ENTRIES_PER_FILE 2
#define ENTRIES_MIN 1000

struct reading {
    const struct conf *conf;
    int in, out;
    struct archive *archive;
    struct archive_entry *entry;
    struct buf path;          /* of the entry, cleaned */
    uint64_t entries, files, bytes;
    char *top;                /* the one folder at the top; NULL: not known yet */
    bool several;             /* there is no such folder */
    json_t *written;          /* paths of files that hard links may name */
    struct err *err;
};

/* The entry that is read. */
static int refuse(struct reading *r, const char *why)
{
    return archive_path_refuse(buf_str(&r->path), why, r->err);
}

static int begin(struct reading *r)
{
    if (archive_load(r->err) < 0)
        return -1;
    r->archive = libarchive.read_new();
    if (r->archive == NULL || lseek(r->in, 0, SEEK_SET) < 0)
        return err_set(r->err, ERR_FAILED, "the archive can't be read");
    if (libarchive.read_support_filter_gzip(r->archive) != ARCHIVE_OK ||
        libarchive.read_support_format_tar(r->archive) != ARCHIVE_OK ||
        libarchive.read_support_format_zip_seekable(r->archive) != ARCHIVE_OK)
        return archive_damaged(r->archive, r->err);
    if (libarchive.read_open_fd(r->archive, r->in, READ_PIECE) != ARCHIVE_OK)
        return err_set(r->err, ERR_FAILED, "standard input is no tar, tar.gz or zip archive");
    return 0;
}

static void end(struct reading *r)
{
    if (r->archive != NULL)
        (void) libarchive.read_free(r->archive);
    r->archive = NULL;
}

/* The next entry with a path: 1, 0 at the end, -1. */
static int next(struct reading *r)
{
    for (;;) {
        int rc = libarchive.read_next_header(r->archive, &r->entry);
        const char *path;

        if (rc == ARCHIVE_EOF)
            return 0;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return r->entries == 0 && libarchive.format(r->archive) == 0
                       ? err_set(r->err, ERR_FAILED, "standard input is no tar, tar.gz or zip archive")
                       : archive_damaged(r->archive, r->err);
        path = libarchive.entry_pathname(r->entry);
        if (path == NULL)
            return err_set(r->err, ERR_FAILED, "the archive has a name that isn't UTF-8");
        buf_clear(&r->path);
        if (archive_path_clean(path, r->conf->max_depth, &r->path, r->err) < 0)
            return -1;
        if (buf_len(&r->path) > 0)
            return 1;
    }
}

static const char *hard_link(struct reading *r)
{
    return libarchive.entry_hardlink(r->entry);
}

/* Is everything in one folder so far? */
static void note_top(struct reading *r)
{
    const char *path = buf_str(&r->path);
    size_t n = strcspn(path, "/");

    if (r->top == NULL)
        r->top = xstrndup(path, n);
    if ((path[n] == '\0' && libarchive.entry_filetype(r->entry) != AE_IFDIR) || strlen(r->top) != n
        || memcmp(r->top, path, n) != 0)
        r->several = true;
}

static int check_size(struct reading *r)
{
    int64_t size = libarchive.entry_size(r->entry);

    if (!libarchive.entry_size_is_set(r->entry) || size < 0)
        return refuse(r, "does not tell its size");
    if (size > r->conf->max_file)
        return err_set(r->err, ERR_FAILED, "a file of the archive is larger than %lld MiB (max_file)",
                       r->conf->max_file >> 20);
    r->bytes += (uint64_t) size;
    if (r->bytes > (uint64_t) r->conf->max_tree)
        return err_set(r->err, ERR_FAILED, "the files of the archive are larger than %lld MiB together (max_tree)",
                       r->conf->max_tree >> 20);
    return 0;
}

static int check_entry(struct reading *r)
{
    unsigned type = libarchive.entry_filetype(r->entry);

    if (++r->entries > (uint64_t) r->conf->max_files * ENTRIES_PER_FILE + ENTRIES_MIN)
        return err_set(r->err, ERR_FAILED, "the archive has too many entries (max_files)");
    if (hard_link(r) == NULL && type == AE_IFDIR)
        return 0;
    if (++r->files > (uint64_t) r->conf->max_files)
        return err_set(r->err, ERR_FAILED, "the archive has more than %lld files (max_files)", r->conf->max_files);
    if (libarchive.entry_is_encrypted(r->entry))
        return refuse(r, "is encrypted");
    if (hard_link(r) != NULL)
        return 0;
    if (type == AE_IFLNK)
        return libarchive.entry_symlink(r->entry) != NULL && strlen(libarchive.entry_symlink(r->entry)) <= LINK_MAX
                   ? 0 : refuse(r, "is a symbolic link with too long a target");
    if (type != AE_IFREG)
        return refuse(r, "is neither a file nor a folder nor a link");
    return check_size(r);
}

static int check_all(struct reading *r)
{
    int rc;

    if (begin(r) < 0)
        return -1;
    while ((rc = next(r)) == 1) {
        if (check_entry(r) < 0)
            return -1;
        note_top(r);
    }
    if (rc == 0 && r->files == 0)
        return err_set(r->err, ERR_FAILED, "the archive has no files");
    return rc;
}

/* The path without the folder that is left out; "" for that folder itself. */
static const char *stripped(const struct reading *r, const char *path)
{
    size_t n = r->several ? 0 : strlen(r->top);

    return n == 0 ? path : path[n] == '/' ? path + n + 1 : "";
}

static int put(struct reading *r, const void *data, size_t n)
{
    if (fd_write_all(r->out, data, n, r->err) == 0)
        return 0;
    r->err->code = ERR_DOWN;
    return -1;
}

static int put_head(struct reading *r, const char *mode, const char *path, int64_t size)
{
    cleanup_buf struct buf b;

    buf_init(&b, HEAD_MAX);
    (void) buf_addf(&b, "M %s inline ", mode);
    archive_path_quote(path, &b);
    (void) buf_addf(&b, "\ndata %lld\n", (long long) size);
    return put(r, buf_str(&b), buf_len(&b));
}

static int put_file(struct reading *r, const char *path)
{
    bool runs = (libarchive.entry_perm(r->entry) & 0111) != 0;
    int64_t size = libarchive.entry_size(r->entry), left = size;
    char piece[READ_PIECE];

    if (put_head(r, runs ? "100755" : "100644", path, size) < 0)
        return -1;
    while (left > 0) {
        ssize_t n = libarchive.read_data(r->archive, piece, left < READ_PIECE ? (size_t) left : READ_PIECE);

        if (n < 0)
            return archive_damaged(r->archive, r->err);
        if (n == 0)
            return refuse(r, "is shorter than the archive says");
        if (put(r, piece, (size_t) n) < 0)
            return -1;
        left -= n;
    }
    (void) json_object_set_new(r->written, path, json_true());
    return put(r, "\n", 1);
}

static int put_link(struct reading *r, const char *path)
{
    const char *target = libarchive.entry_symlink(r->entry), *slash = strrchr(path, '/');
    cleanup_free char *dir = xstrndup(path, slash != NULL ? (size_t) (slash - path) : 0);

    if (!policy_link_stays(dir, target))
        return refuse(r, "is a symbolic link that leaves the tree; put in what it points to instead");
    if (put_head(r, "120000", path, (int64_t) strlen(target)) < 0)
        return -1;
    return put(r, target, strlen(target)) < 0 ? -1 : put(r, "\n", 1);
}

/* A second name of a file that came before. */
static int put_copy(struct reading *r, const char *path)
{
    cleanup_buf struct buf from, b;
    const char *source;

    buf_init(&from, ARCHIVE_PATH_MAX);
    buf_init(&b, HEAD_MAX);
    if (archive_path_clean(hard_link(r), r->conf->max_depth, &from, r->err) < 0)
        return -1;
    source = stripped(r, buf_str(&from));
    if (json_object_get(r->written, source) == NULL)
        return refuse(r, "is a hard link to a file that the archive doesn't have");
    if (strcmp(source, path) == 0)
        return 0;
    (void) buf_addstr(&b, "C ");
    archive_path_quote(source, &b);
    (void) buf_addch(&b, ' ');
    archive_path_quote(path, &b);
    (void) buf_addch(&b, '\n');
    (void) json_object_set_new(r->written, path, json_true());
    return put(r, buf_str(&b), buf_len(&b));
}

static int write_all(struct reading *r)
{
    int rc;

    if (begin(r) < 0)
        return -1;
    r->entries = 1; /* it is known to be an archive */
    while ((rc = next(r)) == 1) {
        const char *path = stripped(r, buf_str(&r->path));
        unsigned type = libarchive.entry_filetype(r->entry);

        if (path[0] == '\0')
            continue;
        if (hard_link(r) != NULL)
            rc = put_copy(r, path);
        else if (type == AE_IFLNK)
            rc = put_link(r, path);
        else if (type == AE_IFREG)
            rc = put_file(r, path);
        if (rc < 0)
            break;
    }
    return rc < 0 ? -1 : 0;
}

int archive_write(const struct conf *c, int in, int out, struct err *err)
{
    struct reading r = { .conf = c, .in = in, .out = out, .written = json_object(), .err = err };
    int rc;

    buf_init(&r.path, ARCHIVE_PATH_MAX);
    rc = check_all(&r);
    end(&r);
    if (rc == 0)
        rc = write_all(&r);
    end(&r);
    buf_release(&r.path);
    json_decref(r.written);
    free(r.top);
    return rc;
}

int archive_main(const struct conf *c, int result_fd)
{
    struct err err = ERR_INIT;

    (void) setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive gives names in the locale's encoding */
    if (archive_write(c, STDIN_FILENO, STDOUT_FILENO, &err) == 0)
        return 0;
    (void) fd_write_all(result_fd, err.msg, strlen(err.msg), NULL);
    return (int) err.code;
}
