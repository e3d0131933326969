/* Certificates as people have them, and certs:add, certs:info, certs:remove as a person types them. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/certificate.h"
#include "tests/unit/command_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY (24 * 3600L)

/* One who signs: its certificate and key. */
struct signer { X509 *x; EVP_PKEY *key; };

static void signer_free(struct signer *s)
{
    X509_free(s->x);
    EVP_PKEY_free(s->key);
}

/* names as in openssl's configuration: "DNS:a.b,DNS:c.d"; NULL: none. by NULL: signed by itself. */
static struct signer sign(const char *subject, const char *names, long from, long to, const struct signer *by, EVP_PKEY *key)
{
    struct signer s = { X509_new(), key != NULL ? key : EVP_EC_gen("P-256") };
    X509_NAME *name = X509_get_subject_name(s.x);
    X509V3_CTX ctx;

    assert_int_equal(X509_set_version(s.x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(s.x), 1), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) subject, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(s.x, by != NULL ? X509_get_subject_name(by->x) : name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(s.x), from));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(s.x), to));
    assert_int_equal(X509_set_pubkey(s.x, s.key), 1);
    X509V3_set_ctx(&ctx, by != NULL ? by->x : s.x, s.x, NULL, NULL, 0);
    if (names != NULL) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, names);

        assert_non_null(e);
        assert_int_equal(X509_add_ext(s.x, e, -1), 1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(s.x, by != NULL ? by->key : s.key, EVP_sha256()) > 0);
    return s;
}

static void add(struct buf *b, const X509 *x, const EVP_PKEY *key, const char *passphrase)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data;
    long n;

    if (x != NULL)
        assert_int_equal(PEM_write_bio_X509(out, x), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, key, passphrase != NULL ? EVP_aes_256_cbc() : NULL, passphrase,
                                                       passphrase != NULL ? (int) strlen(passphrase) : 0, NULL, NULL), 1);
    n = BIO_get_mem_data(out, &data);
    assert_int_equal(buf_add(b, data, (size_t) n), 0);
    BIO_free(out);
}

static void refused(struct buf *b, const char *why)
{
    struct certificate c;
    struct err e = ERR_INIT;

    assert_int_equal(certificate_read(buf_str(b), buf_len(b), store_now(), &c, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    if (strstr(e.msg, why) == NULL)
        fail_msg("\"%s\" is not in: %s", why, e.msg);
    buf_clear(b);
}

static void test_read(void **state)
{
    struct signer root = sign("Root", NULL, -DAY, DAY, NULL, NULL), between = sign("Between", NULL, -DAY, DAY, &root, NULL);
    struct signer leaf = sign("shop", "DNS:shop.example.com,DNS:*.shop.example.com,IP:10.0.0.1", -DAY, DAY, &between, NULL);
    struct signer other = sign("other", "DNS:other.example.com", -DAY, DAY, NULL, NULL);
    struct certificate c;
    struct err e = ERR_INIT;
    cleanup_buf struct buf b, want;

    (void) state;
    buf_init(&b, 65536);
    buf_init(&want, 65536);
    /* In any order, with what isn't of the chain, and lines around them. */
    (void) buf_addstr(&b, "Bag Attributes\n");
    add(&b, between.x, NULL, NULL);
    add(&b, other.x, NULL, NULL);
    add(&b, root.x, leaf.key, NULL);
    add(&b, leaf.x, NULL, NULL);
    if (certificate_read(buf_str(&b), buf_len(&b), store_now(), &c, &e) != 0)
        fail_msg("%s", e.msg);
    add(&want, leaf.x, NULL, NULL);
    add(&want, between.x, NULL, NULL);
    add(&want, root.x, NULL, NULL);
    assert_string_equal(c.chain, buf_str(&want));
    assert_memory_equal(c.key, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_string_equal(c.subject, "CN=shop");
    assert_string_equal(c.issuer, "CN=Between");
    assert_int_equal(strlen(c.fingerprint), 64);
    assert_true(certificate_covers(&c, "shop.example.com"));
    assert_true(certificate_covers(&c, "a.SHOP.example.com"));
    assert_false(certificate_covers(&c, "a.b.shop.example.com"));
    assert_false(certificate_covers(&c, "example.com"));
    assert_false(certificate_covers(&c, "10.0.0.1"));
    certificate_release(&c);
    signer_free(&root);
    signer_free(&between);
    signer_free(&leaf);
    signer_free(&other);
}

static void test_refused(void **state)
{
    struct signer good = sign("good", "DNS:a.example.com", -DAY, DAY, NULL, NULL);
    struct signer old = sign("old", "DNS:a.example.com", -2 * DAY, -DAY, NULL, NULL);
    struct signer early = sign("early", "DNS:a.example.com", DAY, 2 * DAY, NULL, NULL);
    struct signer nameless = sign("a.example.com", NULL, -DAY, DAY, NULL, NULL);
    struct signer tiny = sign("tiny", "DNS:a.example.com", -DAY, DAY, NULL, EVP_RSA_gen(1024));
    cleanup_buf struct buf b;

    (void) state;
    buf_init(&b, 65536);
    refused(&b, "no private key");
    (void) buf_addstr(&b, "anything\n");
    refused(&b, "no private key");
    add(&b, good.x, NULL, NULL);
    refused(&b, "no private key");
    add(&b, NULL, good.key, NULL);
    refused(&b, "no certificate");
    add(&b, good.x, old.key, NULL);
    refused(&b, "not that of the certificate");
    add(&b, good.x, good.key, NULL);
    add(&b, NULL, old.key, NULL);
    refused(&b, "more than one private key");
    add(&b, good.x, good.key, "secret");
    refused(&b, "passphrase");
    add(&b, old.x, old.key, NULL);
    refused(&b, "has expired on 20");
    add(&b, early.x, early.key, NULL);
    refused(&b, "is not valid before 20");
    add(&b, nameless.x, nameless.key, NULL);
    refused(&b, "names no host");
    add(&b, tiny.x, tiny.key, NULL);
    refused(&b, "1024 bits");
    add(&b, good.x, good.key, NULL);
    (void) buf_addstr(&b, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    refused(&b, "can't be read");
    add(&b, good.x, good.key, NULL);
    (void) buf_addstr(&b, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    refused(&b, "cut off");
    add(&b, good.x, good.key, NULL);
    (void) buf_addstr(&b, "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n");
    refused(&b, "neither");
    for (int i = 0; i < 17; i++)
        add(&b, good.x, NULL, NULL);
    refused(&b, "more than 16");
    signer_free(&good);
    signer_free(&old);
    signer_free(&early);
    signer_free(&nameless);
    signer_free(&tiny);
}

static void type(struct desk *d, const struct buf *input, const char *line, int code, const char *text)
{
    d->input = buf_str(input);
    d->input_len = buf_len(input);
    desk_expect(d, "anna", line, code, text);
    d->input = NULL;
    d->input_len = 0;
}

static void end_is(int64_t from_now, const char *begin)
{
    cleanup_free char *text = certificate_end_text(store_now() + from_now * DAY * 1000);

    if (begin == NULL)
        assert_null(text);
    else
        assert_memory_equal(text, begin, strlen(begin));
}

static void line_take(void *arg, const char *line)
{
    (void) buf_addf(arg, "%s\n", line);
}

/* Who renews by hand is told in time: by certs:info, and of all apps by `slipway check`. */
static void test_ending(void **state)
{
    struct desk *d = *state;
    struct signer far = sign("shop", "DNS:www.example.com", -DAY, 90 * DAY, NULL, NULL);
    struct signer soon = sign("shop", "DNS:www.example.com,DNS:example.com", -DAY, 5 * DAY, NULL, NULL);
    cleanup_buf struct buf b, said;

    end_is(15, NULL);
    end_is(13, "ends on 20");
    end_is(-1, "has ended on 20");
    buf_init(&b, 65536);
    buf_init(&said, 4096);
    OK(conf_set(&d->conf, "target.target=docker", &err));
    OK(conf_set(&d->conf, "docker.tls=yes", &err));
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, NULL);
    add(&b, far.x, far.key, NULL);
    type(d, &b, "certs:add shop", 0, NULL);
    OK(certificates_ending(d->f->store, line_take, &said, &err));
    assert_string_equal(buf_str(&said), "");
    buf_clear(&b);
    add(&b, soon.x, soon.key, NULL);
    type(d, &b, "certs:add shop", 0, NULL);
    desk_expect(d, "anna", "certs:info shop", 0, " !     It ends on 20");
    OK(certificates_ending(d->f->store, line_take, &said, &err));
    assert_memory_equal(buf_str(&said), "certificate of shop (www.example.com example.com): it ends on 20", 64);
    OK(store_exec(d->f->store, &err, "UPDATE certificates SET not_after = 1", ""));
    desk_expect(d, "anna", "certs:info shop", 0, " !     It has ended on 1970-01-01. Put a new one in its place: certs:add shop");
    signer_free(&far);
    signer_free(&soon);
}

static void test_words(void **state)
{
    struct desk *d = *state;
    struct signer s = sign("shop", "DNS:www.example.com", -DAY, DAY, NULL, NULL);
    struct signer again = sign("shop", "DNS:www.example.com", -DAY, 2 * DAY, NULL, NULL);
    cleanup_buf struct buf b, next;
    struct certificate c;
    struct app a;
    int64_t n = 0;

    buf_init(&b, 65536);
    buf_init(&next, 65536);
    add(&b, s.x, s.key, NULL);
    add(&next, again.x, again.key, NULL);
    OK(conf_set(&d->conf, "target.target=docker", &err));
    type(d, &b, "certs:add shop", ERR_FAILED, "[docker] tls = yes; nothing was changed");
    OK(conf_set(&d->conf, "docker.tls=yes", &err));
    desk_expect(d, "anna", "certs:info shop", 0, "no certificate of its own");
    desk_expect(d, "anna", "certs:remove shop", 0, "Nothing to do");
    desk_expect(d, "anna", "certs:auto shop", ERR_FAILED, "runs nothing yet");
    type(d, &b, "certs:add shop", ERR_FAILED, "is for www.example.com, and shop has only shop.localhost");
    desk_expect(d, "anna", "domains:add shop www.example.com", 0, NULL);
    type(d, &b, "certs:add shop", 0, "isn't for shop.localhost");
    desk_expect(d, "anna", "certs shop", 0, "www.example.com");
    desk_expect(d, "anna", "certs:info -a shop --json", 0, "\"names\":[\"www.example.com\"],\"subject\":\"CN=shop\"");
    desk_user(d, "vera", ROLE_DEPLOY);
    desk_expect(d, "vera", "certs:remove shop", ERR_DENIED, NULL);
    (void) fixture_live(d->f, d->f->shop);
    type(d, &next, "certs:add shop --json", 0, "\"release\":2");
    desk_expect(d, "anna", "audit shop", 0, "certs:add");
    /* One key is left, and it is opened by the deployer's alone. */
    (void) GOT(store_int(d->f->store, &n, &err, "SELECT count(*) FROM config_values WHERE app_id = ?", "i", d->f->shop));
    assert_int_equal(n, 1);
    OK(apps_get_id(d->f->store, d->f->shop, &a, &err));
    assert_non_null(a.certificate);
    OK(certificates_open(d->f->store, &a, &c, &err));
    assert_string_equal(c.hash, a.certificate);
    assert_non_null(strstr(buf_str(&next), c.key));
    certificate_release(&c);
    app_release(&a);
    desk_expect(d, "anna", "config:list shop --json", 0, "[]");
    desk_expect(d, "anna", "certs:remove shop", 0, "Removing the certificate of shop... done, v3");
    (void) GOT(store_int(d->f->store, &n, &err, "SELECT count(*) FROM config_values WHERE app_id = ?", "i", d->f->shop));
    assert_int_equal(n, 0);
    signer_free(&s);
    signer_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read), cmocka_unit_test(test_refused),
        cmocka_unit_test_setup_teardown(test_words, desk_setup, desk_teardown),
        cmocka_unit_test_setup_teardown(test_ending, desk_setup, desk_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
