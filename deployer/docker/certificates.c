#include "config.h"

#include "deployer/docker/certificates.h"

#include "base/http.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "deployer/docker/docker.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

#define ROLL_MIB 1                       /* of the file; a failure has 2 KiB, and is repeated within 6 hours */
#define FILE_MAX ((ROLL_MIB + 1) * 1024 * 1024)
#define KEEP_DAYS 30                     /* Caddy gives up after so many */
#define WHY_MAX 400                      /* of an authority's words */
#define SHAKE_MS 2000                    /* a handshake on this machine takes milliseconds */

json_t *issuance_log(const struct conf *c)
{
    cleanup_free char *path = conf_state_path(c, ISSUANCE_FILE);

    /* The client of ACME has another name since Caddy 2.8. */
    return json_pack("{s:{s:s, s:s, s:i, s:i, s:i, s:b}, s:{s:s}, s:s, s:[s, s, s, s]}", "writer", "output", "file", "filename",
                     path, "roll_size_mb", ROLL_MIB, "roll_keep", 1, "roll_keep_days", KEEP_DAYS, "roll_gzip", 0, "encoder",
                     "format", "json", "level", "ERROR", "include", "tls.obtain", "tls.renew", "tls.issuance",
                     "http.acme_client");
}

/* --- what went wrong */

/* certmagic's last word about one attempt with one authority. */
#define MSG_END "could not get certificate from issuer"
/* Caddy was stopped, or got a new configuration and asks again. */
#define ERROR_CANCELED "context canceled"
/* RFC 8555 section 6.7: the server has lost its accounts. Caddy goes on with the one that it has kept, before 2.8 for
 * ever (github.com/caddyserver/certmagic/pull/269). */
#define ERROR_FORGOTTEN "urn:ietf:params:acme:error:accountDoesNotExist"
#define WHY_FORGOTTEN "the ACME server does not know Caddy's account any more; remove the folder run/docker/caddy/acme in the " \
    "server's state folder, and Caddy makes another account when it tries again"

static bool is_challenge(const json_t *doc)
{
    return json_str(doc, "challenge_type", NULL) != NULL;
}

/* A line that tells of a failure: what a challenge was answered, or the end of an attempt. NULL: it doesn't. */
static json_t *failure_parse(const char *line, size_t n)
{
    json_t *doc = json_parse(line, n, "a line", NULL);

    if (doc != NULL && json_str(doc, "identifier", NULL) != NULL && json_str(doc, "error", NULL) != NULL
        && (is_challenge(doc) || strcmp(json_str(doc, "msg", ""), MSG_END) == 0))
        return doc;
    json_decref(doc);
    return NULL;
}

static size_t line_length(const char *text, size_t n)
{
    const char *end = memchr(text, '\n', n);

    return end != NULL ? (size_t) (end - text) : n;
}

/* "http-01: connection refused" of a challenge; of anything else, the error alone, or what to do about it. */
static char *failure_text(const json_t *doc)
{
    const char *kind = json_str(doc, "challenge_type", NULL), *error = json_str(doc, "error", "");
    cleanup_free char *text = kind != NULL ? xasprintf("%s: %s", kind, error) : xstrdup(error);

    return strstr(text, ERROR_FORGOTTEN) != NULL ? xstrdup(WHY_FORGOTTEN) : text_plain(text, WHY_MAX);
}

bool issuance_failure(const char *text, size_t n, const char *host, int64_t *ret_at, char **ret_why)
{
    char *why = NULL;
    bool challenge = false;  /* why is of a challenge of the attempt that goes on */

    while (n > 0) {
        size_t m = line_length(text, n);
        json_auto_t *doc = failure_parse(text, m);

        if (doc != NULL && strcmp(json_str(doc, "identifier", ""), host) == 0) {
            bool canceled = strstr(json_str(doc, "error", ""), ERROR_CANCELED) != NULL;

            /* After a challenge's answer, the attempt's end is only that no other challenge is left. */
            if (!canceled && (is_challenge(doc) || !challenge)) {
                free(why);
                why = failure_text(doc);
            }
            if (!canceled)
                *ret_at = (int64_t) (json_number_value(json_object_get(doc, "ts")) * 1000);
            challenge = is_challenge(doc);
        }
        m += m < n;
        text += m;
        n -= m;
    }
    *ret_why = why;
    return why != NULL;
}

void issuance_failed_hosts(const char *text, size_t n, struct vec *ret)
{
    while (n > 0) {
        size_t m = line_length(text, n);
        json_auto_t *doc = failure_parse(text, m);

        if (doc != NULL && !vec_has(ret, json_str(doc, "identifier", "")))
            vec_add(ret, json_str(doc, "identifier", ""));
        m += m < n;
        text += m;
        n -= m;
    }
}

/* Empty where nothing went wrong yet. A Caddy that somebody else has started may keep it to itself. */
static int log_read(const struct conf *c, struct buf *text, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, ISSUANCE_FILE);
    struct err why = ERR_INIT;

    if (path_read(path, text, &why) == 0 || why.code == ERR_NOT_FOUND || !c->router_start)
        return 0;
    return err_set(err, why.code, "%s", why.msg);
}

/* --- what is shown */

/* A host name's certificate as who visits it sees it, and what is wrong. */
struct shown {
    struct http_certificate certificate;  /* without dates: there is none */
    int64_t error_at;                     /* 0: nothing is wrong */
    char *error;
};

static void shown_release(struct shown *s)
{
    http_certificate_release(&s->certificate);
    free(s->error);
}

static int certificate_ask(const struct conf *c, const char *host, struct http_certificate *ret, struct err *err)
{
    struct http_options o = { .tls_server_name = host, .connect_timeout_ms = SHAKE_MS };
    const char *address = c->router_address[0] != '\0' ? c->router_address : "127.0.0.1";
    cleanup_free char *url = xasprintf(strchr(address, ':') != NULL ? "https://[%s]:%lld/" : "https://%s:%lld/", address,
                                       c->https_port);
    struct http *h = http_new(&o, err);
    struct err why = ERR_INIT;
    int rc;

    memset(ret, 0, sizeof(*ret));
    if (h == NULL)
        return -1;
    rc = http_certificate_get(h, url, ret, &why);
    http_free(h);
    if (rc == 0 || why.code == ERR_NOT_FOUND)
        return 0;
    return err_set(err, why.code, "the router (Caddy) does not answer: %s", why.msg);
}

/* Caddy asks for a new one when a third of the time is left: what failed before that was an earlier one. */
static bool is_due(const struct http_certificate *v, int64_t at)
{
    return v->not_after == 0 || at >= v->not_after - (v->not_after - v->not_before) / 3;
}

static int shown_get(const struct conf *c, const char *host, const char *log, size_t n, struct shown *ret, struct err *err)
{
    memset(ret, 0, sizeof(*ret));
    if (certificate_ask(c, host, &ret->certificate, err) < 0)
        return -1;
    if (issuance_failure(log, n, host, &ret->error_at, &ret->error) && !is_due(&ret->certificate, ret->error_at)) {
        free(ret->error);
        ret->error = NULL;
    }
    if (ret->error == NULL)
        ret->error_at = 0;
    return 0;
}

static int shown_add(const struct conf *c, const char *host, const struct buf *log, json_t *all, struct err *err)
{
    struct shown s;

    if (shown_get(c, host, buf_str(log), buf_len(log), &s, err) < 0)
        return -1;
    json_array_append_new(all, json_pack("{s:s, s:s?, s:I, s:I, s:s?, s:I}", "host", host, "issuer", s.certificate.issuer,
                                         "not_before", (json_int_t) s.certificate.not_before, "not_after",
                                         (json_int_t) s.certificate.not_after, "error", s.error, "error_at",
                                         (json_int_t) s.error_at));
    shown_release(&s);
    return 0;
}

int docker_certificates(struct target *t, const struct app *app, json_t **ret, struct err *err)
{
    const struct conf *c = t->conf;
    cleanup_vec struct vec hosts = VEC_INIT;
    json_auto_t *all = json_array();
    cleanup_buf struct buf log;
    int rc = 0;

    buf_init(&log, FILE_MAX);
    if (!c->router_tls)
        return err_set(err, ERR_FAILED, "on this server apps on docker are not served with HTTPS: that needs [docker] tls = yes");
    if (log_read(c, &log, err) < 0)
        return -1;
    router_hosts_of(c, app->name, &app->domains, &hosts);
    for (size_t i = 0; rc == 0 && i < hosts.n; i++)
        rc = shown_add(c, hosts.v[i], &log, all, err);
    if (rc == 0)
        *ret = json_incref(all);
    return rc;
}

static void note(const char *host, const struct shown *s, target_say_fn *say, void *say_arg)
{
    cleanup_free char *end = s->certificate.not_after != 0 ? certificate_end_text(s->certificate.not_after) : NULL;
    cleanup_free char *line = end != NULL
        ? xasprintf("note certificate of %s: it %s and no new one comes: %s", host, end, s->error)
        : xasprintf("note certificate of %s: there is none: %s", host, s->error);

    say(say_arg, line);
}

int docker_certificates_check(const struct conf *c, target_say_fn *say, void *say_arg, struct err *err)
{
    cleanup_vec struct vec failed = VEC_INIT, hosts = VEC_INIT;
    cleanup_buf struct buf log;

    buf_init(&log, FILE_MAX);
    if (!c->router_tls)
        return 0;
    if (log_read(c, &log, err) < 0)
        return -1;
    issuance_failed_hosts(buf_str(&log), buf_len(&log), &failed);
    if (failed.n > 0 && router_hosts(c, &hosts, err) < 0)
        return -1;
    for (size_t i = 0; i < failed.n; i++) {
        struct err why = ERR_INIT;
        struct shown s;

        if (!vec_has(&hosts, failed.v[i]))
            continue; /* no app's any more */
        if (shown_get(c, failed.v[i], buf_str(&log), buf_len(&log), &s, &why) < 0) {
            /* Before the server's start, for instance. */
            cleanup_free char *line = xasprintf("note certificates: they can't be seen: %s", why.msg);

            say(say_arg, line);
            return 0;
        }
        if (s.error != NULL)
            note(failed.v[i], &s, say, say_arg);
        shown_release(&s);
    }
    return 0;
}
