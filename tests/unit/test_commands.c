/* What the commands do, family by family. */
#include "config.h"

#include "base/log_view.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/json.h"
#include "sql/seal.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *printed(struct desk *d)
{
    struct err err = ERR_INIT;
    json_t *doc = json_parse(buf_str(&d->out), buf_len(&d->out), "output", &err);

    if (doc == NULL)
        fail_msg("%s: %s", err.msg, buf_str(&d->out));
    return doc;
}

/* A number in the JSON document that the line prints. */
static long long number_of(struct desk *d, const char *line, const char *path)
{
    json_auto_t *doc = NULL;

    desk_expect(d, "bert", line, 0, NULL);
    doc = printed(d);
    return json_int(json_is_array(doc) ? json_array_get(doc, 0) : doc, path, -1);
}

static void test_apps(void **state)
{
    struct desk *d = *state;
    cleanup_free char *repo = NULL;
    struct app a;

    desk_expect(d, "bert", "apps:create blog --branch trunk", 0, "ssh://git@paas.example.com:");
    desk_expect(d, "bert", "apps:create blog", 1, "taken");
    desk_expect(d, "bert", "apps:create b -b '-x'", 2, "--branch");
    desk_expect(d, "bert", "apps:create b -b 'a..b'", 2, "--branch");
    desk_expect(d, "bert", "apps:list", 0, "blog  -  -  bert\n");
    desk_expect(d, "bert", "apps:list --json", 0, "{\"name\":\"blog\",\"owner\":\"bert\",\"deploy_branch\":\"trunk\"");
    desk_expect(d, "bert", "apps:info blog", 0, "none yet");
    desk_expect(d, "bert", "apps:info blog --json", 0, "\"url\":null,\"release\":null");
    desk_expect(d, "bert", "apps:lock blog database 'migration until noon'", 0, "Locking blog... done");
    desk_expect(d, "bert", "apps:lock blog", 1, "locked already, by bert: database migration until noon");
    desk_expect(d, "bert", "apps:info blog", 0, "by bert since");
    desk_expect(d, "bert", "apps:unlock blog", 0, "Unlocking");
    desk_expect(d, "bert", "apps:set blog on-disconnect cancel --json", 0,
                "{\"name\":\"blog\",\"property\":\"on-disconnect\",\"value\":\"cancel\"}");
    desk_expect(d, "bert", "git:set blog deploy-branch main", 0, "Setting deploy-branch of blog to main... done");
    desk_expect(d, "bert", "apps:info blog --json", 0, "\"deploy_branch\":\"main\"");
    desk_expect(d, "bert", "apps:info blog --json", 0, "\"on_disconnect\":\"cancel\"");
    desk_expect(d, "bert", "apps:set blog on-disconnect stop", 2, "continue or cancel, not \"stop\"; for example");
    desk_expect(d, "bert", "apps:set blog deploy-branch a..b", 2, "for example: apps:set shop deploy-branch main");
    desk_expect(d, "bert", "apps:set blog deploy-branch refs/heads/main", 2, "the name of a branch, not \"refs/heads/main\"");
    desk_expect(d, "bert", "apps:set blog colour red", 2, "deploy-branch and on-disconnect");
    desk_expect(d, "bert", "apps:lock blog 'a\033[2Jb'", 2, "control");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "apps:info shop", 0, "https://shop.example.com");
    desk_expect(d, "bert", "apps:info shop --json", 0, "\"url\":\"https://shop.example.com\",\"release\":1,"
                "\"commit\":\"3f2c1ab00000000000000000000000000000000a\"");
    OK(apps_get(d->f->store, "shop", &a, &err));
    repo = xasprintf("%s/repos", d->f->state);
    OK(path_mkdir(repo, 0770, &err));
    free(repo);
    repo = xasprintf("%s/repos/%lld.git", d->f->state, (long long) a.id);
    app_release(&a);
    OK(path_mkdir(repo, 0770, &err));
    desk_expect(d, "bert", "apps:destroy shop --confirm blog", 2, "--confirm shop");
    desk_expect(d, "bert", "apps:destroy shop --confirm shop", 0, "done");
    assert_false(path_exists(repo));
    desk_expect(d, "bert", "apps:info shop", 4, "not found");
}

/* What is refused before anything is read. */
static void test_git(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "apps:create crate", 0, NULL);
    desk_expect(d, "bert", "git:from-archive crate https://example.com/x.tar", 2, "curl -sSL URL");
    desk_expect(d, "bert", "git:from-archive crate - -", 2, "too many words");
    desk_expect(d, "bert", "git:from-image crate 'no image'", 2, NULL);
    desk_expect(d, "bert", "git:from-image crate example.com/team/crate", 2, "a tag or a digest");
    desk_expect(d, "bert", "git:from-image crate example.com/team/crate:1.2", 0, "done, v1");
    desk_expect(d, "bert", "releases crate --json", 0, "\"description\":\"image example.com/team/crate:1.2\"");
    free(d->conf.registry);
    d->conf.registry = xstrdup("registry.example.com/apps");
    desk_expect(d, "bert", "git:from-image crate registry.example.com/apps/other:v1", 4, "no image of an app");
    desk_expect(d, "bert", "git:from-image crate registry.example.com/apps/crate/x:v1", 4, "no image of an app");
    desk_expect(d, "bert", "git:from-image crate Registry.example.com:443/apps/other:v1", 4, "no image of an app");
    desk_expect(d, "bert", "git:from-image crate registry.example.com/apps/crate:v1", 0, "done, v2");
    free(d->conf.registry);
    d->conf.registry = xstrdup("Registry.example.com:443/apps");
    desk_expect(d, "bert", "git:from-image crate registry.example.com/apps/other:v1", 4, "no image of an app");
    desk_expect(d, "bert", "git:from-image crate registry.example.com:443/apps/other:v1", 4, "no image of an app");
    desk_expect(d, "bert", "apps:lock crate closed", 0, NULL);
    desk_expect(d, "bert", "git:from-image crate example.com/team/crate:1.2", 5, "locked");
    desk_expect(d, "bert", "git:from-archive crate -", 5, "crate is locked by bert: closed");
    desk_expect(d, "bert", "git:load-image crate -", 5, "crate is locked by bert: closed");
    desk_expect(d, "bert", "git:load-image crate Not/AnImage", 2, "lower-case");
    desk_expect(d, "bert", "git:load-image crate x@sha256:1111111111111111111111111111111111111111111111111111111111111111", 2, "names and tags");
    desk_expect(d, "bert", "git:load-image crate - -", 2, "too many words");
}

static void test_people(void **state)
{
    static const char key[] =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC73Zra08QV7GeKy+k7XfVbq7Zabshvif+0VQiHiwpH1 test@laptop\n";
    struct desk *d = *state;
    cleanup_free char *line = xasprintf("keys:add --user carl work %.*s", (int) strlen(key) - 1, key);

    desk_expect(d, "anna", "users:add carl --create", 0, "Adding carl... done");
    desk_expect(d, "anna", "users:add carl", 1, "exists already");
    desk_expect(d, "anna", "users:add local", 2, "local");
    desk_expect(d, "anna", "users:add Carl", 2, "user name");
    desk_expect(d, "carl", "users:set carl admin", 3, "only admins");
    desk_expect(d, "anna", "users:set carl admin", 0, "Making carl an admin of this server... done");
    desk_expect(d, "carl", "users:set anna user", 0, "Making anna an ordinary user... done");
    desk_expect(d, "anna", "users:list", 3, "only admins");
    desk_expect(d, "anna", "apps:create x", 3, "users:set anna create");
    desk_expect(d, "carl", "users:set carl create", 1, "carl is the last admin; make another one first: users:set USER admin");
    desk_expect(d, "carl", "users:set nobody admin", 4, "no user nobody");
    desk_expect(d, "carl", "users:set anna owner", 2, "user, create or admin, not \"owner\"; for example: users:set anna create");
    desk_expect(d, "carl", "users:set anna admin --json", 0, "{\"name\":\"anna\",\"admin\":true,\"may_create\":true}");
    desk_expect(d, "anna", "users:set carl create", 0, "a user who may create apps... done");
    desk_expect(d, "anna", "users:list --json", 0, "{\"name\":\"carl\",\"admin\":false,\"may_create\":true");
    d->input = key;
    desk_expect(d, "bert", "keys:add", 0, "SHA256:Zwu7wVmMW3VqX8ubn+WU4FsR7pdzeuDcFKAHGHoepFc for bert... done");
    desk_expect(d, "anna", line, 1, "another user");
    desk_expect(d, "bert", "keys:list", 0, "test@laptop");
    desk_expect(d, "bert", "keys", 0, "never used");
    desk_expect(d, "anna", "keys:list --all --json", 0, "\"user\":\"bert\",\"name\":\"test@laptop\",\"type\":\"ssh-ed25519\"");
    desk_expect(d, "bert", "keys:remove test@laptop", 0, "done");
    desk_expect(d, "bert", "keys:remove test@laptop", 4, "no key");
    desk_expect(d, "anna", line, 0, "for carl... done");
    d->input = "no key at all";
    desk_expect(d, "bert", "keys:add laptop", 2, "no SSH public key");
    desk_expect(d, "bert", "keys:add", 2, "no key was given");
    desk_expect(d, "bert", "access:grant shop carl deploy", 0, "Granting deploy to carl on shop... done");
    desk_expect(d, "bert", "access:grant shop carl admin", 2, "roles are view");
    desk_expect(d, "bert", "access:grant shop nobody view", 4, "no user nobody");
    desk_expect(d, "bert", "access:grant shop carl view --owner", 2, "--owner");
    desk_expect(d, "bert", "access:list shop --json", 0, "{\"user\":\"carl\",\"team\":null,\"role\":\"deploy\",\"owner\":false}");
    desk_expect(d, "bert", "access shop", 0, "owner");
    desk_expect(d, "bert", "access:revoke shop bert", 1, "owner");
    desk_expect(d, "bert", "access:revoke shop carl", 0, "done");
    desk_expect(d, "carl", "apps:info shop", 4, "not found");
    desk_expect(d, "bert", "access:grant shop carl own --owner", 0, "ownership");
    desk_expect(d, "anna", "users:remove bert", 0, "done");
    desk_expect(d, "anna", "users:remove carl", 1, "owns shop");
    desk_expect(d, "anna", "users:remove anna", 1, "last admin");
}

static void test_config(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "config:set shop A=1 B=2", 0, "Setting A and B... done; used from the next release on");
    desk_expect(d, "bert", "config:set shop A=1", 0, "Nothing to do");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "config:set -a shop 'A=it'\\''s \"two\" = words'", 0, "Setting A and restarting shop... done, v2");
    desk_expect(d, "bert", "config:set shop C=3 D=4 E=5 F=6", 0, "Setting C, D, E and 1 more and restarting shop... done, v3");
    desk_expect(d, "bert", "config:unset shop C D", 0, "Unsetting C and D and restarting shop... done, v4");
    desk_expect(d, "bert", "config:unset shop E NOPE", 4, "NOPE is not set; nothing was changed");
    desk_expect(d, "bert", "config:set shop G=7 --no-restart", 0, "used from the next release on");
    assert_int_equal(number_of(d, "releases shop --json", "version"), 4);
    desk_expect(d, "bert", "config:set shop G=7", 0, "done, v5"); /* what was held back comes now */
    desk_expect(d, "bert", "config:set shop G=7", 0, "Nothing to do");
    desk_expect(d, "bert", "config:set shop X=1 secretpart", 2, "word 2 is not NAME=VALUE");
    assert_null(strstr(buf_str(&d->err), "secretpart"));
    desk_expect(d, "bert", "config:set shop X=1 X=2", 2, "X is given twice");
    desk_expect(d, "bert", "config:set shop PORT=1", 2, "PORT");
    desk_expect(d, "bert", "config:set shop X=1 1Y=2", 2, "no config name");
    desk_expect(d, "bert", "config:list shop", 0, "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2");
    assert_null(strstr(buf_str(&d->out), "X:"));
    assert_null(strstr(buf_str(&d->out), "two"));
    desk_expect(d, "bert", "config shop --json", 0, "{\"name\":\"A\",\"value\":null,\"hint\":\"ords\",\"scopes\":[\"run\"]");
    desk_user(d, "vera", ROLE_VIEW);
    desk_expect(d, "vera", "config shop --json", 0, "{\"name\":\"A\",\"value\":null,\"hint\":null");
    desk_expect(d, "bert", "config:get shop A", 6, "the deployer does not answer");
    desk_deployer(d);
    desk_expect(d, "bert", "config:get shop A", 0, NULL);
    assert_string_equal(buf_str(&d->out), "it's \"two\" = words\n");
    desk_expect(d, "bert", "config:get shop A --json", 0, "{\"name\":\"A\",\"value\":\"it's \\\"two\\\" = words\"}");
    desk_expect(d, "bert", "config:get shop NOPE", 4, "NOPE is not set");
    desk_expect(d, "bert", "config:list shop --show", 0, "it's \"two\" = words");
    desk_expect(d, "bert", "config:set shop K=build-only --build --no-restart", 0, "done");
    desk_expect(d, "bert", "config:get shop K", 1, "build scope only");
    desk_expect(d, "bert", "config:set shop K=both --build --run --no-restart", 0, "done");
    desk_expect(d, "bert", "config:get shop K", 0, "both\n");
    desk_expect(d, "bert", "config shop", 0, "run, build");
}

static void test_config_input(void **state)
{
    struct desk *d = *state;
    cleanup_free char *big = xmalloc(CONFIG_VALUE_MAX + 2);

    desk_deployer(d);
    d->input = "line one\nline 'two' = \"x\"\n\n";
    desk_expect(d, "bert", "config:set shop A=@- B=plain", 0, "done");
    desk_expect(d, "bert", "config:get shop A", 0, NULL);
    assert_string_equal(buf_str(&d->out), "line one\nline 'two' = \"x\"\n\n\n");
    d->input = "postgres://x\n";
    desk_expect(d, "bert", "config:set shop URL=@-", 0, "ends in a newline");
    d->input = "x";
    desk_expect(d, "bert", "config:set shop A=@- B=@-", 2, "only one value");
    desk_expect(d, "bert", "config:set shop --from-file KEY=server.key", 2, "config:set shop KEY=@- < PATH");
    desk_expect(d, "bert", "config:set shop B=1 --from-file 'a b'", 2, "config:set shop NAME=@- < PATH");
    desk_expect(d, "bert", "config:set shop", 2, "NAME=VALUE is missing; for example: config:set shop GREETING=hello");
    memset(big, 'x', CONFIG_VALUE_MAX);
    big[CONFIG_VALUE_MAX] = '\0';
    d->input = big;
    desk_expect(d, "bert", "config:set shop BIG=@-", 0, "done");
    desk_expect(d, "bert", "config:get shop BIG", 0, NULL);
    assert_int_equal(buf_len(&d->out), CONFIG_VALUE_MAX + 1);
    big[CONFIG_VALUE_MAX] = 'y';
    big[CONFIG_VALUE_MAX + 1] = '\0';
    d->input = big;
    desk_expect(d, "bert", "config:set shop BIG=@-", 2, "at most 65536");
    d->gone = true; /* input that was cut off changes nothing */
    assert_int_equal(desk_type(d, "bert", "config:set shop A=@-"), ERR_FAILED);
    d->gone = false;
    desk_expect(d, "bert", "config:get shop A", 0, "line one");
}

/* A character of up to four bytes, any but NUL. */
static void random_character(struct buf *b, unsigned *seed)
{
    static const struct { unsigned from, to; } ranges[] = {
        { 1, 0x7f }, { 0x20, 0x7e }, { 0x80, 0x7ff }, { 0x800, 0xd7ff }, { 0xe000, 0xffff }, { 0x10000, 0x10ffff },
    };
    unsigned r = (unsigned) rand_r(seed) % countof(ranges);
    unsigned c = ranges[r].from + (unsigned) rand_r(seed) % (ranges[r].to - ranges[r].from + 1);

    if (c < 0x80) {
        (void) buf_addch(b, (char) c);
    } else if (c < 0x800) {
        (void) buf_addf(b, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        (void) buf_addf(b, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
    } else {
        (void) buf_addf(b, "%c%c%c%c", 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f),
                        0x80 | (c & 0x3f));
    }
}

/* 1,000 random values through standard input or through the line, quoted as a person's script would. */
static void test_random_values(void **state)
{
    struct desk *d = *state;
    unsigned seed = 1;

    for (int i = 0; i < 1000; i++) {
        cleanup_free char *line = NULL, *open = NULL;
        struct buf value, quoted;
        struct config_set set;
        size_t n = 0;

        buf_init(&value, 4096);
        buf_init(&quoted, 65536);
        for (int k = rand_r(&seed) % 60; k > 0; k--)
            random_character(&value, &seed);
        for (const char *p = buf_str(&value); *p != '\0'; p++)
            (void) buf_addf(&quoted, *p == '\'' ? "'\\''" : "%c", *p);
        if (i % 2 == 0)
            d->input = buf_str(&value);
        line = i % 2 == 0 ? xstrdup("config:set shop V=@- --no-restart")
                          : xasprintf("config:set shop --no-restart 'V=%s'", buf_str(&quoted));
        desk_expect(d, "bert", line, 0, NULL);
        OK(config_get(d->f->store, d->f->shop, number_of(d, "apps:info shop --json", "config_version"), &set, &err));
        OK(seal_open(d->f->state, SEAL_RUN, d->f->shop, "V", set.v[0].sealed_run, set.v[0].sealed_run_len, &open, &n,
                     &err));
        assert_int_equal(n, buf_len(&value));
        assert_memory_equal(open, buf_str(&value), n);
        config_set_release(&set);
        buf_release(&value);
        buf_release(&quoted);
    }
}

static void test_failed_release(void **state)
{
    struct desk *d = *state;

    (void) fixture_live(d->f, d->f->shop);
    d->fail_with = "web crashed 3 times (exit 1)";
    desk_expect(d, "bert", "config:set shop A=1", 1, "v2 failed: web crashed 3 times (exit 1). v1 is still live; A stays "
                "set, but the live release keeps its own config until the next release");
    d->fail_down = true;
    desk_expect(d, "bert", "ps:scale shop web=2", ERR_DOWN, "v3 failed: web crashed 3 times (exit 1). v1 is still live; the new "
                "counts stay recorded");
    d->fail_down = false;
    d->fail_with = NULL;
    desk_expect(d, "bert", "ps:scale shop web=2", 0, "Now running web at 2, worker at 0");
    desk_expect(d, "bert", "config:set shop A=1", 0, "Nothing to do"); /* v4 took it along */
    desk_expect(d, "bert", "releases shop", 0, "failed");
    desk_expect(d, "bert", "rollback shop v2", 1, "v2 never was live (failed)");
    desk_expect(d, "bert", "config:set shop A=2 --json", 0, NULL);
    json_auto_t *doc = printed(d);
    assert_int_equal(json_int(doc, "release", 0), 5);
    assert_string_equal(json_str(doc, "url", ""), "https://shop.example.com");
}

static void test_scale(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "ps:scale shop", 0, "no release yet");
    desk_expect(d, "bert", "ps:scale shop clock=2", 0, "the first release will run clock at 2");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "ps:scale shop", 0, "web=1 worker=0\n");
    desk_expect(d, "bert", "ps:scale shop web=3 worker+1", 0, "Scaling shop... done, v2");
    desk_expect(d, "bert", "scale shop web-1", 0, "Now running web at 2, worker at 1");
    desk_expect(d, "bert", "ps:scale shop web=2", 0, "Nothing to do");
    desk_expect(d, "bert", "ps:scale shop --json", 0, "\"formation\":{\"web\":2,\"worker\":1},\"release\":null}");
    desk_expect(d, "bert", "ps:scale shop nope=1", 2, "no process type nope; it has: web and worker");
    desk_expect(d, "bert", "ps:scale shop release=1", 2, "release command");
    desk_expect(d, "bert", "ps:scale shop web", 2, "TYPE=COUNT");
    desk_expect(d, "bert", "ps:scale shop web=2:big", 2, "no sizes");
    desk_expect(d, "bert", "ps:scale shop web=1001", 2, "0 to 1000");
    desk_expect(d, "bert", "ps:scale shop web-3", 2, "web would be at -1");
    desk_expect(d, "bert", "ps:scale shop web=99999999999999999999", 2, "0 to 1000");
    desk_expect(d, "bert", "ps:scale shop web=5 worker=x", 2, "the count of worker");
    desk_expect(d, "bert", "ps:scale shop", 0, "web=2 worker=1\n"); /* all or nothing */
    desk_expect(d, "bert", "releases:info shop", 0, "scale web=2 worker=1");
}

static void test_rollback(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "rollback shop", 1, "no live release yet");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "rollback shop", 1, "no earlier release");
    desk_expect(d, "bert", "config:set shop A=1", 0, "v2");
    desk_expect(d, "bert", "ps:scale shop web=2", 0, "v3");
    desk_expect(d, "bert", "config:set shop A=2 B=2", 0, "v4");
    desk_expect(d, "bert", "rollback shop", 0, "Rolling back shop to v3... done, v5");
    assert_non_null(strstr(buf_str(&d->out), "To undo, run: rollback shop v4"));
    assert_int_equal(number_of(d, "releases:info shop v5 --json", "formation.web"), 2);
    desk_expect(d, "bert", "config shop", 0, "A:");
    assert_null(strstr(buf_str(&d->out), "B:"));
    desk_expect(d, "bert", "rollback shop v1", 0, "v6");
    desk_expect(d, "bert", "config shop", 0, "===");
    assert_null(strstr(buf_str(&d->out), "A:"));
    desk_expect(d, "bert", "ps:scale shop", 0, "web=1 worker=0");
    desk_expect(d, "bert", "rollback shop 4 --json", 0, "{\"app\":\"shop\",\"to\":4,\"release\":7");
    desk_expect(d, "bert", "releases:info shop", 0, "version 5: A and B");
    desk_expect(d, "bert", "rollback shop v7", 1, "live already");
    desk_expect(d, "bert", "rollback shop v99", 4, "no release v99");
    desk_expect(d, "bert", "rollback shop latest", 2, "for example: v7");
    desk_expect(d, "bert", "releases shop -n 2 --json", 0, "\"description\":\"rollback to v4\"");
}

static void test_live(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "ps shop", 0, "no release yet");
    desk_expect(d, "bert", "ps shop --json", 0, "[]");
    desk_expect(d, "bert", "logs shop", 1, "no live release");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "ps shop", 6, "the deployer does not answer");
    desk_deployer(d);
    desk_expect(d, "bert", "ps shop", 0, "web.1  running  v1");
    desk_expect(d, "bert", "ps shop --json", 0, "\"started_at\":\"2023-11-14T22:13:20Z\"");
    desk_expect(d, "bert", "logs shop", 0, "2026-01-02T03:04:05Z web.1 hello world\n");
    d->io.color = true;
    desk_expect(d, "bert", "logs shop -t -n 5 -p web", 0, "web.1\033[0m hello world\n");
    d->io.color = false;
    desk_expect(d, "bert", "logs shop --json", 0,
                "{\"time\":\"2026-01-02T03:04:06Z\",\"process\":\"web.1\",\"text\":\"again\"}\n");
    desk_expect(d, "bert", "logs shop --since 10m -p web.1", 0, "hello");
    desk_expect(d, "bert", "logs shop -p router", 0, "2026-01-02T03:04:05Z router at=info\n");
    desk_expect(d, "bert", "logs shop --since 10", 2, "--since 10m");
    desk_expect(d, "bert", "logs shop --since 99999999999d", 2, "--since 10m");
    desk_expect(d, "bert", "logs shop -p 'web;x'", 2, "process type");
    desk_expect(d, "bert", "logs shop -p web.x", 2, "web.1");
    desk_expect(d, "bert", "logs shop -p wbe", 2, "shop has no process type wbe; it has: web");
    desk_expect(d, "bert", "logs shop -t -p clock.1", 2, "no process type clock");
    desk_expect(d, "bert", "logs shop -n -1", 2, "whole number");
    desk_expect(d, "bert", "ps:restart shop web", 0, "-----> web 1/1\nRestarting web of shop... done\n");
    desk_expect(d, "bert", "ps:restart shop", 0, "Restarting all processes of shop... done");
    desk_expect(d, "bert", "ps:restart shop worker", 1, "worker crashed");
    desk_expect(d, "bert", "ps:restart shop clock", 2, "no process type clock");
    d->gone = true;
    assert_int_equal(desk_type(d, "bert", "logs shop -t"), 0); /* who is gone needs no error */
}

static void test_builds(void **state)
{
    struct desk *d = *state;
    cleanup_free char *log = NULL, *release_log = NULL;
    int64_t release = 0, build;
    struct build b;

    desk_expect(d, "bert", "builds:list shop", 0, "no builds yet");
    desk_expect(d, "bert", "logs shop -p build", 0, "");
    desk_expect(d, "bert", "builds:output shop", 4, "no builds yet");
    release = fixture_live(d->f, d->f->shop);
    build = number_of(d, "builds shop --json", "id");
    log = store_build_log(d->f->store, build);
    release_log = store_release_log(d->f->store, release);
    OK(path_write(log, "-----> Building\n       \033[1mbold\033[2J\n", 34, 0660, &err));
    OK(path_write(release_log, "-----> Releasing v1\nno newline", 30, 0660, &err));
    desk_expect(d, "bert", "builds:output shop", 0, "-----> Building\n       bold\n-----> Releasing v1\nno newline\n");
    desk_expect(d, "bert", "builds:output 1 --json", 0, "\"output\":\"-----> Building\\n");
    desk_expect(d, "bert", "builds:output shop 1", 0, "Releasing");
    desk_expect(d, "bert", "builds:output 99", 4, "build 99 not found");
    desk_expect(d, "bert", "logs shop -p build", 0, "build.1 -----> Building\nbuild.1        bold\n"
                "build.1 -----> Releasing v1\nbuild.1 no newline\n");
    desk_expect(d, "bert", "logs shop -p release -n 1 --json", 0,
                "{\"time\":null,\"process\":\"release.v1\",\"text\":\"no newline\"}\n");
    desk_expect(d, "bert", "logs shop -p release --since 1m -n 0", 0, "");
    desk_expect(d, "bert", "logs shop -p release.1", 2, "no process type release");
    desk_expect(d, "bert", "builds:output 1x", 2, "by its number");
    desk_expect(d, "bert", "builds:attach 1", 0, "-----> Releasing v1");
    desk_expect(d, "bert", "builds:attach 1 --json", 0, "{\"id\":1,\"app\":\"shop\",\"state\":\"live\"");
    desk_expect(d, "bert", "builds:list shop", 0, "3f2c1ab  live  v1");
    desk_expect(d, "bert", "builds:cancel 1", 1, "ended already (live)");
    build = fixture_queue(d->f, d->f->shop);
    desk_expect(d, "bert", "builds:cancel shop", 0, "Canceling build 2... done");
    desk_expect(d, "bert", "builds:attach shop", 1, "build 2 was canceled: canceled by bert");
    build = fixture_queue(d->f, d->f->shop);
    assert_int_equal(GOT(builds_lease(d->f->store, &d->f->me, &b, &err)), 1);
    build_release(&b);
    desk_expect(d, "bert", "builds:output shop", 0, "still building");
    desk_expect(d, "bert", "builds:cancel shop --json", 0, "\"state\":\"building\"");
    desk_expect(d, "bert", "builds:cancel shop", 0, "asked to stop");
    /* One waits behind it: the newer goes first, then the one that is still at work. */
    (void) fixture_queue(d->f, d->f->shop);
    desk_expect(d, "bert", "builds:cancel shop", 0, "Canceling build 4... done\nBuild 3 is still building; cancel it, too: "
                "builds:cancel 3\n");
    desk_expect(d, "bert", "builds:cancel shop", 0, "Build 3 is asked to stop");
    OK(builds_failed(d->f->store, &d->f->me, build, true, 1, "stopped", &err));
    desk_expect(d, "bert", "builds:cancel shop", 1, "ended already");
    desk_expect(d, "bert", "builds:list shop --json", 0, "\"reason\":\"canceled by bert\"");
}

static void begins(struct desk *d, const char *line, const char *text)
{
    assert_int_equal(desk_type(d, "bert", line), 0);
    if (strncmp(buf_str(&d->out), text, strlen(text)) != 0)
        fail_msg("%s: %.200s", line, buf_str(&d->out));
}

/* logs -p build and -p release by --since say what is too much to be shown: lines, or whole builds. */
static void test_logs_left_out(void **state)
{
    struct desk *d = *state;
    cleanup_free char *log = NULL;
    cleanup_buf struct buf text;
    int64_t release = fixture_live(d->f, d->f->shop);

    buf_init(&text, 1 << 20);
    log = store_release_log(d->f->store, release);
    for (int i = 1; i <= LOG_PAST_MAX; i++)
        OK(buf_addf(&text, "line %d\n", i));
    OK(path_write(log, buf_str(&text), buf_len(&text), 0660, &err));
    begins(d, "logs shop -p release --since 1h", "release.v1 line 1\nrelease.v1 line 2\n");
    OK(buf_addstr(&text, "line 10001\n"));
    OK(path_write(log, buf_str(&text), buf_len(&text), 0660, &err));
    begins(d, "logs shop -p release --since 1h", "slipway older lines are left out here: the last 10000 are shown\nrelease.v1 line 2\n");
    begins(d, "logs shop -p build --since 1h --json", "{\"time\":null,\"process\":\"slipway\",\"text\":\"older lines are left out here: the last 10000 are shown\"}\n");
    /* Who has asked for so many knows it. */
    begins(d, "logs shop -p release -n 10000", "release.v1 line 2\n");

    /* Many small ones. */
    OK(path_write(log, "released\n", 9, 0660, &err));
    for (int i = 2; i <= 100; i++)
        (void) fixture_queue(d->f, d->f->shop);
    begins(d, "logs shop -p build --since 1h", "build.1 released\n");
    (void) fixture_queue(d->f, d->f->shop);
    begins(d, "logs shop -p build --since 1h", "slipway older lines are left out here: those of the last 100 builds are shown\n");
    begins(d, "logs shop -p build", "");
    assert_int_equal(buf_len(&d->out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_apps, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_git, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_people, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_config, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_config_input, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_random_values, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_failed_release, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_scale, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_rollback, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_live, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_builds, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_logs_left_out, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
