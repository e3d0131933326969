/* The certificate that a TLS server shows (http.h). */
#include "config.h"

#include "base/http_link.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ISSUER_MAX 256

/* "Nov 28 12:30:57 2026 GMT", as OpenSSL prints it; -1: not so. */
static int64_t time_read(const char *text)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%b %d %H:%M:%S %Y GMT", &tm);

    return end != NULL && *end == '\0' ? (int64_t) timegm(&tm) * 1000 : -1;
}

/* The value of a "Name:value" line, or NULL. */
static const char *field(const struct curl_slist *lines, const char *name)
{
    size_t n = strlen(name);

    for (; lines != NULL; lines = lines->next)
        if (strncmp(lines->data, name, n) == 0 && lines->data[n] == ':')
            return lines->data + n + 1;
    return NULL;
}

static int certificate_read(const struct http_link *l, struct http_certificate *ret, struct err *err)
{
    struct curl_certinfo *info = NULL;
    const char *issuer, *from, *to;

    if (curl.easy_getinfo(http_link_easy(l), CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL || info->num_of_certs < 1)
        return err_set(err, ERR_FAILED, "%s: this libcurl tells nothing of certificates", http_link_peer(l));
    issuer = field(info->certinfo[0], "Issuer");
    from = field(info->certinfo[0], "Start date");
    to = field(info->certinfo[0], "Expire date");
    if (issuer == NULL || from == NULL || to == NULL || time_read(from) < 0 || time_read(to) < 0)
        return err_set(err, ERR_FAILED, "%s: the certificate can't be read", http_link_peer(l));
    ret->not_before = time_read(from);
    ret->not_after = time_read(to);
    ret->issuer = text_plain(issuer, ISSUER_MAX);
    return 0;
}

/* It is only looked at, whoever vouches for it. */
static CURLcode shake(CURL *easy)
{
    CURLcode rc = curl.easy_setopt(easy, CURLOPT_PROXY, "");

    if (rc == CURLE_OK)
        rc = curl.easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    if (rc == CURLE_OK)
        rc = curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    if (rc == CURLE_OK)
        rc = curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    return rc == CURLE_OK ? curl.easy_perform(easy) : rc;
}

int http_certificate_get(struct http *h, const char *url, struct http_certificate *ret, struct err *err)
{
    struct http_link *l = http_link_new(h, url, err);
    CURLcode rc;
    int result;

    if (l == NULL)
        return -1;
    rc = shake(http_link_easy(l));
    if (rc == CURLE_SSL_CONNECT_ERROR)
        result = err_set(err, ERR_NOT_FOUND, "%s shows no certificate for that name", http_link_peer(l));
    else
        result = rc == CURLE_OK ? certificate_read(l, ret, err) : http_link_failed(l, rc, err);
    http_link_close(l);
    return result;
}

void http_certificate_release(struct http_certificate *c)
{
    free(c->issuer);
    memset(c, 0, sizeof(*c));
}
