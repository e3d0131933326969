#include "config.h"

#include "base/image_file.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX (1024 * 1024) /* 256 layers need 64 KiB, twice: in the manifest, too */
#define LENGTH_DIGITS 20        /* the table's length, the file's last bytes */

void image_file_release(struct image_file *f)
{
    free(f->manifest);
    free(f->v);
    memset(f, 0, sizeof(*f));
}

int image_file_end(int fd, const struct image_file *f, struct err *err)
{
    cleanup_buf struct buf b;
    json_t *blobs, *table;
    int rc;

    buf_init(&b, TABLE_MAX + LENGTH_DIGITS + 1);
    blobs = json_array();
    for (size_t i = 0; i < f->n; i++)
        (void) json_array_append_new(blobs, json_pack("{s:s, s:I, s:I}", "digest", f->v[i].digest, "offset",
                                                      (json_int_t) f->v[i].offset, "size", (json_int_t) f->v[i].size));
    table = json_pack("{s:s%, s:o}", "manifest", f->manifest, f->manifest_len, "blobs", blobs);
    rc = json_dump_buf(table, &b);
    json_decref(table);
    if (rc < 0 || buf_len(&b) > TABLE_MAX)
        return err_set(err, ERR_FAILED, "the image has too large a manifest");
    (void) buf_addf(&b, "%0*zu", LENGTH_DIGITS, buf_len(&b));
    return fd_write_all(fd, buf_str(&b), buf_len(&b), err);
}

int image_file_bytes(int fd, int64_t offset, void *ret, size_t n, struct err *err)
{
    size_t at = 0;

    while (at < n) {
        ssize_t got = pread(fd, (char *) ret + at, n - at, (off_t) (offset + (int64_t) at));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "the image's file can't be read");
        if (got == 0)
            return err_set(err, ERR_FAILED, "the image's file is cut off");
        at += (size_t) got;
    }
    return 0;
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_FAILED, "the image's file is damaged");
}

static int read_blobs(const json_t *table, int64_t end, struct image_file *f, struct err *err)
{
    const json_t *blobs = json_object_get(table, "blobs"), *b;
    size_t i;

    if (json_array_size(blobs) > IMAGE_LAYERS_MAX + 1)
        return damaged(err);
    f->v = xcalloc(json_array_size(blobs) + 1, sizeof(*f->v));
    json_array_foreach(blobs, i, b) {
        struct image_blob *x = &f->v[f->n++];
        const char *digest = json_str(b, "digest", "");

        x->offset = json_int(b, "offset", -1);
        x->size = json_int(b, "size", -1);
        if (!digest_valid(digest) || x->offset < 0 || x->size < 0 || x->offset > end || x->size > end - x->offset)
            return damaged(err);
        memcpy(x->digest, digest, DIGEST_SIZE);
    }
    return 0;
}

static int read_table(const char *text, size_t n, int64_t end, struct image_file *ret, struct err *err)
{
    struct image_file f = { .manifest = NULL };
    json_t *table = json_parse(text, n, "the table of the image's file", err);
    const json_t *manifest = json_object_get(table, "manifest");
    int rc;

    if (table == NULL)
        return -1;
    rc = json_is_string(manifest) ? read_blobs(table, end, &f, err) : damaged(err);
    if (rc == 0) {
        f.manifest_len = json_string_length(manifest);
        f.manifest = xstrndup(json_string_value(manifest), f.manifest_len);
        *ret = f;
    } else {
        image_file_release(&f);
    }
    json_decref(table);
    return rc;
}

int image_file_read(int fd, struct image_file *ret, struct err *err)
{
    int64_t size = lseek(fd, 0, SEEK_END), n;
    char digits[LENGTH_DIGITS + 1] = "";
    cleanup_free char *text = NULL;

    if (size < LENGTH_DIGITS)
        return damaged(err);
    if (image_file_bytes(fd, size - LENGTH_DIGITS, digits, LENGTH_DIGITS, err) < 0)
        return -1;
    n = strspn(digits, "0123456789") == LENGTH_DIGITS ? strtoll(digits, NULL, 10) : -1;
    if (n < 0 || n > TABLE_MAX || n > size - LENGTH_DIGITS)
        return damaged(err);
    text = xcalloc(1, (size_t) n + 1);
    if (image_file_bytes(fd, size - LENGTH_DIGITS - n, text, (size_t) n, err) < 0)
        return -1;
    return read_table(text, (size_t) n, size - LENGTH_DIGITS - n, ret, err);
}

const struct image_blob *image_file_find(const struct image_file *f, const char *digest)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->v[i].digest, digest) == 0)
            return &f->v[i];
    return NULL;
}
