/* The key line: every file of the corpus is accepted or refused as its name says. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/sql_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *corpus_path(const char *name)
{
    const char *top = getenv("top_srcdir");

    return xasprintf("%s/tests/fuzz/corpus/key/%s", top != NULL ? top : ".", name);
}

static void corpus_read(const char *name, struct buf *b)
{
    cleanup_free char *path = corpus_path(name);

    buf_init(b, 65536);
    OK(path_read(path, b, &err));
}

static void test_corpus(void **state)
{
    cleanup_free char *folder = corpus_path("");
    DIR *d = opendir(folder);
    int good = 0, bad = 0;
    struct dirent *e;

    (void) state;
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        struct key k = { 0 };
        struct err why = ERR_INIT;
        struct buf b;
        int rc;

        if (e->d_name[0] == '.')
            continue;
        corpus_read(e->d_name, &b);
        rc = key_parse(buf_str(&b), &k, &why);
        if (rc != (strncmp(e->d_name, "good-", 5) == 0 ? 0 : -1))
            fail_msg("%s: %d %s", e->d_name, rc, why.msg);
        if (rc == 0)
            good++;
        else
            bad++;
        if (rc != 0 && (why.code != ERR_USAGE || k.type != NULL || k.blob != NULL))
            fail_msg("%s: refused without a reason, or half filled", e->d_name);
        key_release(&k);
        buf_release(&b);
    }
    (void) closedir(d);
    assert_true(good >= 10 && bad >= 40);
}

/* As `ssh-keygen -lf` prints them. */
static void test_fingerprints(void **state)
{
    static const struct { const char *file, *type, *fingerprint; } known[] = {
        { "good-ed25519", "ssh-ed25519", "SHA256:Zwu7wVmMW3VqX8ubn+WU4FsR7pdzeuDcFKAHGHoepFc" },
        { "good-nistp256", "ecdsa-sha2-nistp256", "SHA256:UEkrqsc+NwKg7Cd8LNZ8nXrxGQfHG/Oiwks5qVNgtRk" },
        { "good-nistp384", "ecdsa-sha2-nistp384", "SHA256:gp/3dLzR+0/0kWnp2uE2X4q9aYHUgl/x7gq3tnJHNkU" },
        { "good-nistp521", "ecdsa-sha2-nistp521", "SHA256:W3G572WvwGhj5MYM5EjR6GxqqQgt65+PzRPtbQWJs5A" },
        { "good-rsa2048", "ssh-rsa", "SHA256:mNq59MF9bPLo6dUrvEq1RxzRZtrOUzIdXqGJU6BbDsw" },
        { "good-rsa4096", "ssh-rsa", "SHA256:cFlfwKWISroIIBpG4pthULuNu3LoNTo+hYntmhomB30" },
    };

    (void) state;
    for (size_t i = 0; i < countof(known); i++) {
        struct key k = { 0 };
        struct buf b;

        corpus_read(known[i].file, &b);
        OK(key_parse(buf_str(&b), &k, &err));
        assert_string_equal(k.type, known[i].type);
        assert_string_equal(k.fingerprint, known[i].fingerprint);
        assert_string_equal(k.name, "test@laptop");
        key_release(&k);
        buf_release(&b);
    }
}

static void test_names(void **state)
{
    struct key k = { 0 };
    struct buf b;

    (void) state;
    corpus_read("good-no-comment", &b);
    OK(key_parse(buf_str(&b), &k, &err));
    assert_string_equal(k.name, "key-Zwu7wVmM");
    key_release(&k);
    k.name = xstrdup("given");
    OK(key_parse(buf_str(&b), &k, &err));
    assert_string_equal(k.name, "given");
    key_release(&k);
    buf_release(&b);
    corpus_read("good-blanks", &b);
    OK(key_parse(buf_str(&b), &k, &err));
    assert_string_equal(k.name, "my old  laptop");
    key_release(&k);
    buf_release(&b);
    corpus_read("good-utf8-comment", &b);
    OK(key_parse(buf_str(&b), &k, &err));
    assert_true(strlen(k.name) <= 64 && strlen(k.name) >= 62);
    key_release(&k);
    buf_release(&b);
}

static void test_reasons(void **state)
{
    static const struct { const char *file, *text; } known[] = {
        { "bad-rsa1024", "2048 bits" },    { "bad-dsa", "DSA" },          { "bad-private", "private key" },
        { "bad-two-lines", "one key" },    { "bad-options", "options" },  { "bad-cert", "certificates" },
        { "bad-other-type", "not of the type" }, { "bad-base64-char", "base64" }, { "bad-empty", "no key" },
    };

    (void) state;
    for (size_t i = 0; i < countof(known); i++) {
        struct key k = { 0 };
        struct buf b;

        corpus_read(known[i].file, &b);
        REFUSED(ERR_USAGE, known[i].text, key_parse(buf_str(&b), &k, &err));
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reasons),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
