/* What is typed day to day: stopping and starting, failures looked at and retried, releases compared. */
#include "config.h"

#include "base/mem.h"
#include "base/path.h"
#include "gateway/cidr.h"
#include "gateway/manifest_diff.h"
#include "tests/unit/command_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <cmocka.h>

/* A line in the log of the newest release. */
static void log_line(struct desk *d, const char *line)
{
    cleanup_free char *path = NULL;
    int64_t id = 0;
    FILE *f;

    assert_int_equal(store_int(d->f->store, &id, NULL, "SELECT max(id) FROM releases", ""), 1);
    path = store_release_log(d->f->store, id);
    f = fopen(path, "ae");
    assert_non_null(f);
    (void) fputs(line, f);
    assert_int_equal(fclose(f), 0);
}

static void test_stop(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "ps:stop shop", 1, "push first");
    desk_expect(d, "bert", "ps:report shop", 0, "no release yet");
    desk_expect(d, "bert", "ps:report shop --json", 0, "{\"app\":\"shop\",\"release\":null,\"processes\":[]}");
    (void) fixture_live(d->f, d->f->shop);
    desk_deployer(d);
    desk_expect(d, "bert", "ps:report shop --json", 0,
                "{\"process\":\"web\",\"wanted\":1,\"running\":1,\"ready\":1,\"restarts\":2}");
    desk_expect(d, "bert", "ps:report -a shop", 0, "web:     1 wanted  1 running  1 ready  2 restarts");
    desk_expect(d, "bert", "ps:start shop", 0, "Nothing to do");
    desk_expect(d, "bert", "ps:scale shop web=3", 0, "done, v2");
    desk_expect(d, "bert", "ps:stop shop nope", 2, "no process type nope");
    desk_expect(d, "bert", "ps:stop -a shop web", 0, "Stopping shop... done, v3");
    desk_expect(d, "bert", "releases shop", 0, "stop web=0");
    desk_expect(d, "bert", "ps:stop shop", 0, "Nothing to do");
    desk_expect(d, "bert", "config:set shop A=1", 0, "done, v4"); /* it stays stopped, and what it was is known */
    desk_expect(d, "bert", "ps:scale shop", 0, "web=0");
    desk_expect(d, "bert", "start shop --json", 0, "\"formation\":{\"web\":3,");
    desk_expect(d, "bert", "ps:start shop worker", 0, "worker at 1");
    desk_expect(d, "bert", "ps:scale shop worker=0", 0, "done");
    desk_expect(d, "bert", "stop shop", 0, "Now running web at 0");
    desk_expect(d, "bert", "ps:start shop", 0, "Now running web at 3, worker at 0"); /* scaled, not stopped */
    desk_user(d, "dora", ROLE_DEPLOY);
    desk_expect(d, "dora", "ps:stop shop", 3, "operate");
    desk_expect(d, "anna", "audit shop --json", 0, "\"command\":\"ps:stop\",\"detail\":\"web\",\"result\":0");
}

static void test_failed(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "releases:output shop", 1, "no releases yet");
    desk_expect(d, "bert", "logs:failed shop", 0, "Nothing of shop has failed");
    desk_expect(d, "bert", "logs:failed shop --json", 0, "null\n");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "releases:retry shop", 1, "v1 has not failed (live)");
    d->fail_with = "web crashed";
    desk_expect(d, "bert", "config:set shop A=1", 1, "v2 failed: web crashed");
    log_line(d, "-----> it \033[2Jcrashed\n");
    desk_expect(d, "bert", "logs:failed shop", 0, "=====> v2 of shop (set A) failed: web crashed\n-----> it crashed\n");
    desk_expect(d, "bert", "logs:failed -a shop v1", 1, "v1 has not failed");
    desk_expect(d, "bert", "logs:failed shop --json", 0, "\"release\":2,\"state\":\"failed\"");
    desk_expect(d, "bert", "releases:output shop", 0, "-----> it crashed\n");
    desk_expect(d, "bert", "releases:output -a shop v2 --json", 0, "\"output\":\"-----> it crashed\\n\"");
    desk_expect(d, "bert", "releases:output shop v9", 4, "v9");
    desk_expect(d, "bert", "releases:retry shop", 1, "v3 failed: web crashed. v1 is still live");
    d->fail_with = NULL;
    desk_user(d, "dora", ROLE_DEPLOY);
    desk_user(d, "vera", ROLE_VIEW);
    desk_expect(d, "vera", "releases:retry shop", 3, "deploy");
    desk_expect(d, "dora", "releases:retry -a shop v3", 0, "Retrying v3 of shop... done, v4");
    desk_expect(d, "bert", "releases shop", 0, "retry v3");
    desk_expect(d, "bert", "releases:retry shop v2", 1, "older than v4");
    desk_expect(d, "bert", "releases:retry shop x", 2, "v7");
}

static void test_diff(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "releases:diff shop v1", 4, "no release v1");
    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "config:set shop A=1 B=2", 0, "v2");
    desk_expect(d, "bert", "config:set shop A=3 C=4", 0, "v3");
    desk_expect(d, "bert", "config:unset shop B", 0, "v4");
    desk_expect(d, "bert", "ps:scale shop web=2", 0, "v5");
    desk_expect(d, "bert", "releases:diff shop v2", 0, "Config:     ~A, -B and +C\n");
    desk_expect(d, "bert", "releases:diff -a shop v2 v5 --json", 0,
                "\"config\":{\"added\":[\"C\"],\"removed\":[\"B\"],\"changed\":[\"A\"]},\"formation\":{\"from\":{\"web\":1");
    desk_expect(d, "bert", "releases:diff shop v4 v4", 0, "the same (");
    desk_expect(d, "bert", "releases:diff shop v4 v9", 4, "v9");
}

static void objects_expect(const char *from, const char *to, const char *want)
{
    struct err err = ERR_INIT;
    json_auto_t *diff = manifest_diff(from, to, &err);
    cleanup_free char *text = NULL;

    assert_non_null(diff);
    text = json_dumps(diff, JSON_COMPACT);
    assert_string_equal(text, want);
}

static void test_objects(void **state)
{
    static const char old[] = "[{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"}},{\"kind\":\"Container\","
        "\"process\":\"web\",\"count\":1,\"container\":{\"Env\":[\"A=\",\"B=\"],\"x\":1}}]";
    static const char new[] = "[{\"kind\":\"Container\",\"process\":\"web\",\"count\":2,\"container\":{\"Env\":[\"A=\"]}},"
        "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"b\"}}]";
    struct err err = ERR_INIT;
    json_auto_t *names = manifest_names(old, &err), *none = manifest_names(NULL, &err);
    struct desk *d = *state;

    assert_int_equal(json_array_size(none), 0);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "Container web");
    assert_string_equal(json_string_value(json_array_get(names, 1)), "Service a");
    objects_expect(old, old, "[]");
    objects_expect(old, new, "[{\"object\":\"Container web\",\"change\":\"changed\",\"fields\":[\"count\","
                   "\"container.Env.1\",\"container.x\"]},{\"object\":\"Secret b\",\"change\":\"added\",\"fields\":[]},"
                   "{\"object\":\"Service a\",\"change\":\"removed\",\"fields\":[]}]");
    assert_null(manifest_diff("{}", new, &err));
    assert_int_equal(err.code, ERR_FAILED);

    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "bert", "config:set shop A=1 B=2", 0, "v2");
    desk_expect(d, "bert", "config:set shop A=3", 0, "v3");
    desk_expect(d, "bert", "releases:info shop", 0, "since v2: ~A");
    desk_expect(d, "bert", "releases:info shop v2 --json", 0, "\"config_changed\":[\"+A\",\"+B\"]");
    desk_expect(d, "bert", "releases:info shop v1 --json", 0, "\"config_changed\":[]");
    desk_expect(d, "bert", "releases:diff shop v1 v2", 0, "Objects:    the same\n");
}

static void test_apps(void **state)
{
    struct desk *d = *state;

    desk_user(d, "vera", ROLE_VIEW);
    desk_user(d, "nina", ROLE_NONE);
    desk_expect(d, "vera", "apps:exists shop", 0, "shop exists");
    desk_expect(d, "vera", "apps:exists -a shop --json", 0, "{\"name\":\"shop\",\"exists\":true}");
    desk_expect(d, "nina", "apps:exists shop", 4, "not found");
    desk_expect(d, "bert", "apps:exists nope", 4, "not found");
    desk_expect(d, "vera", "apps:locked shop", 1, "shop is not locked");
    desk_expect(d, "bert", "apps:lock shop migration", 0, "done");
    desk_expect(d, "vera", "apps:locked shop", 0, "locked by bert");
    desk_expect(d, "vera", "apps:locked -a shop --json", 0, "\"locked\":true,\"lock\":{\"reason\":\"migration\",\"by\":\"bert\"");
    desk_expect(d, "bert", "create blog", 0, "Creating");
    desk_expect(d, "bert", "--app blog --force apps:destroy", 0, "done");
}

static void test_cidr(void **state)
{
    static const struct { const char *range, *address; bool in; } known[] = {
        { "192.0.2.0/24", "192.0.2.255", true },   { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.7", "192.0.2.7", true },        { "192.0.2.7", "192.0.2.8", false },
        { "0.0.0.0/0", "203.0.113.9", true },      { "0.0.0.0/0", "2001:db8::1", false },
        { "10.128.0.0/9", "10.127.0.1", false },   { "10.128.0.0/9", "10.200.0.1", true },
        { "2001:db8::/33", "2001:db8:7fff::", true }, { "2001:db8::/33", "2001:db8:8000::", false },
        { "192.0.2.0/24", "unknown", false },      { "192.0.2.0/24", "", false },
    };
    static const char *const wrong[] = {
        "", "/", "x", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.1/24", "192.0.2/24", "::1/129", "::1/64",
        "192.0.2.0/24 ", "192.0.2.0/24/8", "host.example.com",
    };
    struct cidr c;

    (void) state;
    for (size_t i = 0; i < countof(known); i++) {
        OK(cidr_parse(known[i].range, &c, &err));
        assert_int_equal(cidr_contains(&c, known[i].address), known[i].in);
    }
    for (size_t i = 0; i < countof(wrong); i++)
        REFUSED(ERR_USAGE, "192.0.2.0/24", cidr_parse(wrong[i], &c, &err));
}

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC73Zra08QV7GeKy+k7XfVbq7Zabshvif+0VQiHiwpH1 ci"

/* Every command of the table with a deploy key for push and logs of shop, by an admin. */
static void test_bound(struct desk *d)
{
    int denials = 0;

    d->verbs = "push logs";
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        static const char *const words[] = { "", " shop", " blog", " blog --json", " 1" };

        if (command_verb_in("help version whoami logs", cmd->name))
            continue;
        for (size_t i = 0; i < countof(words); i++) {
            cleanup_free char *line = xasprintf("%s%s", cmd->name, words[i]);

            desk_expect(d, "anna", line, ERR_DENIED, "it may: push logs");
            assert_int_equal(buf_len(&d->out), 0);
            denials++;
        }
    }
    assert_true(denials >= 200);
    desk_expect(d, "anna", "logs blog", 4, "app blog not found");
    desk_expect(d, "anna", "logs nope", 4, "app nope not found");
    desk_expect(d, "anna", "logs shop", 0, "hello");
    desk_expect(d, "anna", "whoami --json", 0, "\"admin\":false,\"may_create\":false");
    d->verbs = "builds:output config:set";
    desk_expect(d, "anna", "config:set shop A=1 --no-restart", 0, "done");
    desk_expect(d, "vera", "config:set shop A=2", 3, "operate"); /* no more than whose key it is */
}

static void test_deploy_keys(void **state)
{
    struct desk *d = *state;

    desk_user(d, "vera", ROLE_VIEW);
    desk_user(d, "nina", ROLE_NONE);
    (void) fixture_live(d->f, d->f->shop);
    desk_deployer(d);
    desk_expect(d, "anna", "apps:create blog", 0, NULL);
    desk_expect(d, "nina", "keys:add --deploy shop " KEY, 4, "app shop not found");
    desk_expect(d, "vera", "keys:add --deploy shop " KEY, 3, "deploy");
    desk_expect(d, "bert", "keys:add --expires 1d " KEY, 2, "are for deploy keys");
    desk_expect(d, "bert", "keys:add --deploy shop --verbs push,apps:destroy " KEY, 2, "--verbs takes");
    desk_expect(d, "bert", "keys:add --deploy shop --verbs users:list " KEY, 2, "--verbs takes");
    desk_expect(d, "bert", "keys:add --deploy shop --verbs push, " KEY, 2, "--verbs takes");
    desk_expect(d, "bert", "keys:add --deploy shop --from 10.0.0.1/8 " KEY, 2, "--from needs");
    desk_expect(d, "bert", "keys:add --deploy shop --expires soon " KEY, 2, "--expires needs");
    desk_expect(d, "anna", "keys:add --deploy shop --user bert " KEY, 2, "acts for you");
    desk_expect(d, "bert", "keys:add --deploy shop --verbs push,scale --from 10.0.0.0/8 --expires 90d " KEY, 0,
                "for shop (push ps:scale)... done");
    desk_expect(d, "bert", "keys:list", 0, "never used  deploys shop: push ps:scale, from 10.0.0.0/8, until ");
    desk_expect(d, "bert", "keys:list --json", 0, "\"deploy\":\"shop\",\"verbs\":[\"push\",\"ps:scale\"],"
                "\"from\":\"10.0.0.0/8\",\"expires_at\":\"20");
    desk_expect(d, "anna", "audit --json", 0, "--deploy shop --verbs push ps:scale --from 10.0.0.0/8 --expires 90d");
    d->bound_app = d->f->shop;
    test_bound(d);
}

static void test_rotate(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "bert", "secrets:rotate", 3, "admin");
    desk_expect(d, "anna", "secrets:rotate now", 2, "secrets:rotate");
    desk_expect(d, "bert", "config:set shop A=1 B=2 --no-restart", 0, NULL);
    desk_expect(d, "bert", "config:set shop B=3 --build --run --no-restart", 0, NULL);
    desk_expect(d, "anna", "secrets:rotate", 0, "run keys: 3 values sealed anew, the former key is destroyed");
    desk_expect(d, "anna", "secrets:rotate --json", 0,
                "{\"run\":{\"sealed\":3,\"unreadable\":0},\"build\":{\"sealed\":1,\"unreadable\":0}}\n");
    OK(store_exec(d->f->store, &err, "UPDATE config_values SET sealed_build = x'00'", ""));
    desk_expect(d, "anna", "secrets:rotate", 1, "3 stored values opened with no key before");
    desk_expect(d, "anna", "audit --json", 0, "\"command\":\"secrets:rotate\",\"detail\":\"\",\"result\":1");
    d->gone = true;
    (void) desk_type(d, "anna", "secrets:rotate"); /* it is asked for all the same */
    d->gone = false;
    desk_expect(d, "anna", "secrets:rotate", 1, "run keys: 3 values");
}

static void test_repo(void **state)
{
    struct desk *d = *state;
    cleanup_free char *repos = xasprintf("%s/repos", d->f->state);
    cleanup_free char *repo = xasprintf("%s/%lld.git", repos, (long long) d->f->shop);
    cleanup_free char *lock_path = xasprintf("%s/repack.lock", repo);
    int lock;

    desk_user(d, "vera", ROLE_VIEW);
    desk_expect(d, "vera", "repo:gc shop", 3, "operate");
    desk_expect(d, "vera", "repo:purge-cache shop", 3, "operate");
    desk_expect(d, "bert", "repo:gc shop now", 2, "repo:gc");
    desk_expect(d, "bert", "repo:gc -a shop --json", 0,
                "{\"app\":\"shop\",\"bytes_before\":0,\"bytes\":0,\"packs_before\":0,\"packs\":0}\n");
    OK(path_mkdir(repos, 0700, &err));
    OK(path_mkdir(repo, 0700, &err));
    desk_expect(d, "bert", "repo:gc shop", 1, "cannot open the repository");
    lock = open(lock_path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0 && flock(lock, LOCK_EX) == 0);
    desk_expect(d, "bert", "repo:gc shop", 5, "is being packed already");
    (void) close(lock);

    desk_expect(d, "bert", "repo:purge-cache shop", 0, "It is removed");
    desk_expect(d, "bert", "repo:purge-cache -a shop --json", 0, "{\"app\":\"shop\",\"purged\":true}\n");
    d->builder_fails = "the Docker engine is away";
    desk_expect(d, "bert", "repo:purge-cache shop", 1, "the build cache of shop: the Docker engine is away");
    (void) fixture_queue(d->f, d->f->shop);
    OK(store_exec(d->f->store, &err, "UPDATE builds SET state = 'building'", ""));
    desk_expect(d, "bert", "repo:purge-cache shop", 5, "build 1 of shop uses the cache now");
    desk_expect(d, "anna", "audit --json", 0, "\"command\":\"repo:purge-cache\",\"detail\":\"\",\"result\":5");
}

static void test_storage(void **state)
{
    static const char report[] = "{\"spool\":4096,\"docker\":{\"root\":\"/var/lib/docker\",\"free\":5368709120,\"size\":10737418240,"
        "\"images\":2147483648,\"caches\":1048576,\"volumes\":2097152},\"docker_error\":null,"
        "\"apps\":{\"1\":{\"cache\":1048576,\"images\":3072,\"registry\":null}}}";
    struct desk *d = *state;

    desk_user(d, "vera", ROLE_VIEW);
    desk_user(d, "nina", ROLE_NONE);
    desk_expect(d, "anna", "apps:create blog", 0, NULL);
    d->report = report;
    desk_expect(d, "vera", "storage:report", 3, "without an app only admins of this server may use storage:report");
    desk_expect(d, "nina", "storage:report shop", 4, "app shop not found");
    desk_expect(d, "vera", "storage:report shop extra", 2, "storage:report");
    desk_expect(d, "vera", "storage:report shop", 0, "shop  0 bytes     1.0 MiB      3.0 KiB  -");
    desk_expect(d, "vera", "storage:report -a shop --json", 0,
                "{\"app\":\"shop\",\"repository\":0,\"cache\":1048576,\"images\":3072,\"registry\":null}\n");
    desk_expect(d, "anna", "storage:report", 0, "/var/lib/docker: 5.0 GiB free of 10 GiB");
    desk_expect(d, "anna", "storage:report", 0, "  Build caches:    1.0 MiB\n");
    desk_expect(d, "anna", "storage:report", 0, "shop  0 bytes     1.0 MiB      3.0 KiB  -\nblog  0 bytes     -            -        -\n");
    desk_expect(d, "anna", "storage:report --json", 0, "\"spool\":4096},\"docker\":{\"root\":\"/var/lib/docker\",");
    d->report = "{\"spool\":0,\"docker\":null,\"docker_error\":\"no engine\",\"apps\":{}}";
    desk_expect(d, "anna", "storage:report", 0, "not known: no engine");
    d->report = "{";
    desk_expect(d, "anna", "storage:report", 1, "the builder's answer");
    d->builder_fails = "the database is locked";
    desk_expect(d, "anna", "storage:report", 1, "the report: the database is locked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stop, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_repo, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_storage, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_rotate, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_failed, desk_setup, desk_teardown),
        cmocka_unit_test(test_cidr),
        cmocka_unit_test_setup_teardown(test_deploy_keys, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_objects, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_apps, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_diff, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
