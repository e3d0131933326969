/* Archives become git fast-import's commands: what is written, and what is refused. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/archive.h"
#include "gateway/archive_path.h"

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

/* --- paths */

static void path_is(const char *path, const char *wanted)
{
    struct err err = ERR_INIT;
    cleanup_buf struct buf b;

    buf_init(&b, ARCHIVE_PATH_MAX);
    if (archive_path_clean(path, 3, &b, &err) < 0)
        fail_msg("%s: %s", path, err.msg);
    assert_string_equal(buf_str(&b), wanted);
}

static void path_refused(const char *path, const char *why)
{
    struct err err = ERR_INIT;
    cleanup_buf struct buf b;

    buf_init(&b, ARCHIVE_PATH_MAX);
    assert_int_equal(archive_path_clean(path, 3, &b, &err), -1);
    if (strstr(err.msg, why) == NULL)
        fail_msg("%s: %s", path, err.msg);
}

static void paths(void **state)
{
    char longest[300];

    (void) state;
    path_is("a", "a");
    path_is("./a//b/./c/", "a/b/c");
    path_is("./", "");
    path_is("a/b/c/d", "a/b/c/d");
    path_is("..a/b..", "..a/b..");
    path_refused("/etc/passwd", "absolute");
    path_refused("a/../../b", "\"..\"");
    path_refused("..", "\"..\"");
    path_refused("a/.git/config", "repository's own folder");
    path_refused(".GIT", "repository's own folder");
    path_refused("a/b/c/d/e", "max_depth");
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    path_refused(longest, "too long a path");
    path_refused("a\nb/..", "a?b");
}

static void quoted(void **state)
{
    cleanup_buf struct buf b;

    buf_init(&b, 100);
    (void) state;
    archive_path_quote("a\"b\\c\nd\xc3\xa4", &b);
    assert_string_equal(buf_str(&b), "\"a\\\"b\\\\c\\012d\xc3\xa4\"");
}

/* --- archives */

struct entry { const char *path; unsigned type, perm; const char *data; const char *hard; int64_t size; };

static int memory_file(void)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int make(const struct entry *v, bool zip)
{
    int fd = memory_file();
    struct archive *a = archive_write_new();

    assert_int_equal(zip ? archive_write_set_format_zip(a) : archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
    if (!zip)
        (void) archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
    for (; v->path != NULL; v++) {
        struct archive_entry *e = archive_entry_new();

        archive_entry_set_pathname(e, v->path);
        archive_entry_set_filetype(e, v->type);
        archive_entry_set_perm(e, (__LA_MODE_T) v->perm);
        if (v->hard != NULL)
            archive_entry_set_hardlink(e, v->hard);
        else if (v->type == AE_IFLNK)
            archive_entry_set_symlink(e, v->data);
        else if (v->type == AE_IFREG)
            archive_entry_set_size(e, v->size != 0 ? v->size : (int64_t) strlen(v->data));
        assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
        if (v->type == AE_IFREG && v->hard == NULL)
            (void) archive_write_data(a, v->data, strlen(v->data));
        archive_entry_free(e);
    }
    (void) archive_write_free(a);
    return fd;
}

static char *convert_fd(const struct conf *c, int in, struct err *err)
{
    cleanup_close int out = memory_file();
    char *text;
    off_t n;

    if (archive_write(c, in, out, err) < 0)
        return NULL;
    n = lseek(out, 0, SEEK_END);
    text = xcalloc(1, (size_t) n + 1);
    assert_int_equal(pread(out, text, (size_t) n, 0), n);
    return text;
}

static void written(void **state, const struct entry *v, const char *wanted)
{
    for (int zip = 0; zip < 2; zip++) {
        struct err err = ERR_INIT;
        cleanup_close int in = make(v, zip == 1);
        cleanup_free char *text = convert_fd(*state, in, &err);

        if (text == NULL)
            fail_msg("%s", err.msg);
        assert_string_equal(text, wanted);
    }
}

static void refused(void **state, const struct entry *v, bool zip, const char *why)
{
    struct err err = ERR_INIT;
    cleanup_close int in = make(v, zip);
    cleanup_free char *text = convert_fd(*state, in, &err);

    assert_null(text);
    if (strstr(err.msg, why) == NULL)
        fail_msg("%s", err.msg);
}

static void plain(void **state)
{
    static const struct entry v[] = {
        { "Procfile", AE_IFREG, 0644, "web: x\n", NULL, 0 },
        { "bin", AE_IFDIR, 0755, NULL, NULL, 0 },
        { "bin/run", AE_IFREG, 0755, "#!", NULL, 0 },
        { "bin/link", AE_IFLNK, 0777, "../Procfile", NULL, 0 },
        { "\xc3\xa4", AE_IFREG, 0600, "", NULL, 0 },
        { NULL },
    };

    written(state, v, "M 100644 inline \"Procfile\"\ndata 7\nweb: x\n\n"
                      "M 100755 inline \"bin/run\"\ndata 2\n#!\n"
                      "M 120000 inline \"bin/link\"\ndata 11\n../Procfile\n"
                      "M 100644 inline \"\xc3\xa4\"\ndata 0\n\n");
}

static void one_folder(void **state)
{
    static const struct entry v[] = {
        { "shop-1.0", AE_IFDIR, 0755, NULL, NULL, 0 },
        { "shop-1.0/a/b", AE_IFREG, 0644, "x", NULL, 0 },
        { NULL },
    };
    static const struct entry file[] = { { "only", AE_IFREG, 0644, "x", NULL, 0 }, { NULL } };
    static const struct entry leaves[] = {
        { "top/f", AE_IFREG, 0644, "x", NULL, 0 },
        { "top/link", AE_IFLNK, 0777, "../top/f", NULL, 0 },
        { NULL },
    };

    written(state, v, "M 100644 inline \"a/b\"\ndata 1\nx\n");
    written(state, file, "M 100644 inline \"only\"\ndata 1\nx\n");
    refused(state, leaves, false, "leaves the tree");
}

static void hard_links(void **state)
{
    static const struct entry v[] = {
        { "t/a", AE_IFREG, 0644, "x", NULL, 0 },
        { "t/b", AE_IFREG, 0644, NULL, "t/a", 0 },
        { NULL },
    };
    static const struct entry missing[] = { { "b", AE_IFREG, 0644, NULL, "etc/passwd", 0 }, { NULL } };
    struct err err = ERR_INIT;
    cleanup_close int in = make(v, false);
    cleanup_free char *text = convert_fd(*state, in, &err);

    assert_non_null(text);
    assert_string_equal(text, "M 100644 inline \"a\"\ndata 1\nx\nC \"a\" \"b\"\n");
    refused(state, missing, false, "doesn't have");
}

static void hostile(void **state)
{
    static const struct entry absolute[] = { { "/etc/x", AE_IFREG, 0644, "x", NULL, 0 }, { NULL } };
    static const struct entry up[] = { { "a/../../x", AE_IFREG, 0644, "x", NULL, 0 }, { NULL } };
    static const struct entry git[] = { { "a/.Git/hooks/x", AE_IFREG, 0755, "x", NULL, 0 }, { NULL } };
    static const struct entry out[] = { { "a", AE_IFLNK, 0777, "../x", NULL, 0 }, { "b", AE_IFREG, 0644, "", NULL, 0 },
                                        { NULL } };
    static const struct entry device[] = { { "null", AE_IFCHR, 0666, NULL, NULL, 0 }, { NULL } };
    static const struct entry fifo[] = { { "fifo", AE_IFIFO, 0666, NULL, NULL, 0 }, { NULL } };
    static const struct entry large[] = { { "x", AE_IFREG, 0644, "x", NULL, 2000000 }, { NULL } };
    static const struct entry many[] = {
        { "a", AE_IFREG, 0644, "x", NULL, 0 }, { "b", AE_IFREG, 0644, "x", NULL, 0 },
        { "c", AE_IFREG, 0644, "x", NULL, 0 }, { "d", AE_IFREG, 0644, "x", NULL, 0 },
        { "e", AE_IFREG, 0644, "x", NULL, 0 }, { "f", AE_IFREG, 0644, "x", NULL, 0 }, { NULL },
    };
    static const struct entry heavy[] = { { "a", AE_IFREG, 0644, "x", NULL, 900000 },
                                          { "b", AE_IFREG, 0644, "x", NULL, 900000 }, { NULL } };
    static const struct entry none[] = { { "a", AE_IFDIR, 0755, NULL, NULL, 0 }, { NULL } };

    for (int zip = 0; zip < 2; zip++) {
        refused(state, absolute, zip == 1, "absolute");
        refused(state, up, zip == 1, "\"..\"");
        refused(state, git, zip == 1, "repository's own folder");
        refused(state, out, zip == 1, "leaves the tree");
        refused(state, many, zip == 1, "more than 5 files");
        refused(state, none, zip == 1, "no files");
    }
    refused(state, device, false, "neither a file");
    refused(state, fifo, false, "neither a file");
    refused(state, large, false, "max_file");
    refused(state, heavy, false, "max_tree");
}

static void no_archive(void **state)
{
    static const struct entry v[] = { { "a", AE_IFREG, 0644, "0123456789", NULL, 0 }, { NULL } };
    static const char text[] = "PK is not enough to be an archive of any kind, and neither is a long text like this one";
    struct err err = ERR_INIT;
    cleanup_close int fd = memory_file(), zip = make(v, true);

    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    assert_null(convert_fd(*state, fd, &err));
    assert_string_equal(err.msg, "standard input is no tar, tar.gz or zip archive");
    assert_int_equal(ftruncate(zip, 60), 0);
    assert_null(convert_fd(*state, zip, &err));
}

static int setup(void **state)
{
    struct conf *c = xcalloc(1, sizeof(*c));

    (void) setlocale(LC_CTYPE, "C.UTF-8");
    c->max_files = 5;
    c->max_depth = 10;
    c->max_file = 1000000;
    c->max_tree = 1500000;
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
        cmocka_unit_test(paths), cmocka_unit_test(quoted), cmocka_unit_test(plain), cmocka_unit_test(one_folder),
        cmocka_unit_test(hard_links), cmocka_unit_test(hostile), cmocka_unit_test(no_archive),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
