#include "config.h"

#include "gateway/certificate.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 16         /* certificates; a public chain has three */
#define NAMES_MAX 100        /* as authorities limit them */
#define RSA_BITS_MIN 2048    /* CA/Browser Forum, Baseline Requirements, section 6.1.5 */
#define NAME_SHOWN 256       /* of a subject and an issuer */

/* What was read. */
struct parts {
    X509 *v[CHAIN_MAX];
    size_t n;
    EVP_PKEY *key;
};

static void parts_release(struct parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        X509_free(p->v[i]);
    EVP_PKEY_free(p->key);
    ERR_clear_error();
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static int key_add(struct parts *p, const char *header, const unsigned char *der, long n, struct err *err)
{
    /* RFC 1421 section 4.6.1.1, of keys in OpenSSL's old form. */
    if (strstr(header, "ENCRYPTED") != NULL)
        return err_set(err, ERR_USAGE, "the private key has a passphrase, which nobody would type here; take it off first, for "
                       "example: openssl pkey -in key.pem -out plain.pem");
    if (p->key != NULL)
        return err_set(err, ERR_USAGE, "there is more than one private key");
    p->key = d2i_AutoPrivateKey(NULL, &der, n);
    return p->key != NULL ? 0 : err_set(err, ERR_USAGE, "the private key can't be read");
}

static int certificate_add(struct parts *p, const unsigned char *der, long n, struct err *err)
{
    if (p->n == CHAIN_MAX)
        return err_set(err, ERR_USAGE, "there are more than %d certificates", CHAIN_MAX);
    p->v[p->n] = d2i_X509(NULL, &der, n);
    if (p->v[p->n] == NULL)
        return err_set(err, ERR_USAGE, "certificate %zu can't be read", p->n + 1);
    p->n++;
    return 0;
}

static int part_add(struct parts *p, const char *name, const char *header, const unsigned char *der, long n, struct err *err)
{
    if (strcmp(name, PEM_STRING_X509) == 0)
        return certificate_add(p, der, n, err);
    if (strcmp(name, PEM_STRING_PKCS8) == 0)
        return key_add(p, "ENCRYPTED", der, n, err);
    if (ends_with(name, "PRIVATE KEY"))
        return key_add(p, header, der, n, err);
    if (strcmp(name, PEM_STRING_ECPARAMETERS) == 0) /* which openssl puts before a key */
        return 0;
    return err_set(err, ERR_USAGE, "there is something that is neither a certificate nor a private key");
}

static int parts_read(const char *pem, size_t n, struct parts *p, struct err *err)
{
    BIO *in = BIO_new_mem_buf(pem, n < INT_MAX ? (int) n : INT_MAX);
    char *name, *header;
    unsigned char *der;
    int rc = in != NULL ? 0 : -1;
    long len;

    while (rc == 0 && PEM_read_bio(in, &name, &header, &der, &len) == 1) {
        rc = part_add(p, name, header, der, len, err);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t) len);
    }
    if (rc == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        rc = err_set(err, ERR_USAGE, "it is cut off, or isn't PEM");
    if (rc == 0 && (p->key == NULL || p->n == 0))
        rc = err_set(err, ERR_USAGE, "there is no %s", p->key == NULL ? "private key" : "certificate");
    BIO_free(in);
    return rc;
}

static int key_check(const EVP_PKEY *key, struct err *err)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
        return 0;
    case EVP_PKEY_RSA:
        if (EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
            return 0;
        return err_set(err, ERR_USAGE, "the private key has %d bits; clients want %d", EVP_PKEY_get_bits(key), RSA_BITS_MIN);
    default:
        return err_set(err, ERR_USAGE, "the private key is of a kind that TLS servers don't take: RSA, EC or Ed25519");
    }
}

/* The key's certificate first, then each one's issuer (RFC 8446 section 4.4.2); the others go. */
static int chain_order(struct parts *p, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n && n == 0; i++) {
        if (X509_check_private_key(p->v[i], p->key) != 1)
            continue;
        X509 *swap = p->v[0];

        p->v[0] = p->v[i];
        p->v[i] = swap;
        n = 1;
    }
    if (n == 0)
        return err_set(err, ERR_USAGE, "the private key is not that of the certificate");
    for (size_t i = n; i < p->n; i++) {
        X509 *last = p->v[n - 1], *swap = p->v[n];

        if (X509_check_issued(p->v[i], last) != X509_V_OK || X509_check_issued(last, last) == X509_V_OK)
            continue;
        p->v[n] = p->v[i];
        p->v[i] = swap;
        i = n++;
    }
    while (p->n > n)
        X509_free(p->v[--p->n]);
    return 0;
}

static int64_t time_ms(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t) timegm(&tm) * 1000 : -1;
}

static int dates_read(const X509 *x, int64_t now, struct certificate *c, struct err *err)
{
    char day[16] = "";
    struct tm tm;
    time_t s;

    c->not_before = time_ms(X509_get0_notBefore(x));
    c->not_after = time_ms(X509_get0_notAfter(x));
    if (c->not_before < 0 || c->not_after < 0)
        return err_set(err, ERR_USAGE, "the certificate's dates can't be read");
    s = (time_t) ((now > c->not_after ? c->not_after : c->not_before) / 1000);
    if (gmtime_r(&s, &tm) != NULL)
        (void) strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    if (now > c->not_after)
        return err_set(err, ERR_USAGE, "the certificate has expired on %s", day);
    return now >= c->not_before ? 0 : err_set(err, ERR_USAGE, "the certificate is not valid before %s", day);
}

static bool is_host(const char *s, size_t n)
{
    return n > 0 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == n;
}

/* Clients look at the subject's alternative names alone (RFC 9110 section 4.3.4, RFC 9525). */
static int names_read(const X509 *x, struct certificate *c, struct err *err)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(all) && c->names.n < NAMES_MAX; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        cleanup_free char *name = NULL;

        if (g->type != GEN_DNS)
            continue;
        name = xstrndup((const char *) ASN1_STRING_get0_data(g->d.dNSName), (size_t) ASN1_STRING_length(g->d.dNSName));
        if (is_host(name, (size_t) ASN1_STRING_length(g->d.dNSName)))
            vec_add(&c->names, name);
    }
    GENERAL_NAMES_free(all);
    return c->names.n > 0 ? 0 : err_set(err, ERR_USAGE, "the certificate names no host (subjectAltName)");
}

/* RFC 2253, with all but printable ASCII escaped. */
static char *name_text(const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text, *data;
    long n;

    if (out == NULL || X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) < 0)
        n = 0;
    else
        n = BIO_get_mem_data(out, &data);
    text = n > 0 ? xstrndup(data, n < NAME_SHOWN ? (size_t) n : NAME_SHOWN) : xstrdup("");
    BIO_free(out);
    return text;
}

static char *fingerprint(const X509 *x)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned n = 0;

    if (X509_digest(x, EVP_sha256(), hash, &n) != 1)
        n = 0;
    for (unsigned i = 0; i < n; i++)
        (void) snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return xstrdup(text);
}

/* What was read, written anew: so nothing goes on that was not understood. */
static int text_make(const struct parts *p, struct certificate *c, struct err *err)
{
    BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    bool good = chain != NULL && key != NULL;
    char *data;
    long n;

    for (size_t i = 0; good && i < p->n; i++)
        good = PEM_write_bio_X509(chain, p->v[i]) == 1;
    good = good && PEM_write_bio_PKCS8PrivateKey(key, p->key, NULL, NULL, 0, NULL, NULL) == 1;
    if (good) {
        n = BIO_get_mem_data(chain, &data);
        c->chain = xstrndup(data, (size_t) n);
        n = BIO_get_mem_data(key, &data);
        c->key = xstrndup(data, (size_t) n);
        OPENSSL_cleanse(data, (size_t) n);
    }
    BIO_free(chain);
    BIO_free(key);
    return good ? 0 : err_set(err, ERR_FAILED, "the certificate can't be written anew");
}

int certificate_read(const char *pem, size_t n, int64_t now, struct certificate *ret, struct err *err)
{
    struct certificate c = { .chain = NULL };
    struct parts p = { .n = 0 };
    int rc;

    ERR_clear_error();
    rc = parts_read(pem, n, &p, err) != 0 || key_check(p.key, err) != 0 || chain_order(&p, err) != 0
         || dates_read(p.v[0], now, &c, err) != 0 || names_read(p.v[0], &c, err) != 0 || text_make(&p, &c, err) != 0 ? -1 : 0;
    if (rc == 0) {
        c.subject = name_text(X509_get_subject_name(p.v[0]));
        c.issuer = name_text(X509_get_issuer_name(p.v[0]));
        c.fingerprint = fingerprint(p.v[0]);
        *ret = c;
    } else {
        certificate_release(&c);
    }
    parts_release(&p);
    return rc;
}
