#include "config.h"

#include "builder/tree.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

#include <git2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* A repository of its own; trees are written byte by byte, so that they can hold what git refuses. */
struct repo {
    char path[64], dest[80];
    git_odb *odb;
    git_oid blob, link;
};

static const struct tree_limits wide = { 100000, 1 << 30, 1 << 28, 200 };

static git_oid put(struct repo *r, git_object_t type, const void *data, size_t n)
{
    git_oid id;

    assert_int_equal(git_odb_write(&id, r->odb, data, n, type), 0);
    return id;
}

static void add(struct buf *tree, const char *mode, const char *name, const git_oid *id)
{
    assert_int_equal(buf_addf(tree, "%s %s", mode, name), 0);
    assert_int_equal(buf_addch(tree, '\0'), 0);
    assert_int_equal(buf_add(tree, id->id, GIT_OID_RAWSZ), 0);
}

static git_oid done(struct repo *r, struct buf *tree)
{
    git_oid id = put(r, GIT_OBJECT_TREE, buf_str(tree), buf_len(tree));

    buf_release(tree);
    return id;
}

static git_oid one(struct repo *r, const char *mode, const char *name, const git_oid *id)
{
    struct buf tree;

    buf_init(&tree, 1 << 20);
    add(&tree, mode, name, id);
    return done(r, &tree);
}

static int setup(void **state)
{
    struct repo *r = xcalloc(1, sizeof(*r));
    git_repository *repo;

    (void) snprintf(r->path, sizeof(r->path), "/tmp/slipway-tree-XXXXXX");
    assert_non_null(mkdtemp(r->path));
    (void) snprintf(r->dest, sizeof(r->dest), "%s/out", r->path);
    assert_int_equal(git_libgit2_init() > 0, 1);
    /* The trees of this test are what the export must refuse. */
    assert_int_equal(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0), 0);
    assert_int_equal(git_repository_init(&repo, r->path, 1), 0);
    assert_int_equal(git_repository_odb(&r->odb, repo), 0);
    git_repository_free(repo);
    r->blob = put(r, GIT_OBJECT_BLOB, "hello", 5);
    r->link = put(r, GIT_OBJECT_BLOB, "../../outside", 13);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct repo *r = *state;

    git_odb_free(r->odb);
    (void) git_libgit2_shutdown();
    (void) path_remove_all(r->path, NULL);
    free(r);
    return 0;
}

static int export_to(struct repo *r, const git_oid *id, const struct tree_limits *l, struct tree_stats *ret,
                     struct err *err)
{
    char hex[GIT_OID_HEXSZ + 1];

    assert_int_equal(path_remove_all(r->dest, NULL), 0);
    assert_int_equal(path_mkdir(r->dest, 0755, NULL), 0);
    (void) git_oid_tostr(hex, sizeof(hex), id);
    return tree_export(r->path, hex, r->dest, l, NULL, NULL, ret, err);
}

static void refused(struct repo *r, const git_oid *id, const char *why)
{
    struct err err = ERR_INIT;
    struct tree_stats stats;

    assert_int_equal(export_to(r, id, &wide, &stats, &err), -1);
    if (strstr(err.msg, why) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", why, err.msg);
}

static void stat_of(struct repo *r, const char *name, struct stat *ret)
{
    cleanup_free char *path = xasprintf("%s/%s", r->dest, name);

    assert_int_equal(lstat(path, ret), 0);
}

static void test_plain(void **state)
{
    struct repo *r = *state;
    struct err err = ERR_INIT;
    struct tree_stats stats;
    cleanup_free char *path = xasprintf("%s/sub/run", r->dest), *link = xasprintf("%s/z", r->dest);
    char target[64] = "";
    struct stat st;
    struct buf sub, top, text;
    git_oid id;
    mode_t mask = umask(077);

    buf_init(&sub, 4096);
    add(&sub, "100755", "run", &r->blob);
    id = done(r, &sub);
    buf_init(&top, 4096);
    add(&top, "100644", "a file", &r->blob);
    add(&top, "40000", "sub", &id);
    add(&top, "120000", "z", &r->link);
    id = done(r, &top);
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), 0);
    assert_int_equal(umask(mask), 077);
    assert_int_equal(stats.files, 4);
    assert_int_equal(stats.bytes, 5 + 5 + 13);
    stat_of(r, "a file", &st);
    assert_int_equal(st.st_mode, S_IFREG | 0644);
    stat_of(r, "sub", &st);
    assert_int_equal(st.st_mode & ~S_ISGID, S_IFDIR | 0755);
    stat_of(r, "sub/run", &st);
    assert_int_equal(st.st_mode, S_IFREG | 0755);
    assert_int_equal(readlink(link, target, sizeof(target) - 1), 13);
    assert_string_equal(target, "../../outside");
    buf_init(&text, 100);
    assert_int_equal(path_read(path, &text, &err), 0);
    assert_string_equal(buf_str(&text), "hello");
    buf_release(&text);
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "..", ".", "", "a/b", "../x", "/etc", ".git", ".GIT", ".Git", ".git.", ".git ", ".git . .", "git~1", "GIT~1",
        ".g\xe2\x80\x8cit", "\xef\xbb\xbf.git", ".git\xe2\x80\x8d", ".git:x", ".git\\x", ".git::$INDEX_ALLOCATION",
    };
    static const char *const good[] = { ".gitignore", ".github", "git", ".gi", "gitt~1", "...", "-rf", "a\\b", ".gitx" };
    struct repo *r = *state;
    struct err err = ERR_INIT;
    struct tree_stats stats;

    for (size_t i = 0; i < countof(bad); i++) {
        git_oid id = one(r, "100644", bad[i], &r->blob), folder = one(r, "40000", bad[i], &id);

        assert_int_equal(export_to(r, &id, &wide, &stats, &err), -1);
        assert_int_equal(export_to(r, &folder, &wide, &stats, &err), -1);
    }
    for (size_t i = 0; i < countof(good); i++) {
        git_oid id = one(r, "100644", good[i], &r->blob);

        if (export_to(r, &id, &wide, &stats, &err) != 0)
            fail_msg("%s", err.msg);
    }
}

/* A link and a folder of one name: what is put "into the folder" must not follow the link. */
static void test_link_then_folder(void **state)
{
    struct repo *r = *state;
    cleanup_free char *outside = xasprintf("%s/outside", r->path);
    cleanup_free char *file = xasprintf("%s/owned", outside);
    git_oid link = put(r, GIT_OBJECT_BLOB, outside, strlen(outside));
    git_oid inside = one(r, "100644", "owned", &r->blob);
    struct err err = ERR_INIT;
    struct tree_stats stats;
    struct buf tree;
    git_oid id;

    assert_int_equal(path_mkdir(outside, 0755, &err), 0);
    buf_init(&tree, 4096);
    add(&tree, "120000", "x", &link);
    add(&tree, "40000", "x", &inside);
    id = done(r, &tree);
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), -1);
    assert_false(path_exists(file));
    buf_init(&tree, 4096);
    add(&tree, "120000", "x", &link);
    add(&tree, "100644", "x", &r->blob);
    id = done(r, &tree);
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), -1);
}

static void test_kinds(void **state)
{
    struct repo *r = *state;
    git_oid id = one(r, "160000", "lib", &r->blob), missing = r->blob, empty = put(r, GIT_OBJECT_BLOB, "", 0);
    git_oid nul = put(r, GIT_OBJECT_BLOB, "a\0b", 3);

    refused(r, &id, "lib is a submodule");
    id = one(r, "40000", "d", &r->blob);
    refused(r, &id, "/d");
    missing.id[0] ^= 1;
    id = one(r, "100644", "gone", &missing);
    refused(r, &id, "gone");
    id = one(r, "120000", "l", &empty);
    refused(r, &id, "bad target");
    id = one(r, "120000", "l", &nul);
    refused(r, &id, "bad target");
    refused(r, &missing, "reading the folder");
    refused(r, &r->blob, "reading the folder");
}

static void test_limits(void **state)
{
    struct repo *r = *state;
    struct tree_limits l = wide;
    struct err err = ERR_INIT;
    struct tree_stats stats;
    struct buf tree;
    git_oid id;

    buf_init(&tree, 4096);
    add(&tree, "100644", "a", &r->blob);
    add(&tree, "100644", "b", &r->blob);
    id = done(r, &tree);
    l.max_files = 1;
    assert_int_equal(export_to(r, &id, &l, &stats, &err), -1);
    assert_non_null(strstr(err.msg, "more than 1 files"));
    l = wide;
    l.max_file = 4;
    assert_int_equal(export_to(r, &id, &l, &stats, &err), -1);
    assert_non_null(strstr(err.msg, "a has 5 bytes; the limit is 4"));
    l = wide;
    l.max_bytes = 9;
    assert_int_equal(export_to(r, &id, &l, &stats, &err), -1);
    assert_non_null(strstr(err.msg, "more than 9 bytes in all"));
    l.max_bytes = 10;
    assert_int_equal(export_to(r, &id, &l, &stats, &err), 0);
    for (int i = 0; i < 250; i++)
        id = one(r, "40000", "d", &id);
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), -1);
    assert_non_null(strstr(err.msg, "200 folders deep"));
}

/* 833 bytes of pack can name 10^10 files: the walk ends at the limit. */
static void test_bomb(void **state)
{
    struct repo *r = *state;
    struct err err = ERR_INIT;
    struct tree_stats stats;
    git_oid id = r->blob;

    for (int level = 0; level < 10; level++) {
        struct buf tree;

        buf_init(&tree, 4096);
        for (char c = 'a'; c <= 'j'; c++) {
            char name[2] = { c, '\0' };

            add(&tree, level == 0 ? "100644" : "40000", name, &id);
        }
        id = done(r, &tree);
    }
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), -1);
    assert_non_null(strstr(err.msg, "more than 100000 files"));
}

static bool stop_later(void *arg)
{
    return --*(int *) arg > 0;
}

/* Enough entries for several processes: each file is there once and whole. */
static void test_many(void **state)
{
    struct repo *r = *state;
    struct err err = ERR_INIT;
    struct tree_stats stats;
    char hex[GIT_OID_HEXSZ + 1];
    struct buf top;
    int left = 3;
    git_oid id;

    buf_init(&top, 1 << 20);
    for (int d = 0; d < 60; d++) {
        char name[16];
        struct buf sub;

        buf_init(&sub, 1 << 20);
        for (int f = 0; f < 100; f++) {
            (void) snprintf(name, sizeof(name), "f%03d", f);
            add(&sub, "100644", name, &r->blob);
        }
        id = done(r, &sub);
        (void) snprintf(name, sizeof(name), "d%02d", d);
        add(&top, "40000", name, &id);
    }
    id = done(r, &top);
    assert_int_equal(export_to(r, &id, &wide, &stats, &err), 0);
    assert_int_equal(stats.files, 6060);
    assert_int_equal(stats.bytes, 30000);
    for (int d = 0; d < 60; d++) {
        for (int f = 0; f < 100; f++) {
            char name[32];
            struct stat st;

            (void) snprintf(name, sizeof(name), "d%02d/f%03d", d, f);
            stat_of(r, name, &st);
            assert_int_equal(st.st_size, 5);
        }
    }
    assert_int_equal(path_remove_all(r->dest, NULL), 0);
    assert_int_equal(path_mkdir(r->dest, 0755, NULL), 0);
    (void) git_oid_tostr(hex, sizeof(hex), &id);
    assert_int_equal(tree_export(r->path, hex, r->dest, &wide, stop_later, &left, &stats, &err), -1);
}

static git_oid commit(struct repo *r, const git_oid *tree, const git_oid *parent)
{
    char hex[GIT_OID_HEXSZ + 1], up[GIT_OID_HEXSZ + 1];
    static int number;
    struct buf b;
    git_oid id;

    buf_init(&b, 4096);
    (void) buf_addf(&b, "tree %s\n", git_oid_tostr(hex, sizeof(hex), tree));
    if (parent != NULL)
        (void) buf_addf(&b, "parent %s\n", git_oid_tostr(up, sizeof(up), parent));
    number++; /* no two are the same object */
    (void) buf_addf(&b, "author a <a@b> %d +0000\ncommitter a <a@b> %d +0000\n\nx\n", number, number);
    id = put(r, GIT_OBJECT_COMMIT, buf_str(&b), buf_len(&b));
    buf_release(&b);
    return id;
}

static int descends(struct repo *r, const git_oid *a, const git_oid *b)
{
    char x[GIT_OID_HEXSZ + 1], y[GIT_OID_HEXSZ + 1];

    return tree_descends(r->path, git_oid_tostr(x, sizeof(x), a), git_oid_tostr(y, sizeof(y), b));
}

static void test_descends(void **state)
{
    struct repo *r = *state;
    git_oid tree = one(r, "100644", "a", &r->blob), a = commit(r, &tree, NULL), b = commit(r, &tree, &a);
    git_oid c = commit(r, &tree, &b), other = commit(r, &tree, &a), gone = a, cut, above;

    assert_int_equal(descends(r, &c, &a), 1);
    assert_int_equal(descends(r, &c, &c), 1);
    assert_int_equal(descends(r, &a, &c), 0);
    assert_int_equal(descends(r, &other, &c), 0);
    gone.id[3] ^= 1;
    assert_int_equal(descends(r, &c, &gone), -1);
    cut = commit(r, &tree, &gone); /* as after a shallow push */
    above = commit(r, &tree, &cut);
    assert_int_not_equal(descends(r, &above, &cut), 0);
    assert_int_equal(descends(r, &above, &other), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_then_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_descends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
