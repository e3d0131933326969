#include "config.h"

#include "base/oci.h"

#include "base/challenge.h"
#include "base/docker_auth.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#define TICK_MS 1000           /* how often a waiting call asks whether it is canceled */
#define TOKEN_MAX (64 * 1024)  /* some clouds' tokens are over 8 KiB; header limits are near */
#define TOKEN_MARGIN_S 10      /* a token is not used in its last seconds: clocks and queues */
#define TOKEN_SECONDS 60       /* where the server does not say: the token specification's default */
#define TOKEN_SECONDS_MAX 86400
#define TRIES 4                /* of one request that has failed in a way that passes */
#define RETRY_MS 250           /* before the second, doubled each time */
#define RETRY_AFTER_MAX_S 30   /* a registry that asks for more is answered with a failure */
#define DETAIL_MAX 200         /* of a registry's own words in an error */

enum login { LOGIN_UNKNOWN, LOGIN_BASIC, LOGIN_BEARER };

struct token {
    char *scope, *text;
    uint64_t expires; /* loop_now */
};

struct oci {
    struct http *http;
    char *registry, *host, *auth_file;
    const char *auth_name;
    bool insecure;
    enum login login;
    struct challenge challenge;
    struct docker_auth auth;
    bool auth_read;
    struct token *tokens;
    size_t n_tokens;
    bool (*canceled)(void *arg);
    void *canceled_arg;
    int wake_fd;
};

static const char *set_or_null(const char *s)
{
    return s != NULL && s[0] != '\0' ? s : NULL;
}

struct oci *oci_new(const struct oci_options *options, struct err *err)
{
    struct oci *o = xcalloc(1, sizeof(*o));

    o->http = http_new(&(struct http_options){ .ca_file = set_or_null(options->ca_file),
                                               .share = options->share != NULL ? options->share->http : NULL },
                       err);
    if (o->http == NULL) {
        free(o);
        return NULL;
    }
    o->registry = xstrdup(options->registry);
    /* Docker Hub's name is not where its registry is. */
    o->host = xstrdup(strcmp(options->registry, "docker.io") == 0 ? "registry-1.docker.io" : options->registry);
    o->auth_file = options->auth_file != NULL ? xstrdup(options->auth_file) : NULL;
    o->auth_name = options->auth_name;
    o->insecure = options->insecure;
    o->canceled = options->canceled;
    o->canceled_arg = options->canceled_arg;
    o->wake_fd = options->wake_fd > 0 ? options->wake_fd : -1;
    return o;
}

static void forget_tokens(struct oci *o)
{
    for (size_t i = 0; i < o->n_tokens; i++) {
        sodium_memzero(o->tokens[i].text, strlen(o->tokens[i].text));
        free(o->tokens[i].text);
        free(o->tokens[i].scope);
    }
    free(o->tokens);
    o->tokens = NULL;
    o->n_tokens = 0;
}

void oci_free(struct oci *o)
{
    if (o == NULL)
        return;
    forget_tokens(o);
    docker_auth_release(&o->auth);
    http_free(o->http);
    free(o->registry);
    free(o->host);
    free(o->auth_file);
    free(o);
}

const char *oci_registry(const struct oci *o)
{
    return o->registry;
}

struct http *oci_http(struct oci *o)
{
    return o->http;
}

static const char *scheme(const struct oci *o)
{
    return o->insecure ? "http" : "https";
}

char *oci_url(const struct oci *o, const char *repository, const char *fmt, ...)
{
    cleanup_free char *rest = NULL;
    va_list ap;

    va_start(ap, fmt);
    rest = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("%s://%s/v2/%s/%s", scheme(o), o->host, repository, rest);
}

char *oci_location(const struct oci *o, const char *location, bool *ret_same, struct err *err)
{
    cleanup_free char *own = xasprintf("%s://%s/", scheme(o), o->host);

    *ret_same = true;
    if (location != NULL && location[0] == '/' && location[1] != '/')
        return xasprintf("%s%s", own, location + 1);
    if (location != NULL && strncasecmp(location, own, strlen(own)) == 0)
        return xstrdup(location);
    *ret_same = false;
    if (location != NULL && (strncasecmp(location, "https://", 8) == 0 ||
                             (o->insecure && strncasecmp(location, "http://", 7) == 0)))
        return xstrdup(location);
    (void) err_set(err, ERR_FAILED, "registry %s directs an upload to a place that isn't https", o->registry);
    return NULL;
}

int oci_wait(struct oci *o, int timeout_ms, struct err *err)
{
    if (timeout_ms < 0 || timeout_ms > TICK_MS)
        timeout_ms = TICK_MS;
    if (o->canceled != NULL && o->canceled(o->canceled_arg))
        return err_set(err, ERR_FAILED, "canceled");
    return http_poll(o->http, timeout_ms, o->wake_fd, NULL, err);
}

int oci_down(const struct oci *o, struct err *err)
{
    char why[ERR_MSG_MAX];

    if (err == NULL)
        return -1;
    /* OpenSSL's words for an answer that is no TLS. */
    (void) snprintf(why, sizeof(why), "%.*s%s", ERR_MSG_MAX - 100, err->msg, strstr(err->msg, "wrong version number") == NULL
                    ? "" : " (it speaks plain HTTP? then set insecure = yes for it)");
    if (strncmp(why, o->host, strlen(o->host)) == 0 && strncmp(why + strlen(o->host), ": ", 2) == 0)
        return err_set(err, err->code, "registry %s: %s", o->registry, why + strlen(o->host) + 2);
    return err_set(err, err->code, "registry %s: %s", o->registry, why);
}

/* Sends and waits, one try. */
static int send_once(struct oci *o, const struct http_request *q, struct http_response *r, struct err *err)
{
    struct http_call *c = http_start(o->http, q, r, err);
    int rc;

    if (c == NULL)
        return oci_down(o, err);
    while ((rc = http_done(c, err)) == 0) {
        if (oci_wait(o, TICK_MS, err) < 0) {
            http_cancel(c);
            return -1;
        }
    }
    return rc < 0 ? oci_down(o, err) : 0;
}

/* How long to wait before a request that got this answer is sent again; -1: it is final. */
static int retry_ms(int rc, const struct err *err, const struct http_response *r, int tries)
{
    const char *after;
    long seconds;

    if (tries >= TRIES || (rc < 0 && err->code != ERR_DOWN))
        return -1;
    if (rc == 0 && r->status != 429 && r->status != 502 && r->status != 503 && r->status != 504)
        return -1;
    after = rc == 0 ? http_header(r, "retry-after") : NULL;
    seconds = after != NULL ? strtol(after, NULL, 10) : 0;
    if (seconds > RETRY_AFTER_MAX_S)
        return -1;
    return seconds > 0 ? (int) seconds * 1000 : RETRY_MS << (tries - 1);
}

static int wait_for(struct oci *o, int ms, struct err *err)
{
    uint64_t end = loop_now() + (uint64_t) ms;

    for (uint64_t now = loop_now(); now < end; now = loop_now()) {
        if (oci_wait(o, (int) (end - now), err) < 0)
            return -1;
    }
    return 0;
}

/* Sends until the answer is final. */
static int send_patiently(struct oci *o, const struct http_request *q, struct http_response *r, struct err *err)
{
    for (int tries = 1;; tries++) {
        struct err why = ERR_INIT;
        int rc = send_once(o, q, r, &why), ms = retry_ms(rc, &why, r, tries);

        if (ms < 0) {
            if (rc < 0 && err != NULL)
                *err = why;
            return rc;
        }
        if (wait_for(o, ms, err) < 0)
            return -1;
    }
}

/* The registry's own words: the first error of its JSON ("Error codes" of the specification), printable and short. */
static void detail_of(const struct http_response *r, char ret[DETAIL_MAX])
{
    json_t *root = json_parse(buf_str(&r->body), buf_len(&r->body), "", NULL);
    const json_t *first = json_array_get(json_at(root, "errors"), 0);
    const char *code = json_str(first, "code", ""), *message = json_str(first, "message", "");

    if (message[0] == '\0')
        message = json_str(root, "details", json_str(root, "error_description", ""));
    ret[0] = '\0';
    if (code[0] != '\0' || message[0] != '\0')
        (void) snprintf(ret, DETAIL_MAX, ": %s%s%s", code, code[0] != '\0' && message[0] != '\0' ? ", " : "",
                        message);
    for (char *p = ret; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f)
            *p = ' ';
    }
    json_decref(root);
}

/* A 401 that a login doesn't help against. */
static int login_refused(const struct oci *o, const char *repository, const char *detail, struct err *err)
{
    const char *file = set_or_null(o->auth_file), *name = o->auth_name != NULL ? o->auth_name : file;
    const char *who = o->auth_name != NULL ? "; tell the server's admin" : "";

    if (o->auth_name != NULL && file != NULL)
        log_warn("registry %s: its login is to be in %s", o->registry, file);
    if (file == NULL)
        return err_set(err, ERR_DENIED, "registry %s wants a login for %s, and no file with credentials is set for it%s%s%s",
                       o->registry, repository, name != NULL ? ": " : "", name != NULL ? name : "", who);
    if (!o->auth.found)
        return err_set(err, ERR_DENIED, "registry %s wants a login for %s, and %s has none for it%s", o->registry, repository, name,
                       who);
    return err_set(err, ERR_DENIED, "registry %s refuses the login from %s for %s%s%s", o->registry, name, repository, detail, who);
}

static int token_refused(const struct oci *o, struct err *err)
{
    if (!o->auth.found)
        return login_refused(o, "its images", "", err);
    if (o->auth_name != NULL)
        log_warn("registry %s: its login is in %s", o->registry, o->auth_file);
    return err_set(err, ERR_DENIED, "the token server of registry %s refuses the login from %s%s", o->registry,
                   o->auth_name != NULL ? o->auth_name : o->auth_file, o->auth_name != NULL ? "; tell the server's admin" : "");
}

int oci_refused(const struct oci *o, const char *repository, const char *what, const struct http_response *r,
                struct err *err)
{
    char detail[DETAIL_MAX];

    detail_of(r, detail);
    switch (r->status) {
    case 401:
        return login_refused(o, repository, detail, err);
    case 403:
        return err_set(err, ERR_DENIED, "registry %s doesn't let this login use %s%s; give it that right",
                       o->registry, repository, detail);
    case 404:
        return err_set(err, ERR_NOT_FOUND, "registry %s has no %s in %s", o->registry, what, repository);
    case 429:
        return err_set(err, ERR_BUSY, "registry %s limits requests and asks to wait%s", o->registry, detail);
    default:
        return err_set(err, r->status >= 500 ? ERR_DOWN : ERR_FAILED, "registry %s answered %ld for %s of %s%s",
                       o->registry, r->status, what, repository, detail);
    }
}

static int read_auth(struct oci *o, struct err *err)
{
    struct err why = ERR_INIT;

    if (o->auth_read)
        return 0;
    if (docker_auth_get(o->auth_file, o->registry, &o->auth, &why) < 0) {
        if (o->auth_name == NULL)
            return err_set(err, why.code, "%s", why.msg);
        log_warn("%s", why.msg);
        return err_set(err, why.code, "the login from %s for registry %s can't be had; the server's log says why: tell its admin",
                       o->auth_name, o->registry);
    }
    o->auth_read = true;
    return 0;
}

int oci_challenged(struct oci *o, const struct http_response *r, struct err *err)
{
    struct challenge c = { .basic = false };
    static const char name[] = "www-authenticate:";

    for (size_t i = 0; i < r->headers.n; i++) {
        const char *line = r->headers.v[i];

        if (strncmp(line, name, sizeof(name) - 1) == 0)
            (void) challenge_parse(line + sizeof(name) - 1, strlen(line) - (sizeof(name) - 1), &c);
    }
    forget_tokens(o);
    /* A helper's login may have run out. */
    docker_auth_release(&o->auth);
    o->auth_read = false;
    if (c.bearer && c.realm[0] != '\0') {
        if (strncasecmp(c.realm, "https://", 8) != 0 &&
            !(o->insecure && strncasecmp(c.realm, "http://", 7) == 0))
            return err_set(err, ERR_FAILED, "registry %s names a token server that isn't https", o->registry);
        o->login = LOGIN_BEARER;
    } else if (c.basic) {
        o->login = LOGIN_BASIC;
    } else {
        return err_set(err, ERR_FAILED, "registry %s wants a kind of login that isn't known here "
                       "(neither basic nor bearer)", o->registry);
    }
    o->challenge = c;
    return 0;
}

static char *basic_header(const struct docker_auth *a)
{
    cleanup_free char *plain = xasprintf("%s:%s", a->user, a->password), *text = NULL;
    size_t n = strlen(plain), max = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);

    text = xmalloc(max);
    (void) sodium_bin2base64(text, max, (unsigned char *) plain, n, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(plain, n);
    return xasprintf("Authorization: Basic %s", text);
}

/* b64token of RFC 6750 §2.1 and a little more: what may stand in a header. */
static bool token_valid(const char *s)
{
    size_t n = 0;

    while (s[n] > ' ' && s[n] != 0x7f)
        n++;
    return n > 0 && s[n] == '\0';
}

static int take_token(struct oci *o, const char *scope, const struct http_response *r, struct err *err)
{
    json_t *root = json_parse(buf_str(&r->body), buf_len(&r->body), "the token server's answer", err);
    const char *text;
    long long seconds;
    int rc = 0;

    if (root == NULL)
        return err_wrap(err, "registry %s", o->registry);
    text = json_str(root, "token", json_str(root, "access_token", ""));
    seconds = json_int(root, "expires_in", TOKEN_SECONDS);
    if (seconds > TOKEN_SECONDS_MAX)
        seconds = TOKEN_SECONDS_MAX;
    if (!token_valid(text)) {
        rc = err_set(err, ERR_FAILED, "the token server of registry %s gave no token", o->registry);
    } else {
        o->tokens = xrealloc_n(o->tokens, o->n_tokens + 1, sizeof(*o->tokens));
        o->tokens[o->n_tokens++] = (struct token){
            .scope = xstrdup(scope),
            .text = xstrdup(text),
            .expires = loop_now() + (uint64_t) (seconds > 2 * TOKEN_MARGIN_S ? seconds - TOKEN_MARGIN_S
                                                : seconds > 0 ? seconds / 2 : 0) * 1000,
        };
    }
    json_decref(root);
    return rc;
}

/* The distribution project's token authentication: GET with basic login or none; with an identity
 * token, OAuth2's refresh by POST. scope is already encoded. */
static int fetch_token(struct oci *o, const char *scope, struct err *err)
{
    const struct challenge *c = &o->challenge;
    cleanup_free char *service = http_escape(c->service), *url = NULL, *form = NULL, *token = NULL;
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "GET", .headers = &headers, .body_max = TOKEN_MAX };
    struct http_response r;
    int rc;

    if (read_auth(o, err) < 0)
        return -1;
    if (o->auth.identity_token != NULL) {
        token = http_escape(o->auth.identity_token);
        form = xasprintf("grant_type=refresh_token&client_id=slipway&service=%s&%s&refresh_token=%s", service,
                         scope, token);
        vec_add(&headers, "Content-Type: application/x-www-form-urlencoded");
        q.method = "POST";
        q.body = form;
        q.body_len = strlen(form);
        url = xstrdup(c->realm);
    } else {
        url = xasprintf("%s%cservice=%s&%s", c->realm, strchr(c->realm, '?') != NULL ? '&' : '?', service, scope);
        if (o->auth.found) {
            cleanup_free char *line = basic_header(&o->auth);
            vec_add(&headers, line);
        }
    }
    q.url = url;
    http_response_init(&r);
    rc = send_patiently(o, &q, &r, err);
    if (form != NULL)
        sodium_memzero(form, strlen(form));
    if (rc < 0)
        (void) err_wrap(err, "asking for a token");
    else if (r.status == 401 || r.status == 403)
        rc = token_refused(o, err);
    else if (r.status != 200)
        rc = err_set(err, r.status >= 500 ? ERR_DOWN : ERR_FAILED,
                     "the token server of registry %s answered %ld", o->registry, r.status);
    else
        rc = take_token(o, scope, &r, err);
    if (r.body.data != NULL)
        sodium_memzero(r.body.data, r.body.cap);
    http_response_release(&r);
    return rc;
}

/* "scope=…" for the token server; a repository's name needs no more encoding than its colons. */
static char *make_scope(const char *repository, enum oci_access access, const char *mount)
{
    static const char *const more[] = { [OCI_PULL] = "", [OCI_PUSH] = "%2Cpush", [OCI_DELETE] = "%2Cdelete" };

    if (repository[0] == '\0')
        return xstrdup("");
    if (mount != NULL)
        return xasprintf("scope=repository%%3A%s%%3Apull%s&scope=repository%%3A%s%%3Apull", repository,
                         more[access], mount);
    return xasprintf("scope=repository%%3A%s%%3Apull%s", repository, more[access]);
}

int oci_authorize(struct oci *o, const char *repository, enum oci_access access, const char *mount, struct vec *headers,
                  struct err *err)
{
    cleanup_free char *scope = NULL, *line = NULL;

    if (o->login == LOGIN_UNKNOWN)
        return 0;
    if (o->login == LOGIN_BASIC) {
        if (read_auth(o, err) < 0)
            return -1;
        if (o->auth.user != NULL) {
            line = basic_header(&o->auth);
            vec_add(headers, line);
        }
        return 0;
    }
    scope = make_scope(repository, access, mount);
    for (int tries = 0; tries < 2; tries++) {
        for (size_t i = 0; i < o->n_tokens; i++) {
            /* A token that was just fetched is used even where it is said to have run out. */
            if (strcmp(o->tokens[i].scope, scope) == 0 && (tries > 0 || o->tokens[i].expires > loop_now())) {
                line = xasprintf("Authorization: Bearer %s", o->tokens[i].text);
                vec_add(headers, line);
                return 0;
            }
        }
        if (tries == 0) {
            forget_tokens(o);
            if (fetch_token(o, scope, err) < 0)
                return -1;
        }
    }
    return 0;
}

int oci_do(struct oci *o, const char *repository, enum oci_access access, const char *mount, const struct http_request *q,
           struct http_response *r, struct err *err)
{
    for (int tries = 0;; tries++) {
        cleanup_vec struct vec headers = VEC_INIT;
        struct http_request authorized = *q;

        for (size_t i = 0; q->headers != NULL && i < q->headers->n; i++)
            vec_add(&headers, q->headers->v[i]);
        if (oci_authorize(o, repository, access, mount, &headers, err) < 0)
            return -1;
        authorized.headers = &headers;
        if (send_patiently(o, &authorized, r, err) < 0)
            return -1;
        if (r->status != 401 || tries > 0)
            return 0;
        if (oci_challenged(o, r, err) < 0)
            return -1;
    }
}

int oci_check(struct oci *o, struct err *err)
{
    cleanup_free char *url = xasprintf("%s://%s/v2/", scheme(o), o->host);
    struct http_request q = { .method = "GET", .url = url };
    struct http_response r;
    int rc;

    http_response_init(&r);
    rc = oci_do(o, "", OCI_PULL, NULL, &q, &r, err);
    if (rc == 0 && r.status == 404)
        rc = err_set(err, ERR_FAILED, "%s is no OCI registry: it has no /v2/", o->registry);
    else if (rc == 0 && r.status != 200)
        rc = oci_refused(o, "its images", "/v2/", &r, err);
    http_response_release(&r);
    return rc;
}
