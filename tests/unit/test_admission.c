#include "config.h"

#include "base/mem.h"
#include "gateway/admission.h"
#include "gateway/policy.h"
#include "gateway/refusal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_startups(void **state)
{
    static const char *const wrong[] = { "", "10", "10:30", "10:30:", "10:30:5", "0:30:10", "1:0:10", "1:101:10",
                                         "a:b:c", "1:2:3:4", "-1:2:3", "1 :2:3", "1:2:99999999999999999999" };
    struct startups s;
    int refused = 0;

    (void) state;
    assert_int_equal(startups_parse("10:30:100", &s, NULL), 0);
    for (int dice = 0; dice < 100; dice++) {
        assert_false(startups_refuse(&s, 9, dice));
        assert_true(startups_refuse(&s, 100, dice));
        refused += startups_refuse(&s, 10, dice);
    }
    assert_int_equal(refused, 30);
    refused = 0;
    for (int dice = 0; dice < 100; dice++)
        refused += startups_refuse(&s, 55, dice);
    assert_int_equal(refused, 65);
    assert_int_equal(startups_parse("5:100:5", &s, NULL), 0);
    assert_true(startups_refuse(&s, 5, 99));
    for (size_t i = 0; i < countof(wrong); i++)
        assert_int_equal(startups_parse(wrong[i], &s, NULL), -1);
}

static struct peer peer4(const char *text)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    struct peer p;

    assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
    peer_of((struct sockaddr *) &a, &p);
    return p;
}

static struct peer peer6(const char *text)
{
    struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
    struct peer p;

    assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
    peer_of((struct sockaddr *) &a, &p);
    return p;
}

static bool same(struct peer a, struct peer b)
{
    return peer_equal(&a, &b);
}

static void test_peers(void **state)
{
    (void) state;
    assert_true(same(peer4("192.0.2.1"), peer4("192.0.2.1")));
    assert_false(same(peer4("192.0.2.1"), peer4("192.0.2.2")));
    assert_true(same(peer4("192.0.2.1"), peer6("::ffff:192.0.2.1")));
    assert_true(same(peer6("2001:db8::1"), peer6("2001:db8::ffff:1")));
    assert_false(same(peer6("2001:db8::1"), peer6("2001:db8:0:1::1")));
    assert_false(same(peer6("c000:201::"), peer4("192.0.2.1")));
}

static void test_peer_text(void **state)
{
    char text[PEER_TEXT];
    struct peer p = peer4("192.0.2.1");

    (void) state;
    peer_text(&p, text);
    assert_string_equal(text, "192.0.2.1");
    p = peer6("2001:db8:1:2:3:4:5:6");
    peer_text(&p, text);
    assert_string_equal(text, "2001:db8:1:2::/64");
}

/* RFC 4253 section 6: the length counts all behind it, the whole is a multiple of 8 with at least 4 bytes of padding. */
static void test_refusal(void **state)
{
    static const unsigned char hi[] = { 0, 0, 0, 20, 4, 1, 0, 0, 0, 12, 0, 0, 0, 2, 'h', 'i' };
    unsigned char packet[REFUSAL_MAX];
    char text[REFUSAL_TEXT_MAX + 10];

    (void) state;
    assert_int_equal(refusal_packet("hi", packet), 24);
    assert_memory_equal(packet, hi, sizeof(hi));
    for (size_t n = 0; n < sizeof(text); n++) {
        size_t shown = n < REFUSAL_TEXT_MAX ? n : REFUSAL_TEXT_MAX, size;

        memset(text, 'x', n);
        text[n] = '\0';
        size = refusal_packet(text, packet);
        assert_true(size <= REFUSAL_MAX && size % 8 == 0 && packet[4] >= 4 && packet[4] <= 11);
        assert_int_equal(packet[2] << 8 | packet[3], size - 4);
        assert_int_equal(packet[12] << 8 | packet[13], shown);
        assert_int_equal(size, 4 + 1 + 9 + shown + 4 + packet[4]);
    }
}

static void test_git_names(void **state)
{
    static const char *const git[] = { ".git", ".GIT", ".Git", ".git.", ".git ", ".git. .", "git~1", "GIT~1", ".git::$INDEX",
                                       ".git:x", "git~1.", "git~1 " };
    static const char *const fine[] = { "git", ".gitignore", ".gitattributes", ".github", "git~2", "a.git", ".gi", "..git", "", " .git" };

    (void) state;
    for (size_t i = 0; i < countof(git); i++)
        assert_true(policy_name_is_git(git[i]));
    for (size_t i = 0; i < countof(fine); i++)
        assert_false(policy_name_is_git(fine[i]));
}

static void test_links(void **state)
{
    static const struct { const char *dir, *target; bool stays; } links[] = {
        { "", "a", true }, { "", "a/b", true }, { "", "./a", true }, { "", "a/../b", true }, { "a", "../b", true },
        { "a/b", "../../c", true }, { "", "a/..", true }, { "a", "..", true }, { "", "a//b", true },
        { "", "..", false }, { "", "../a", false }, { "a", "../../b", false }, { "a/b", "../../../c", false },
        { "", "/etc/passwd", false }, { "a", "/", false }, { "", "", false }, { "", "a/../../b", false },
        { "a", "./../../b", false }, { "", ".//..", false },
    };

    (void) state;
    for (size_t i = 0; i < countof(links); i++) {
        if (policy_link_stays(links[i].dir, links[i].target) != links[i].stays)
            fail_msg("%s -> %s", links[i].dir, links[i].target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_startups),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_peer_text),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_git_names),
        cmocka_unit_test(test_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
