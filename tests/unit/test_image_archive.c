/* docker save's archives become image files: what is written, and what is refused. */
#include "config.h"

#include "base/buf.h"
#include "base/image_file.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/image_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define LINK "link:" /* data that begins so is where a symbolic link leads */
#define HARD "hard:"

struct entry { const char *path, *data; size_t n; };

static int memory_file(void)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void add(struct archive *a, const struct entry *v)
{
    struct archive_entry *e = archive_entry_new();
    bool link = strncmp(v->data, LINK, 5) == 0, hard = strncmp(v->data, HARD, 5) == 0;

    archive_entry_set_pathname(e, v->path);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_filetype(e, link ? AE_IFLNK : strcmp(v->data, "fifo") == 0 ? AE_IFIFO : AE_IFREG);
    if (link)
        archive_entry_set_symlink(e, v->data + 5);
    else if (hard)
        archive_entry_set_hardlink(e, v->data + 5);
    else
        archive_entry_set_size(e, (int64_t) v->n);
    assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
    if (!link && !hard)
        (void) archive_write_data(a, v->data, v->n);
    archive_entry_free(e);
}

static int make(const struct entry *v, size_t n, bool gzip)
{
    int fd = memory_file();
    struct archive *a = archive_write_new();

    assert_int_equal(archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
    if (gzip)
        (void) archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++)
        add(a, &v[i]);
    (void) archive_write_free(a);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* --- an image of two layers, and its files */

struct image {
    char layers[2][64], ids[2][DIGEST_SIZE], config[512], config_digest[DIGEST_SIZE], config_path[128];
    char layer_paths[2][128], manifest[1024];
};

static void image_set(struct image *m, const char *os, const char *second_id)
{
    for (int i = 0; i < 2; i++) {
        (void) snprintf(m->layers[i], sizeof(m->layers[i]), "layer %d is what a tar would be", i);
        digest_of(m->layers[i], strlen(m->layers[i]), m->ids[i]);
    }
    (void) snprintf(m->config, sizeof(m->config), "{\"os\":\"%s\",\"architecture\":\"arm64\",\"config\":{\"Cmd\":[\"/web\"]},"
                    "\"rootfs\":{\"diff_ids\":[\"%s\",\"%s\"]}}", os, m->ids[0], second_id != NULL ? second_id : m->ids[1]);
    digest_of(m->config, strlen(m->config), m->config_digest);
}

static void image_docker(struct image *m)
{
    image_set(m, "linux", NULL);
    (void) snprintf(m->config_path, sizeof(m->config_path), "%s.json", m->config_digest + 7);
    (void) snprintf(m->layer_paths[0], sizeof(m->layer_paths[0]), "aaa/layer.tar");
    (void) snprintf(m->layer_paths[1], sizeof(m->layer_paths[1]), "bbb/layer.tar");
}

static void image_oci(struct image *m)
{
    image_set(m, "linux", NULL);
    (void) snprintf(m->config_path, sizeof(m->config_path), "blobs/sha256/%s", m->config_digest + 7);
    for (int i = 0; i < 2; i++)
        (void) snprintf(m->layer_paths[i], sizeof(m->layer_paths[i]), "blobs/sha256/%s", m->ids[i] + 7);
}

static const char *manifest(struct image *m)
{
    (void) snprintf(m->manifest, sizeof(m->manifest), "[{\"Config\":\"%s\",\"RepoTags\":[\"my/app:1.2\",\"my/app:latest\"],"
                    "\"Layers\":[\"%s\",\"%s\"]}]", m->config_path, m->layer_paths[0], m->layer_paths[1]);
    return m->manifest;
}

#define TEXT(path, text) { (path), (text), strlen(text) }
#define WHOLE(m) \
    { TEXT((m).layer_paths[0], (m).layers[0]), TEXT((m).layer_paths[1], (m).layers[1]), TEXT((m).config_path, (m).config), \
      TEXT("manifest.json", manifest(&(m))) }

static int convert(void **state, const struct entry *v, size_t n, const char *wanted, bool gzip, int out, char **ret_name,
                   struct err *err)
{
    cleanup_close int in = make(v, n, gzip);
    struct image_ref ref;

    if (wanted != NULL)
        assert_int_equal(image_ref_parse(wanted, &ref, err), 0);
    return image_archive_read(*state, wanted != NULL ? &ref : NULL, in, out, ret_name, err);
}

static void refused(void **state, const struct entry *v, size_t n, const char *wanted, const char *why)
{
    cleanup_close int out = memory_file();
    struct err err = ERR_INIT;
    char *name = NULL;

    assert_int_equal(convert(state, v, n, wanted, false, out, &name, &err), -1);
    assert_null(name);
    if (strstr(err.msg, why) == NULL)
        fail_msg("%s", err.msg);
}

static void blob_is(int fd, const struct image_file *f, const char *digest, const char *text)
{
    const struct image_blob *b = image_file_find(f, digest);
    char got[512] = "";

    assert_non_null(b);
    assert_int_equal(b->size, strlen(text));
    assert_int_equal(image_file_bytes(fd, b->offset, got, (size_t) b->size, NULL), 0);
    assert_string_equal(got, text);
}

static void is_image(void **state, const struct entry *v, size_t n, const struct image *m, const char *wanted, bool gzip)
{
    cleanup_close int out = memory_file();
    struct err err = ERR_INIT;
    struct image_file f;
    cleanup_free char *name = NULL, *text = NULL;

    if (convert(state, v, n, wanted, gzip, out, &name, &err) < 0 || image_file_read(out, &f, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(name, wanted != NULL ? wanted : "my/app:1.2");
    blob_is(out, &f, m->config_digest, m->config);
    blob_is(out, &f, m->ids[0], m->layers[0]);
    blob_is(out, &f, m->ids[1], m->layers[1]);
    text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
                     "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":["
                     "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu},"
                     "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
                     m->config_digest, strlen(m->config), m->ids[0], strlen(m->layers[0]), m->ids[1], strlen(m->layers[1]));
    assert_string_equal(f.manifest, text);
    image_file_release(&f);
}

static void layouts(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct image m;

        (i == 0 ? image_docker : image_oci)(&m);
        {
            const struct entry v[] = WHOLE(m);

            is_image(state, v, countof(v), &m, NULL, false);
            is_image(state, v, countof(v), &m, NULL, true);
            is_image(state, v, countof(v), &m, "my/app:latest", false);
            refused(state, v, countof(v), "my/app:2", "it has my/app:1.2, my/app:latest");
            refused(state, v, countof(v) - 1, NULL, "no manifest.json");
            refused(state, v + 1, countof(v) - 1, NULL, "is missing");
        }
    }
}

/* docker save wrote a layer that images share once, and links to it. */
static void links(void **state)
{
    struct image m;

    image_docker(&m);
    {
        const struct entry v[] = {
            TEXT("ccc/layer.tar", m.layers[0]), TEXT("aaa/layer.tar", LINK "../ddd/./layer.tar"),
            TEXT("ddd/layer.tar", LINK "..//ccc/layer.tar"), TEXT("eee", m.layers[1]), TEXT("bbb/layer.tar", HARD "eee"),
            TEXT(m.config_path, m.config), TEXT("manifest.json", manifest(&m)),
        };
        const struct entry out[] = { TEXT("aaa/layer.tar", LINK "../../etc/passwd") };
        const struct entry absolute[] = { TEXT("aaa/layer.tar", LINK "/etc/passwd") };
        const struct entry loop[] = {
            TEXT("aaa/layer.tar", LINK "../bbb/layer.tar"), TEXT("bbb/layer.tar", LINK "../aaa/layer.tar"),
            TEXT(m.config_path, m.config), TEXT("manifest.json", manifest(&m)),
        };

        is_image(state, v, countof(v), &m, NULL, false);
        refused(state, out, 1, NULL, "leaves the archive");
        refused(state, absolute, 1, NULL, "leaves the archive");
        refused(state, loop, countof(loop), NULL, "is missing");
    }
}

static size_t compressed(const char *text, const char *digest, bool zstd, char *ret, size_t size)
{
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    size_t n = 0;

    (void) digest;
    assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
    assert_int_equal(zstd ? archive_write_add_filter_zstd(a) : archive_write_add_filter_gzip(a), ARCHIVE_OK);
    assert_int_equal(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
    assert_int_equal(archive_write_open_memory(a, ret, size, &n), ARCHIVE_OK);
    archive_entry_set_filetype(e, AE_IFREG);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, text, strlen(text)), strlen(text));
    archive_entry_free(e);
    (void) archive_write_free(a);
    return n;
}

/* With containerd's image store layers are compressed; their ids are of what is inside. */
static void compressed_layers(void **state)
{
    static const char *const types[] = { "layer.v1.tar+gzip", "layer.v1.tar+zstd" };

    for (int zstd = 0; zstd < 2; zstd++) {
        cleanup_close int out = memory_file();
        cleanup_free char *name = NULL;
        struct err err = ERR_INIT;
        char data[1024], digest[DIGEST_SIZE];
        struct image m;
        struct image_file f;
        size_t n;

        image_oci(&m);
        n = compressed(m.layers[0], m.ids[0], zstd == 1, data, sizeof(data));
        digest_of(data, n, digest);
        (void) snprintf(m.layer_paths[0], sizeof(m.layer_paths[0]), "blobs/sha256/%s", digest + 7);
        {
            struct entry v[] = WHOLE(m);

            v[0] = (struct entry) { m.layer_paths[0], data, n };
            if (convert(state, v, countof(v), NULL, false, out, &name, &err) < 0 || image_file_read(out, &f, &err) < 0)
                fail_msg("%s", err.msg);
            assert_non_null(strstr(f.manifest, types[zstd]));
            assert_non_null(image_file_find(&f, digest));
            image_file_release(&f);
            image_set(&m, "linux", m.ids[0]); /* another image's configuration */
            digest_of(m.config, strlen(m.config), m.config_digest);
            (void) snprintf(m.config_path, sizeof(m.config_path), "x.json");
            {
                struct entry other[] = WHOLE(m);

                other[0] = v[0];
                refused(state, other, countof(other), NULL, "layer 2 is damaged");
            }
            data[n - 1] = (char) ~data[n - 1];
            data[n / 2] = (char) ~data[n / 2];
            (void) snprintf(m.layer_paths[0], sizeof(m.layer_paths[0]), "aaa/layer.tar");
            {
                struct entry broken[] = WHOLE(m);

                broken[0] = (struct entry) { m.layer_paths[0], data, n };
                refused(state, broken, countof(broken), NULL, "damaged");
            }
        }
    }
}

static void hostile(void **state)
{
    static const struct entry absolute[] = { TEXT("/etc/x", "x") }, up[] = { TEXT("a/../../x", "x") }, fifo[] = { { "a", "fifo", 0 } };
    static const struct entry none[] = { TEXT("a", "x") }, oci[] = { TEXT("oci-layout", "{}") };
    struct conf *c = *state;
    char many[1024];
    struct image m;

    refused(state, absolute, 1, NULL, "absolute path");
    refused(state, up, 1, NULL, "\"..\"");
    refused(state, fifo, 1, NULL, "neither a file");
    refused(state, none, 1, NULL, "no manifest.json");
    refused(state, oci, 1, NULL, "OCI layout");
    refused(state, none, 0, NULL, "no archive as docker save");
    image_docker(&m);
    {
        struct entry v[] = WHOLE(m);
        static const char *const wrong[] = {
            "", "{", "[]", "{}", "[7]", "[{}]", "[{\"Config\":\"x\"}]", "[{\"Config\":\"x\",\"Layers\":[7]}]", "[{\"Config\":7,\"Layers\":[\"x\"]}]",
            "[{\"Config\":\"../x\",\"Layers\":[\"x\"]}]", "[{\"Config\":\"manifest.json\",\"Layers\":[\"manifest.json\"]}]",
        };

        for (size_t i = 0; i < countof(wrong); i++) {
            v[3] = (struct entry) TEXT("manifest.json", wrong[i]);
            refused(state, v, countof(v), NULL, "");
        }
        v[3] = (struct entry) TEXT("manifest.json", manifest(&m));
        v[1] = (struct entry) TEXT(m.layer_paths[1], "another layer");
        refused(state, v, countof(v), NULL, "layer 2 is damaged");
        v[1] = (struct entry) TEXT(m.layer_paths[1], m.layers[1]);
        v[2] = (struct entry) TEXT(m.config_path, "{}");
        refused(state, v, countof(v), NULL, "another digest than its name");
        c->max_image = 100;
        v[2] = (struct entry) TEXT(m.config_path, m.config);
        refused(state, v, countof(v), NULL, "max_image");
        c->max_image = 1 << 20;
        (void) snprintf(many, sizeof(many), "[%.*s,{\"Config\":\"x\",\"RepoTags\":[\"b\\u001b[2J:1\"],\"Layers\":[\"x\"]}]",
                        (int) strlen(m.manifest) - 2, m.manifest + 1);
        v[3] = (struct entry) TEXT("manifest.json", many);
        refused(state, v, countof(v), NULL, "the archive has 2 images; say which one");
        refused(state, v, countof(v), NULL, "b?[2J:1");
        is_image(state, v, countof(v), &m, "my/app:1.2", false);
    }
    image_docker(&m);
    image_set(&m, "windows", NULL);
    (void) snprintf(m.config_path, sizeof(m.config_path), "x.json");
    {
        const struct entry v[] = WHOLE(m);

        refused(state, v, countof(v), NULL, "the image is for windows");
    }
}

/* The end of an archive that was cut off, anywhere. */
static void cut(void **state)
{
    struct image m;

    image_docker(&m);
    {
        const struct entry v[] = WHOLE(m);
        cleanup_close int whole = make(v, countof(v), false);
        char data[16384];
        ssize_t size = pread(whole, data, sizeof(data), 0);

        /* What is missing at the very end is padding. */
        for (ssize_t n = 0; n < size && n < 4 * 1024 + 512; n += 100) {
            cleanup_close int in = memory_file(), out = memory_file();
            cleanup_free char *name = NULL;
            struct err err = ERR_INIT;

            assert_int_equal(write(in, data, (size_t) n), n);
            assert_int_equal(lseek(in, 0, SEEK_SET), 0);
            if (image_archive_read(*state, NULL, in, out, &name, &err) == 0)
                assert_true(n >= 7 * 512);
        }
    }
}

/* --- image files */

static void damaged_files(void **state)
{
    static const char *const tables[] = {
        "", "x", "{}", "{\"manifest\":7}", "{\"manifest\":\"x\",\"blobs\":[{}]}",
        "{\"manifest\":\"x\",\"blobs\":[{\"digest\":\"sha256:00\",\"offset\":0,\"size\":0}]}",
        "{\"manifest\":\"x\",\"blobs\":[{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
        "\"offset\":0,\"size\":9}]}",
        "{\"manifest\":\"x\",\"blobs\":[{\"digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
        "\"offset\":-1,\"size\":1}]}",
    };

    (void) state;
    for (size_t i = 0; i < countof(tables); i++) {
        cleanup_close int fd = memory_file();
        cleanup_free char *text = xasprintf("%s%020zu", tables[i], strlen(tables[i]));
        struct image_file f;

        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(image_file_read(fd, &f, NULL), -1);
        assert_int_equal(ftruncate(fd, (off_t) strlen(text) - 1), 0);
        assert_int_equal(image_file_read(fd, &f, NULL), -1);
    }
}

static int setup(void **state)
{
    struct conf *c = xcalloc(1, sizeof(*c));

    (void) setlocale(LC_CTYPE, "C.UTF-8");
    json_init();
    c->max_depth = 10;
    c->max_image = 1 << 20;
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts), cmocka_unit_test(links), cmocka_unit_test(compressed_layers), cmocka_unit_test(hostile),
        cmocka_unit_test(cut), cmocka_unit_test(damaged_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
