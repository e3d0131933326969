/* An SSH public key line, read into its parts. Pure: no database, no file. RFC 4253 §6.6 (the blob),
 * RFC 5656 §3.1 (ECDSA), RFC 8709 §4 (Ed25519), OpenSSH's PROTOCOL.u2f (sk-). */
#include "config.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LINE_MAX (16 * 1024) /* an RSA key of 16384 bits takes 3 KiB; the rest is comment */
#define KEY_NAME_MAX 64
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384       /* as OpenSSH; more only burns the server's time */
#define SK_APPLICATION_MAX 255

struct reader { const unsigned char *p; size_t n; };

/* string of RFC 4251 §5: a 4-byte length, big-endian, and so many bytes. */
static int read_string(struct reader *r, struct reader *ret)
{
    size_t n;

    if (r->n < 4)
        return -1;
    n = (size_t) r->p[0] << 24 | (size_t) r->p[1] << 16 | (size_t) r->p[2] << 8 | r->p[3];
    if (n > r->n - 4)
        return -1;
    ret->p = r->p + 4;
    ret->n = n;
    r->p += 4 + n;
    r->n -= 4 + n;
    return 0;
}

static bool is_text(const struct reader *r, const char *s)
{
    return r->n == strlen(s) && memcmp(r->p, s, r->n) == 0;
}

/* mpint of RFC 4251 §5, positive and without needless zeros. Returns its bits, -1 where it is not so. */
static int read_mpint(struct reader *r, struct reader *ret)
{
    int bits;

    if (read_string(r, ret) != 0 || ret->n == 0 || ret->n > RSA_BITS_MAX / 8 + 1 || (ret->p[0] & 0x80) != 0)
        return -1;
    if (ret->p[0] == 0) {
        if (ret->n == 1 || (ret->p[1] & 0x80) == 0)
            return -1;
        ret->p++;
        ret->n--;
    }
    bits = (int) (ret->n - 1) * 8;
    for (unsigned char c = ret->p[0]; c != 0; c >>= 1)
        bits++;
    return bits;
}

static int check_ed25519(struct reader *r)
{
    struct reader pk;

    if (read_string(r, &pk) != 0 || pk.n != crypto_core_ed25519_BYTES)
        return -1;
    return crypto_core_ed25519_is_valid_point(pk.p) == 1 ? 0 : -1;
}

static int check_point(struct reader *r, const char *curve, size_t field)
{
    struct reader name, q;

    if (read_string(r, &name) != 0 || !is_text(&name, curve) || read_string(r, &q) != 0)
        return -1;
    return q.n == 1 + 2 * field && q.p[0] == 4 ? 0 : -1; /* uncompressed, SEC 1 §2.3.3 */
}

static int check_application(struct reader *r)
{
    struct reader app;

    if (read_string(r, &app) != 0 || app.n == 0 || app.n > SK_APPLICATION_MAX)
        return -1;
    return memchr(app.p, '\0', app.n) == NULL ? 0 : -1;
}

static int check_nistp256(struct reader *r) { return check_point(r, "nistp256", 32); }
static int check_nistp384(struct reader *r) { return check_point(r, "nistp384", 48); }
static int check_nistp521(struct reader *r) { return check_point(r, "nistp521", 66); }

static int check_sk_ed25519(struct reader *r)
{
    return check_ed25519(r) == 0 ? check_application(r) : -1;
}

static int check_sk_nistp256(struct reader *r)
{
    return check_nistp256(r) == 0 ? check_application(r) : -1;
}

/* 1: too short to be safe. */
static int check_rsa(struct reader *r)
{
    struct reader e, n;
    int e_bits = read_mpint(r, &e), n_bits;

    if (e_bits < 2 || e_bits > 64 || (e.p[e.n - 1] & 1) == 0)
        return -1;
    n_bits = read_mpint(r, &n);
    if (n_bits < 0 || n_bits > RSA_BITS_MAX || (n.p[n.n - 1] & 1) == 0)
        return -1;
    return n_bits < RSA_BITS_MIN ? 1 : 0;
}

static const struct key_type {
    const char *name;
    int (*check)(struct reader *r);
} key_types[] = {
    { "ssh-ed25519", check_ed25519 },
    { "ecdsa-sha2-nistp256", check_nistp256 },
    { "ecdsa-sha2-nistp384", check_nistp384 },
    { "ecdsa-sha2-nistp521", check_nistp521 },
    { "sk-ssh-ed25519@openssh.com", check_sk_ed25519 },
    { "sk-ecdsa-sha2-nistp256@openssh.com", check_sk_nistp256 },
    { "ssh-rsa", check_rsa },
};

static const struct key_type *type_find(const char *p, size_t n)
{
    for (size_t i = 0; i < countof(key_types); i++) {
        if (strlen(key_types[i].name) == n && memcmp(key_types[i].name, p, n) == 0)
            return &key_types[i];
    }
    return NULL;
}

static int type_refuse(const char *p, size_t n, struct err *err)
{
    if (n >= 5 && memcmp(p, "-----", 5) == 0)
        return err_set(err, ERR_USAGE, "this is a private key or a PEM file; send the public key: "
                       "the one line of a file that ends in .pub");
    if (n == 7 && memcmp(p, "ssh-dss", 7) == 0)
        return err_set(err, ERR_USAGE, "DSA keys are not accepted; make one with: ssh-keygen -t ed25519");
    if (memmem(p, n, "-cert-v0", 8) != NULL)
        return err_set(err, ERR_USAGE, "certificates are not accepted; send the plain public key");
    return err_set(err, ERR_USAGE, "this is no SSH public key: the line must begin with ssh-ed25519, "
                   "ecdsa-sha2-nistp256, ssh-rsa or another key type, without options before it");
}

static int blob_check(const struct key_type *t, const unsigned char *blob, size_t n, struct err *err)
{
    struct reader r = { blob, n }, type;
    int rc;

    if (read_string(&r, &type) != 0 || !is_text(&type, t->name))
        return err_set(err, ERR_USAGE, "the key's data is not of the type %s that the line names", t->name);
    rc = t->check(&r);
    if (rc == 1)
        return err_set(err, ERR_USAGE, "RSA keys need at least %d bits; make one with: ssh-keygen -t ed25519",
                       RSA_BITS_MIN);
    if (rc != 0 || r.n != 0)
        return err_set(err, ERR_USAGE, "the key's data is damaged; copy the whole line of the .pub file");
    return 0;
}

static char *fingerprint_make(const unsigned char *blob, size_t n)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];

    (void) crypto_hash_sha256(hash, blob, n);
    (void) sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    return xasprintf("SHA256:%s", text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line's bounds without surrounding blanks and newlines; -1 where it holds what a line must not. */
static int line_trim(const char **line, size_t *n, struct err *err)
{
    const char *p = *line;
    size_t len = strnlen(p, KEY_LINE_MAX + 1);

    if (len > KEY_LINE_MAX)
        return err_set(err, ERR_USAGE, "the key line is longer than %d bytes", KEY_LINE_MAX);
    while (len > 0 && (is_blank(p[len - 1]) || p[len - 1] == '\n' || p[len - 1] == '\r'))
        len--;
    while (len > 0 && (is_blank(*p) || *p == '\n' || *p == '\r')) {
        p++;
        len--;
    }
    if (len == 0)
        return err_set(err, ERR_USAGE, "no key was given; for example: ssh HOST keys:add laptop < "
                       "~/.ssh/id_ed25519.pub");
    *line = p;
    *n = len;
    return 0;
}

static int single_line(const char *p, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) p[i];

        if (c == '\n' || c == '\r')
            return err_set(err, ERR_USAGE, "more than one line was given; one key at a time");
        if (c != '\t' && (c < ' ' || c == 127))
            return err_set(err, ERR_USAGE, "the key line holds a control character");
    }
    return 0;
}

/* A key's name for people: the line's comment, or the beginning of the fingerprint. */
static char *name_make(const char *comment, size_t n, const char *fingerprint)
{
    if (n == 0)
        return xasprintf("key-%.8s", fingerprint + 7);
    if (n > KEY_NAME_MAX) {
        n = KEY_NAME_MAX;
        while (n > 0 && ((unsigned char) comment[n] & 0xc0) == 0x80) /* not inside a UTF-8 character */
            n--;
    }
    return xstrndup(comment, n);
}

int key_parse(const char *line, struct key *ret, struct err *err)
{
    size_t n = 0, type_n, data_n, blob_n = 0;
    cleanup_free unsigned char *blob = NULL;
    const struct key_type *t;
    const char *p = line, *data, *end = NULL;

    if (line_trim(&p, &n, err) != 0)
        return -1;
    for (type_n = 0; type_n < n && !is_blank(p[type_n]) && p[type_n] != '\n' && p[type_n] != '\r'; type_n++)
        ;
    t = type_find(p, type_n);
    if (t == NULL)
        return type_refuse(p, type_n, err);
    if (single_line(p, n, err) != 0)
        return -1;
    p += type_n;
    n -= type_n;
    while (n > 0 && is_blank(*p)) {
        p++;
        n--;
    }
    data = p;
    for (data_n = 0; data_n < n && !is_blank(p[data_n]); data_n++)
        ;
    p += data_n;
    n -= data_n;
    while (n > 0 && is_blank(*p)) {
        p++;
        n--;
    }
    blob = xmalloc(data_n + 1);
    if (data_n == 0 || sodium_base642bin(blob, data_n, data, data_n, NULL, &blob_n, &end,
                                         sodium_base64_VARIANT_ORIGINAL) != 0
        || end != data + data_n)
        return err_set(err, ERR_USAGE, "the key's data is not whole base64; copy the whole line of the .pub file");
    if (blob_check(t, blob, blob_n, err) != 0)
        return -1;
    ret->type = xstrdup(t->name);
    ret->fingerprint = fingerprint_make(blob, blob_n);
    ret->blob_len = blob_n;
    ret->blob = steal_ptr(blob);
    if (ret->name == NULL)
        ret->name = name_make(p, n, ret->fingerprint);
    return 0;
}
