/* domains:add, domains:list, domains:remove, domains:clear as a person types them. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_parse(void **state)
{
    static const char *const bad[] = {
        "", "localhost", "a..b", ".a.b", "a.b.", "-a.b", "a-.b", "a b.c", "a_b.c", "*.example.com", "http://a.b", "a.b:80", "a.b/c",
        "10.0.0.1", "\303\244.example.com", "a.b\n",
        "a123456789012345678901234567890123456789012345678901234567890123.com",
    };
    cleanup_free char *domain = domain_parse("WWW.Example-1.com", NULL), *numbers = domain_parse("4.example.com", NULL);

    (void) state;
    assert_string_equal(domain, "www.example-1.com");
    assert_non_null(numbers);
    for (size_t i = 0; i < countof(bad); i++)
        assert_null(domain_parse(bad[i], NULL));
}

static void test_words(void **state)
{
    struct desk *d = *state;

    desk_expect(d, "anna", "domains shop", 0, "no domains of its own");
    desk_expect(d, "anna", "domains:add shop", ERR_USAGE, NULL);
    desk_expect(d, "anna", "domains:add shop www.example.com nothing", ERR_USAGE, "www.example.com");
    desk_expect(d, "anna", "domains:list shop --json", 0, "\"domains\":[]");
    desk_expect(d, "anna", "domains:add shop shop.localhost", ERR_FAILED, "an app named shop has shop.localhost");
    desk_expect(d, "anna", "domains:add shop www.shop.localhost WWW.example.com", 0, "Adding www.shop.localhost and www.example.com");
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, "Nothing to do");
    desk_expect(d, "anna", "domains -a shop --json", 0, "\"domains\":[\"www.example.com\",\"www.shop.localhost\"],\"release\":null");
    desk_user(d, "vera", ROLE_DEPLOY);
    desk_expect(d, "vera", "domains:add shop x.example.com", ERR_DENIED, NULL);
    desk_expect(d, "vera", "domains:list shop", 0, "www.example.com\nwww.shop.localhost\n");
    /* One app's alone. */
    desk_expect(d, "anna", "apps:create blog", 0, NULL);
    desk_expect(d, "anna", "domains:add blog new.example.com www.example.com", ERR_FAILED, "another app's domain");
    desk_expect(d, "anna", "domains:list blog --json", 0, "\"domains\":[]");
    desk_expect(d, "anna", "domains:remove blog www.example.com", ERR_NOT_FOUND, "no domain www.example.com");
    desk_expect(d, "anna", "domains:remove shop www.example.com", 0, "Removing www.example.com");
    desk_expect(d, "anna", "domains:add blog www.example.com", 0, NULL);
    desk_expect(d, "anna", "audit shop", 0, "domains:remove");
}

static void test_live(void **state)
{
    struct desk *d = *state;

    (void) fixture_live(d->f, d->f->shop);
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, "Adding www.example.com to shop... done, v2");
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, "Nothing to do");
    desk_expect(d, "anna", "releases shop --json", 0, "\"description\":\"add domain www.example.com\"");
    d->fail_with = "web crashed";
    desk_expect(d, "anna", "domains:remove shop www.example.com", ERR_FAILED, "stays recorded");
    d->fail_with = NULL;
    desk_expect(d, "anna", "domains shop --json", 0, "\"domains\":[]");
    desk_expect(d, "anna", "domains:clear shop", 0, "Nothing to do");
    desk_expect(d, "anna", "domains:add shop a.example.com b.example.com", 0, "done, v4");
    desk_expect(d, "anna", "apps:info shop", 0, "a.example.com and b.example.com");
    desk_expect(d, "anna", "domains:clear shop --json", 0, "\"domains\":[],\"release\":5");
}

/* Without an Ingress, names lead nowhere on Kubernetes: nothing is changed. */
static void test_kubernetes(void **state)
{
    struct desk *d = *state;

    OK(conf_set(&d->conf, "target.target=docker", &err));
    OK(conf_set(&d->conf, "kubernetes.kubeconfig=/kubeconfig", &err));
    desk_deployer(d);
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, NULL);
    desk_expect(d, "anna", "apps:move shop --to kubernetes", ERR_FAILED, "expose = ingress");
    OK(conf_set(&d->conf, "kubernetes.expose=ingress", &err));
    desk_expect(d, "anna", "apps:move shop --to kubernetes", 0, NULL);
    OK(conf_set(&d->conf, "kubernetes.expose=nodeport", &err));
    desk_expect(d, "anna", "domains:add shop api.example.com", ERR_FAILED, "expose = ingress; nothing was changed");
    desk_expect(d, "anna", "domains:remove shop www.example.com", 0, NULL);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, desk_setup, desk_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse), TEST(test_words), TEST(test_live), TEST(test_kubernetes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
