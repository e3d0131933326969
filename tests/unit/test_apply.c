/* apps:export, apps:apply and apps:import as a person types them, and what a document may say. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/app_document.h"
#include "gateway/app_document_seal.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FORMER "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* A live app whose image has a name as real ones have. */
static void live(struct desk *d)
{
    (void) fixture_live(d->f, d->f->shop);
    OK(store_exec(d->f->store, &err, "UPDATE releases SET digest = '" FORMER "'", ""));
}

static void apply(struct desk *d, const char *line, const char *document, int code, const char *text)
{
    d->input = document;
    desk_expect(d, "bert", line, code, text);
}

static void test_parse(void **state)
{
    static const struct { const char *text, *why; } wrong[] = {
        { "", "line 1" },
        { "{\"slipway\": 1,\n \"name\": }", "line 2, column" },
        { "{\"slipway\": 1, \"name\": \"a\", \"name\": \"b\"}", "not valid JSON" },
        { "[1]", "one JSON object" },
        { "{}", "slipway: the document's version" },
        { "{\"slipway\": 2}", "slipway: the document's version must be 1" },
        { "{\"slipway\": 1, \"nmae\": 1}", "nmae is no member" },
        { "{\"slipway\": 1, \"\\u001b[2J\": 1}", "one of its names is no member" },
        { "{\"slipway\": 1, \"name\": \"../x\"}", "name: " },
        { "{\"slipway\": 1, \"name\": 7}", "name: a text was expected" },
        { "{\"slipway\": 1, \"deploy_branch\": \"-x\"}", "deploy_branch: the name of a branch" },
        { "{\"slipway\": 1, \"on_disconnect\": \"stop\"}", "on_disconnect: \"continue\" or \"cancel\"" },
        { "{\"slipway\": 1, \"target\": \"moon\"}", "target: \"docker\" or \"kubernetes\"" },
        { "{\"slipway\": 1, \"image\": \"a/b:1\"}", "image: a digest was expected" },
        { "{\"slipway\": 1, \"image\": \"A B\"}", "image: " },
        { "{\"slipway\": 1, \"formation\": [1]}", "formation: an object was expected" },
        { "{\"slipway\": 1, \"formation\": {\"web\": -1}}", "formation.web: a whole number from 0 to 1000" },
        { "{\"slipway\": 1, \"formation\": {\"We b\": 1}}", "formation: " },
        { "{\"slipway\": 1, \"config\": {\"A\": \"x\"}}", "config.A: an object was expected" },
        { "{\"slipway\": 1, \"config\": {\"PORT\": {}}}", "config: " },
        { "{\"slipway\": 1, \"config\": {\"A\": {\"vlaue\": \"x\"}}}", "config.A: only the members scopes and value" },
        { "{\"slipway\": 1, \"config\": {\"A\": {\"value\": 7}}}", "config.A.value: a text was expected" },
        { "{\"slipway\": 1, \"config\": {\"A\": {\"scopes\": []}}}", "config.A.scopes: a list" },
        { "{\"slipway\": 1, \"config\": {\"A\": {\"scopes\": [\"run\", \"x\"]}}}", "config.A.scopes: a list" },
        { "{\"slipway\": 1, \"access\": {\"carl\": \"none\"}}", "access.carl: \"view\"" },
        { "{\"slipway\": 1, \"domains\": {}}", "domains: a list" },
        { "{\"slipway\": 1, \"domains\": [1]}", "domains: a domain is a host name" },
        { "{\"slipway\": 1, \"domains\": [\"a.example.com\", \"a b\"]}", "domains: a domain is a host name" },
        { "{\"slipway\": 1, \"sealed\": {}}", "sealed: only who has the key can open the values" },
    };
    struct app_document d;

    (void) state;
    for (size_t i = 0; i < countof(wrong); i++) {
        struct err err = ERR_INIT;

        assert_int_equal(app_document_parse(wrong[i].text, strlen(wrong[i].text), &d, &err), -1);
        if (err.code != ERR_USAGE || strstr(err.msg, wrong[i].why) == NULL)
            fail_msg("%s: \"%s\" was expected, not %d \"%s\"", wrong[i].text, wrong[i].why, err.code, err.msg);
    }
}

static void test_refused(void **state)
{
    struct desk *d = *state;

    desk_user(d, "carl", ROLE_OPERATE);
    desk_expect(d, "carl", "apps:export shop", ERR_DENIED, "needs the role own");
    d->input = "{\"slipway\": 1}";
    desk_expect(d, "carl", "apps:apply shop", ERR_DENIED, "needs the role own");
    desk_expect(d, "carl", "apps:import", ERR_DENIED, "you may not create apps here");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"name\": \"blog\"}", ERR_USAGE, "name: the document is of blog, not of shop");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"target\": \"docker\"}", 0, "Nothing to do");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"target\": \"kubernetes\"}", ERR_FAILED, "apps:move shop --to kubernetes");
    apply(d, "apps:import", "{\"slipway\": 1}", ERR_USAGE, "apps:import NAME");
    apply(d, "apps:import shop", "{\"slipway\": 1}", ERR_FAILED, "the name shop is taken");
    /* All or nothing: the last member does not fit. */
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"deploy_branch\": \"trunk\", \"formation\": {\"web\": 3}, \"config\": {\"A\": "
          "{\"value\": \"x\"}}, \"access\": {\"nobody\": \"view\"}}", ERR_NOT_FOUND, "access.nobody: ");
    desk_expect(d, "bert", "apps:export shop --json", 0, "\"deploy_branch\":\"main\"");
    desk_expect(d, "bert", "apps:export shop --json", 0, "\"formation\":{},\"config\":{},\"domains\":[],\"access\":{\"bert\":\"own\",\"carl\":"
                "\"operate\"}}");
    apply(d, "apps:import copy", "{\"slipway\": 1, \"config\": {\"A\": {\"value\": \"x\"}}, \"access\": {\"nobody\": \"view\"}}",
          ERR_NOT_FOUND, "access.nobody: ");
    desk_expect(d, "bert", "apps:info copy", ERR_NOT_FOUND, NULL);
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"config\": {\"A\": {}}}", ERR_FAILED, "config.A: it is not set in shop");
}

/* A document's domains are all that the app has; those of other apps are theirs. */
static void test_domains(void **state)
{
    struct desk *d = *state;
    cleanup_free char *exported = NULL;

    OK(conf_set(&d->conf, "target.target=docker", &err));
    desk_deployer(d);
    live(d);
    desk_expect(d, "bert", "domains:add shop a.example.com b.example.com", 0, NULL);
    desk_expect(d, "bert", "apps:export shop --json", 0, "\"domains\":[\"a.example.com\",\"b.example.com\"]");
    exported = xstrdup(buf_str(&d->out));
    apply(d, "apps:apply shop", exported, 0, "Nothing to do");
    apply(d, "apps:apply shop", "{\"slipway\": 1}", 0, "Nothing to do");
    apply(d, "apps:apply shop --plan", "{\"slipway\": 1, \"domains\": [\"b.example.com\", \"C.example.com\"]}", 0,
          "~ domains: [\"a.example.com\",\"b.example.com\"] -> [\"b.example.com\",\"c.example.com\"]\n"
          "This is a plan, and nothing was changed. There would be a release");
    desk_expect(d, "bert", "domains shop", 0, "a.example.com\nb.example.com\n");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"domains\": [\"b.example.com\", \"c.example.com\"]}", 0, "done, v");
    desk_expect(d, "bert", "domains shop", 0, "b.example.com\nc.example.com\n");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"domains\": [\"x.localhost\"]}", ERR_FAILED, "domains: names below localhost");
    /* A copy on the same server, and its way back. */
    apply(d, "apps:import copy", "{\"slipway\": 1, \"domains\": [\"b.example.com\", \"new.example.com\"]}", 0,
          " !     Other apps have these domains, and keep them: b.example.com\n");
    desk_expect(d, "bert", "domains copy", 0, "new.example.com\n");
    apply(d, "apps:apply copy", "{\"slipway\": 1, \"domains\": [\"b.example.com\"]}", ERR_FAILED,
          "domains: b.example.com is another");
    desk_expect(d, "bert", "domains copy", 0, "new.example.com\n");
    apply(d, "apps:apply copy", "{\"slipway\": 1, \"domains\": []}", 0, "- domains: [\"new.example.com\"]\n");
    desk_expect(d, "bert", "apps:clone shop twin", 0, "shop keeps its domains: b.example.com and c.example.com\n");
    desk_expect(d, "bert", "domains twin", 0, "no domains of its own");
    /* Where the target has none. */
    OK(conf_set(&d->conf, "kubernetes.kubeconfig=/dev/null", &err));
    apply(d, "apps:import away", "{\"slipway\": 1, \"target\": \"kubernetes\", \"domains\": [\"z.example.com\"]}", ERR_FAILED,
          "domains: on this server an app on kubernetes has no host names of its own");
}

static const char wanted[] =
    "{\"slipway\": 1, \"name\": \"shop\", \"deploy_branch\": \"trunk\", \"on_disconnect\": \"cancel\", \"formation\": "
    "{\"web\": 3}, \"config\": {\"A\": {\"value\": \"secret-a\"}, \"B\": {\"value\": \"secret-b\", \"scopes\": [\"run\", "
    "\"build\"]}}, \"access\": {\"carl\": \"deploy\"}}";

static void test_apply(void **state)
{
    struct desk *d = *state;
    cleanup_free char *exported = NULL;

    desk_deployer(d);
    desk_user(d, "carl", ROLE_VIEW);
    desk_user(d, "dora", ROLE_OPERATE);
    live(d);
    desk_expect(d, "bert", "config:set --no-restart shop OLD=1 B=other", 0, NULL);
    apply(d, "apps:apply shop --plan", wanted, 0, "This is a plan, and nothing was changed. There would be a release");
    assert_non_null(strstr(buf_str(&d->out), "~ deploy_branch: main -> trunk\n~ on_disconnect: continue -> cancel\n"
                           "+ formation.web: 3\n+ config.A: [\"run\"]\n~ config.B: [\"run\"] -> [\"run\",\"build\"]\n"
                           "- config.OLD: [\"run\"]\n~ access.carl: view -> deploy\n- access.dora: operate\n"));
    desk_expect(d, "bert", "config:keys shop", 0, "OLD");
    desk_expect(d, "bert", "releases shop --json", 0, "\"version\":1");
    d->fail_with = "web crashed";
    apply(d, "apps:apply shop", wanted, ERR_FAILED, "v2 failed: web crashed. v1 is still live; what else the document says");
    d->fail_with = NULL;
    /* What has failed is not done yet. */
    apply(d, "apps:apply shop --plan --json", wanted, 0, "\"changes\":[],\"missing_values\":[],\"taken_domains\":[],\"releases\":true,\"release\":null");
    apply(d, "apps:apply -a shop", wanted, 0, "Applying the document to shop... done, v3");
    apply(d, "apps:apply shop", wanted, 0, "Nothing to do: shop is as the document says");
    desk_expect(d, "bert", "config:export shop --format dotenv", 0, "A='secret-a'\nB='secret-b'\n");
    assert_null(strstr(buf_str(&d->out), "OLD"));
    desk_expect(d, "bert", "ps:scale shop", 0, "3");
    desk_expect(d, "carl", "config:set shop A=1", ERR_DENIED, NULL);
    desk_expect(d, "dora", "apps:info shop", ERR_NOT_FOUND, NULL);
    desk_expect(d, "bert", "audit shop --json", 0, "config.A");
    assert_null(strstr(buf_str(&d->out), "secret"));
    /* What was exported is so already, and stays so where nothing is told. */
    desk_expect(d, "bert", "apps:export shop", 0, "\"deploy_branch\": \"trunk\"");
    assert_null(strstr(buf_str(&d->out), "secret"));
    exported = xstrdup(buf_str(&d->out));
    apply(d, "apps:apply shop", exported, 0, "Nothing to do");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": null}", 0, "Nothing to do");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {}}", 0, "- access.carl: deploy");
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"config\": {\"A\": {\"scopes\": [\"build\"]}}}", ERR_FAILED,
          "config.A.scopes: they differ");
    /* The owner keeps what is the owner's. */
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"access\": {\"bert\": \"view\"}}", 0, "Nothing to do");
}

static void test_image(void **state)
{
    struct desk *d = *state;
    cleanup_free char *old = NULL;

    live(d);
    desk_expect(d, "bert", "apps:export shop --json", 0, "\"image\":\"");
    old = xstrdup(buf_str(&d->out));
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"image\": \"docker.io/library/hello@" DIGEST "\"}", 0, "done, v2");
    OK(store_exec(d->f->store, &err, "UPDATE releases SET digest = '" DIGEST "' WHERE version = 2", ""));
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"image\": \"docker.io/library/hello@" DIGEST "\"}", 0, "Nothing to do");
    /* Back to one that was live here: its commit comes back with it. */
    apply(d, "apps:apply shop", old, 0, "done, v3");
    desk_expect(d, "bert", "apps:info shop --json", 0, "\"commit\":\"");
    desk_expect(d, "bert", "apps:lock shop noon", 0, NULL);
    apply(d, "apps:apply shop", "{\"slipway\": 1, \"image\": \"docker.io/library/hello@" DIGEST "\"}", ERR_BUSY, "shop is locked");
}

static void test_import(void **state)
{
    struct desk *d = *state;
    cleanup_free char *exported = NULL;

    desk_deployer(d);
    desk_user(d, "carl", ROLE_VIEW);
    live(d);
    desk_expect(d, "bert", "config:set --no-restart shop A=1 B=2", 0, NULL);
    desk_expect(d, "bert", "ps:scale shop web=2", 0, NULL);
    desk_expect(d, "bert", "apps:export shop", 0, NULL);
    exported = xstrdup(buf_str(&d->out));
    apply(d, "apps:import copy", exported, 0, "Without a value, and so nothing is released: A and B");
    desk_expect(d, "bert", "releases copy --json", 0, "[]");
    desk_expect(d, "bert", "access:list copy", 0, "carl");
    desk_expect(d, "bert", "config:set --no-restart copy A=3 B=4", 0, NULL);
    apply(d, "apps:apply copy", exported, ERR_USAGE, "name: the document is of shop");
    memcpy(strstr(exported, "\"shop\""), "\"copy\"", 6);
    apply(d, "apps:apply copy", exported, 0, "Applying the document to copy... done, v1");
    apply(d, "apps:import fresh --skip-deploy --json", "{\"slipway\": 1, \"config\": {\"A\": {\"value\": \"1\"}}, \"image\": "
          "\"docker.io/library/hello@" DIGEST "\"}", 0, "{\"app\":\"fresh\",\"plan\":false,\"changes\":[");
    desk_expect(d, "bert", "releases fresh --json", 0, "[]");
    apply(d, "apps:import", "{\"slipway\": 1, \"name\": \"other\", \"config\": {\"A\": {\"value\": \"1\"}}, \"image\": "
          "\"docker.io/library/hello@" DIGEST "\"}", 0, "Creating other from the document... done, v1");
    desk_expect(d, "bert", "config:get other A", 0, "1\n");
}

static void test_key(void **state)
{
    static const char *const wrong[] = {
        "", "x", "AAAA", "SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk", "-------------------------------------------=",
        "SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk=\nx",
    };
    unsigned char key[crypto_box_PUBLICKEYBYTES];
    char text[APP_KEY_TEXT];

    (void) state;
    for (size_t i = 0; i < countof(wrong); i++)
        REFUSED(ERR_USAGE, "--with-config needs a key of 32 bytes", app_key_parse(wrong[i], "--with-config", key, &err));
    OK(app_key_parse("SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk=\n", "key", key, &err));
    app_key_text(key, text);
    assert_string_equal(text, "SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk=");
}

/* The values are in the box, for one key and no other. */
static void test_sealed(void **state)
{
    unsigned char public[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES], other[crypto_box_SECRETKEYBYTES];
    struct desk *d = *state;
    cleanup_free char *line = NULL, *opened = NULL;
    json_auto_t *doc = NULL;
    char to[APP_KEY_TEXT];

    desk_deployer(d);
    live(d);
    desk_expect(d, "bert", "config:set --no-restart shop A=secret-a 'B=secret b'", 0, NULL);
    desk_expect(d, "bert", "config:set --no-restart --build shop TOKEN=secret-c", 0, NULL);
    (void) crypto_box_keypair(public, secret);
    (void) crypto_box_keypair(public, other);
    (void) crypto_scalarmult_base(public, secret);
    app_key_text(public, to);
    line = xasprintf("apps:export shop --with-config %s --json", to);
    desk_expect(d, "bert", "apps:export shop --with-config x", ERR_USAGE, "--with-config needs a key");
    desk_expect(d, "bert", "apps:export shop --with-config AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ERR_USAGE, "nothing can be "
                "sealed to this key");
    desk_expect(d, "bert", line, 0, "\"sealed\":{\"to\":\"");
    assert_non_null(strstr(buf_str(&d->err), "without a value in the document: TOKEN"));
    assert_null(strstr(buf_str(&d->out), "secret"));
    doc = json_parse(buf_str(&d->out), buf_len(&d->out), "what was exported", NULL);
    REFUSED(ERR_USAGE, "sealed to another key", app_document_unseal(doc, other, &err));
    OK(app_document_unseal(doc, secret, &err));
    REFUSED(ERR_USAGE, "the document has no sealed values", app_document_unseal(doc, secret, &err));
    opened = json_text(doc);
    assert_non_null(strstr(opened, "\"A\":{\"scopes\":[\"run\"],\"value\":\"secret-a\"}"));
    assert_non_null(strstr(opened, "\"value\":\"secret b\""));
    assert_null(strstr(opened, "secret-c"));
    apply(d, "apps:apply shop", opened, 0, "done, v2"); /* the config is newer than the release */
    apply(d, "apps:apply shop", opened, 0, "Nothing to do");
    apply(d, "apps:import copy --skip-deploy", opened, 0, "TOKEN");
    desk_expect(d, "bert", "config:get copy B", 0, "secret b\n");
    desk_expect(d, "bert", "audit shop", 0, "--with-config");
    (void) json_object_set_new(doc, "sealed", json_pack("{s:s, s:s}", "to", to, "box", "AAAA"));
    REFUSED(ERR_USAGE, "sealed.box: it is damaged", app_document_unseal(doc, secret, &err));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, desk_setup, desk_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_parse), TEST(test_refused), TEST(test_apply), TEST(test_image), TEST(test_import), TEST(test_domains),
        TEST(test_key), TEST(test_sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
