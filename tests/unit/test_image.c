#include "config.h"

#include "base/challenge.h"
#include "base/docker_auth.h"
#include "base/image_ref.h"
#include "base/mem.h"
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SUM "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_digest(void **state)
{
    char d[DIGEST_SIZE];

    (void) state;
    digest_of("", 0, d);
    assert_string_equal(d, SUM);
    assert_true(digest_valid(d));
    assert_false(digest_valid(NULL));
    assert_false(digest_valid("sha256:"));
    assert_false(digest_valid(SUM "0"));
    assert_false(digest_valid("sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_false(digest_valid("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

static void test_names(void **state)
{
    static const struct { const char *text, *registry, *repository, *tag, *digest; } good[] = {
        { "redis", "docker.io", "library/redis", "", "" },
        { "team/redis:7.2", "docker.io", "team/redis", "7.2", "" },
        { "index.docker.io/team/redis", "docker.io", "team/redis", "", "" },
        { "localhost/shop", "localhost", "shop", "", "" },
        { "localhost:5000/shop", "localhost:5000", "shop", "", "" },
        { "localhost:5000/a/b__c/d-e.f:v7", "localhost:5000", "a/b__c/d-e.f", "v7", "" },
        { "registry.example.com/shop@" SUM, "registry.example.com", "shop", "", SUM },
        { "[::1]:5000/shop:v1@" SUM, "[::1]:5000", "shop", "v1", SUM },
        { "Example.com/shop", "Example.com", "shop", "", "" },
    };
    static const char *const bad[] = {
        "", "/", "a/", "/a", "A", "a//b", "a b", "a:", "a:.x", "a:b:c", "-a", "a-", "a..b", "a___b", "a/../b",
        "localhost:/a", "localhost:123456/a", "localhost:5x/a", "a@sha256:12", "a@", "a\n",
        ".a.b/c", "[::1/a", "[x]:1/a", "-h.x/a", "a@" SUM "/b", "a?b", "a%2f", "[]:1/a",
    };
    struct image_ref r;
    struct err err = ERR_INIT;

    (void) state;
    for (size_t i = 0; i < countof(good); i++) {
        assert_int_equal(image_ref_parse(good[i].text, &r, &err), 0);
        assert_string_equal(r.registry, good[i].registry);
        assert_string_equal(r.repository, good[i].repository);
        assert_string_equal(r.tag, good[i].tag);
        assert_string_equal(r.digest, good[i].digest);
    }
    for (size_t i = 0; i < countof(bad); i++) {
        err_clear(&err);
        if (image_ref_parse(bad[i], &r, &err) != -1 || err.code != ERR_USAGE)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static int parse(const char *s, struct challenge *c)
{
    memset(c, 0, sizeof(*c));
    return challenge_parse(s, strlen(s), c);
}

static void test_challenge(void **state)
{
    struct challenge c;
    char longer[2000];

    (void) state;
    assert_int_equal(parse("Basic realm=\"x\"", &c), 0);
    assert_true(c.basic);
    assert_false(c.bearer);
    assert_string_equal(c.realm, "");
    assert_int_equal(parse("bearer Realm=\"https://a/t?x=1\",service=s.x, scope=\"repository:a:pull,push\","
                           "error=\"invalid_token\"", &c), 0);
    assert_true(c.bearer);
    assert_string_equal(c.realm, "https://a/t?x=1");
    assert_string_equal(c.service, "s.x");
    assert_string_equal(c.scope, "repository:a:pull,push");
    assert_string_equal(c.error, "invalid_token");
    /* Several in one header; unknown schemes; a token68; odd spaces. */
    assert_int_equal(parse("Negotiate, Basic realm=\"no\" , Bearer realm = \"a\\\"b\" ,service=\"\"", &c), 0);
    assert_true(c.basic && c.bearer);
    assert_string_equal(c.realm, "a\"b");
    /* Two headers add up; the first bearer counts. */
    assert_int_equal(challenge_parse("Bearer realm=\"second\"", 21, &c), 0);
    assert_string_equal(c.realm, "a\"b");
    assert_int_equal(parse("", &c), 0);
    assert_int_equal(parse("Bearer realm=\"open", &c), -1);
    assert_int_equal(parse("Bearer realm=", &c), -1);
    assert_int_equal(parse("Bearer realm=\"a\nb\"", &c), -1);
    assert_int_equal(parse("=", &c), -1);
    assert_int_equal(parse("Bearer=", &c), -1);
    memset(longer, 'x', sizeof(longer));
    memcpy(longer, "Bearer realm=", 13);
    assert_int_equal(challenge_parse(longer, sizeof(longer), &c), -1);
}

static const char config[] =
    "{\"auths\": {\"a.example:5000\": {\"auth\": \"dXNlcjpwYTpzcw==\"},"
    " \"https://b.example/v2/\": {\"username\": \"u\", \"password\": \"p\"},"
    " \"https://index.docker.io/v1/\": {\"identitytoken\": \"tok\", \"auth\": \"dTpw\"},"
    " \"empty.example\": {}, \"bad.example\": {\"auth\": \"dXNlcg==\"}, \"worse.example\": {\"auth\": \"?\"}},"
    " \"credHelpers\": {\"c.example\": \"cloud\", \"evil.example\": \"../sh\"}, \"credsStore\": \"desktop\"}";

static int look(const char *registry, struct docker_auth *a, char **helper, struct err *err)
{
    *helper = NULL;
    memset(a, 0, sizeof(*a));
    return docker_auth_parse(config, sizeof(config) - 1, "config.json", registry, a, helper, err);
}

static void test_auth_parse(void **state)
{
    struct docker_auth a;
    struct err err = ERR_INIT;
    char *helper;

    (void) state;
    assert_int_equal(look("a.example:5000", &a, &helper, &err), 0);
    assert_true(a.found);
    assert_string_equal(a.user, "user");
    assert_string_equal(a.password, "pa:ss");
    assert_null(helper);
    docker_auth_release(&a);
    assert_int_equal(look("b.example", &a, &helper, &err), 0);
    assert_string_equal(a.password, "p");
    docker_auth_release(&a);
    assert_int_equal(look("docker.io", &a, &helper, &err), 0);
    assert_string_equal(a.identity_token, "tok");
    docker_auth_release(&a);
    assert_int_equal(look("c.example", &a, &helper, &err), 0);
    assert_false(a.found);
    assert_string_equal(helper, "cloud");
    free(helper);
    assert_int_equal(look("empty.example", &a, &helper, &err), 0);
    assert_string_equal(helper, "desktop");
    free(helper);
    assert_int_equal(look("other.example", &a, &helper, &err), 0);
    assert_string_equal(helper, "desktop");
    free(helper);
    assert_int_equal(look("evil.example", &a, &helper, &err), -1);
    assert_int_equal(look("bad.example", &a, &helper, &err), -1);
    assert_int_equal(look("worse.example", &a, &helper, &err), -1);
    assert_null(strstr(err.msg, "?"));
    assert_int_equal(docker_auth_parse("[", 1, "config.json", "x", &a, &helper, &err), -1);
    assert_int_equal(docker_auth_parse("[]", 2, "config.json", "x", &a, &helper, &err), 0);
    assert_false(a.found);
}

static void write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    struct err err = ERR_INIT;

    assert_int_equal(path_write(path, text, strlen(text), mode, &err), 0);
}

static void test_helper(void **state)
{
    char folder[] = "/tmp/slipway-helper-XXXXXX";
    cleanup_free char *path = NULL, *file = NULL, *old = xstrdup(getenv("PATH"));
    struct docker_auth a;
    struct err err = ERR_INIT;
    cleanup_buf struct buf again;
    char *helper = NULL;

    (void) state;
    assert_non_null(mkdtemp(folder));
    write_file(folder, "docker-credential-good",
               "#!/bin/bash\nread -r server; [[ $1 == get && $server == reg.example:1 ]] || exit 3\n"
               "echo '{\"ServerURL\": \"x\", \"Username\": \"AWS\", \"Secret\": \"s3cret\"}'\n", 0755);
    write_file(folder, "docker-credential-token",
               "#!/bin/bash\necho '{\"Username\": \"<token>\", \"Secret\": \"refresh\"}'\n", 0755);
    write_file(folder, "docker-credential-none",
               "#!/bin/bash\necho 'credentials not found in native keychain'\nexit 1\n", 0755);
    write_file(folder, "docker-credential-fails",
               "#!/bin/bash\necho 'the secret is s3cret'\nexit 1\n", 0755);
    write_file(folder, "config.json",
               "{\"credHelpers\": {\"reg.example:1\": \"good\", \"token.example\": \"token\","
               " \"none.example\": \"none\", \"fails.example\": \"fails\", \"missing.example\": \"missing\"}}", 0600);
    path = xasprintf("%s:%s", folder, old);
    assert_int_equal(setenv("PATH", path, 1), 0);
    file = xasprintf("%s/config.json", folder);

    assert_int_equal(docker_auth_get(file, "reg.example:1", &a, &err), 0);
    assert_true(a.found);
    assert_string_equal(a.user, "AWS");
    assert_string_equal(a.password, "s3cret");
    /* What is written for another program reads back. */
    buf_init(&again, 4096);
    assert_int_equal(docker_auth_write(&a, "reg.example:1", &again), 0);
    docker_auth_release(&a);
    assert_int_equal(docker_auth_parse(buf_str(&again), buf_len(&again), "x", "reg.example:1", &a, &helper, &err), 0);
    assert_string_equal(a.password, "s3cret");
    docker_auth_release(&a);

    assert_int_equal(docker_auth_get(file, "token.example", &a, &err), 0);
    assert_string_equal(a.identity_token, "refresh");
    assert_null(a.user);
    docker_auth_release(&a);
    assert_int_equal(docker_auth_get(file, "none.example", &a, &err), 0);
    assert_false(a.found);
    assert_int_equal(docker_auth_get(file, "fails.example", &a, &err), -1);
    assert_null(strstr(err.msg, "s3cret"));
    assert_int_equal(docker_auth_get(file, "missing.example", &a, &err), -1);
    assert_non_null(strstr(err.msg, "docker-credential-missing"));
    assert_int_equal(docker_auth_get(file, "nobody.example", &a, &err), 0);
    assert_false(a.found);
    assert_int_equal(docker_auth_get("/nonexistent", "x", &a, &err), -1);
    assert_int_equal(docker_auth_get("", "x", &a, &err), 0);
    assert_false(a.found);
    assert_int_equal(setenv("PATH", old, 1), 0);
    assert_int_equal(path_remove_all(folder, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_challenge),  cmocka_unit_test(test_auth_parse),
        cmocka_unit_test(test_helper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
