#include "config.h"

#include "base/http_link.h"

#include "base/curl_load.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#define BODY_MAX (1024 * 1024)   /* of a response nobody gave a bound for: any API object fits */
#define HEADERS_MAX (64 * 1024)  /* of one response; servers themselves allow 8 to 16 KiB */
#define REDIRECTS_MAX 5L         /* registries redirect once, to their storage */
#define CONNECT_MS 10000L
#define REQUEST_MS 30000L
#define KEEPALIVE_IDLE_S 30L     /* before a middlebox forgets a watch that is silent */
#define KEEPALIVE_INTERVAL_S 15L

/* What drives calls. Clients that were made with `share` have one in common. */
struct driver {
    CURLM *multi;
    unsigned users;
    uint64_t activity; /* grows with whatever a caller may want to look at */
};

struct http {
    struct driver *driver;
    char *unix_socket, *ca_file, *ca_pem, *cert_file, *key_file, *cert_pem, *key_pem;
    char *tls_server_name;
    bool insecure, http2;
    long connect_timeout_ms;
};

struct http_call {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct http_response *response;
    http_body_fn *on_body;
    http_read_fn *read;
    void *on_body_arg, *read_arg;
    char *host;             /* for errors: without path and query, which may hold secrets */
    size_t body_max, body_len, headers_len;
    bool head_done, too_long, refused, done;
    CURLcode result;
    char reason[CURL_ERROR_SIZE];
};

static char *copy(const char *s)
{
    return s != NULL ? xstrdup(s) : NULL;
}

/* curl asks for 0 bytes now and then and takes NULL for exhaustion. */
static void *curl_malloc(size_t n)
{
    return xmalloc(n != 0 ? n : 1);
}

static void *curl_realloc(void *p, size_t n)
{
    return xrealloc_n(p, n != 0 ? n : 1, 1);
}

static void *curl_calloc(size_t n, size_t size)
{
    return xcalloc(n != 0 ? n : 1, size != 0 ? size : 1);
}

/* Once per process and only where HTTP is used: TLS's initialization takes milliseconds. */
static int curl_start(struct err *err)
{
    static bool started;

    if (started)
        return 0;
    if (curl_load(err) < 0)
        return -1;
    if (curl.global_init_mem(CURL_GLOBAL_ALL, curl_malloc, free, curl_realloc, xstrdup,
                             curl_calloc) != CURLE_OK)
        return err_set(err, ERR_FAILED, "libcurl can't be initialized");
    started = true;
    return 0;
}

static void driver_unref(struct driver *d)
{
    if (--d->users != 0)
        return;
    curl.multi_cleanup(d->multi);
    free(d);
}

struct http *http_new(const struct http_options *o, struct err *err)
{
    struct http *h;

    if (curl_start(err) < 0)
        return NULL;
    h = xcalloc(1, sizeof(*h));
    if (o->share != NULL) {
        h->driver = o->share->driver;
    } else {
        h->driver = xcalloc(1, sizeof(*h->driver));
        h->driver->multi = curl.multi_init();
        if (h->driver->multi == NULL) {
            free(h->driver);
            free(h);
            (void) err_set(err, ERR_FAILED, "libcurl can't be initialized");
            return NULL;
        }
        (void) curl.multi_setopt(h->driver->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    }
    h->driver->users++;
    h->unix_socket = copy(o->unix_socket);
    h->ca_file = copy(o->ca_file);
    h->ca_pem = copy(o->ca_pem);
    h->cert_file = copy(o->cert_file);
    h->key_file = copy(o->key_file);
    h->cert_pem = copy(o->cert_pem);
    h->key_pem = copy(o->key_pem);
    h->tls_server_name = copy(o->tls_server_name);
    h->insecure = o->insecure;
    h->http2 = o->http2;
    h->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_MS;
    return h;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    driver_unref(h->driver);
    free(h->unix_socket);
    free(h->ca_file);
    free(h->ca_pem);
    free(h->cert_file);
    free(h->key_file);
    free(h->cert_pem);
    if (h->key_pem != NULL)
        explicit_bzero(h->key_pem, strlen(h->key_pem));
    free(h->key_pem);
    free(h->tls_server_name);
    free(h);
}

void http_response_init(struct http_response *r)
{
    memset(r, 0, sizeof(*r));
    buf_init(&r->body, BODY_MAX);
}

void http_response_release(struct http_response *r)
{
    buf_release(&r->body);
    vec_release(&r->headers);
    r->status = 0;
}

const char *http_header(const struct http_response *r, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < r->headers.n; i++) {
        const char *line = r->headers.v[i];

        if (strncmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " \t");
    }
    return NULL;
}

char *http_escape(const char *s)
{
    static const char unreserved[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    char *out = xmalloc(strlen(s) * 3 + 1), *at = out;

    for (; *s != '\0'; s++) {
        if (strchr(unreserved, *s) != NULL)
            *at++ = *s;
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char) *s);
    }
    *at = '\0';
    return out;
}

/* A header line without its end, the name in lower case. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct http_call *c = arg;
    size_t len = size * n;
    char *line, *colon;

    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        /* The head of another response: what came before was a redirect or "100 Continue". */
        vec_release(&c->response->headers);
        c->headers_len = 0;
        c->head_done = false;
        return len;
    }
    c->headers_len += len;
    if (c->headers_len > HEADERS_MAX) {
        c->too_long = true;
        return 0;
    }
    while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
        len--;
    if (len == 0) {
        c->head_done = true;
        c->http->driver->activity++;
        return size * n;
    }
    line = xstrndup(data, len);
    colon = strchr(line, ':');
    if (colon != NULL) {
        for (char *p = line; p < colon; p++)
            *p = (char) tolower((unsigned char) *p);
        vec_add(&c->response->headers, line);
    }
    free(line);
    return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct http_call *c = arg;
    size_t len = size * n;
    int rc;

    c->http->driver->activity++;
    /* The status is known before the body's first byte; callbacks look at it. */
    (void) curl.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->response->status);
    if (c->body_max != 0 && len > c->body_max - c->body_len) {
        c->too_long = true;
        return 0;
    }
    if (c->on_body != NULL) {
        rc = c->on_body(data, len, c->on_body_arg);
        if (rc == HTTP_PAUSE)
            return CURL_WRITEFUNC_PAUSE;
        if (rc < 0) {
            c->refused = true;
            return 0;
        }
    } else if (buf_add(&c->response->body, data, len) < 0) {
        c->too_long = true;
        return 0;
    }
    c->body_len += len;
    return len;
}

static size_t on_read(char *data, size_t size, size_t n, void *arg)
{
    struct http_call *c = arg;
    long got = c->read(data, size * n, c->read_arg);

    c->http->driver->activity++;
    if (got == HTTP_PAUSE)
        return CURL_READFUNC_PAUSE;
    if (got < 0) {
        c->refused = true;
        return CURL_READFUNC_ABORT;
    }
    return (size_t) got;
}

static void call_free(struct http_call *c)
{
    if (c == NULL)
        return;
    if (c->easy != NULL) {
        (void) curl.multi_remove_handle(c->http->driver->multi, c->easy);
        curl.easy_cleanup(c->easy);
    }
    curl.slist_free_all(c->headers);
    curl.slist_free_all(c->connect_to);
    free(c->host);
    free(c);
}

/* Who is spoken to, for people: the socket's path, or host and port of the URL. */
static char *peer_name(const struct http *h, const char *url)
{
    const char *at = strstr(url, "://");

    if (h->unix_socket != NULL)
        return xstrdup(h->unix_socket);
    at = at != NULL ? at + 3 : url;
    return xstrndup(at, strcspn(at, "/?#"));
}

static bool is_https(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* Options are checked by their one caller together: setopt fails on a libcurl without the feature. */
#define SET(option, value) \
    (rc = rc != CURLE_OK ? rc : curl.easy_setopt(c->easy, CURLOPT_##option, (value)))

static CURLcode set_blob(CURL *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = { .data = (void *) (uintptr_t) pem, .len = strlen(pem),
                              .flags = CURL_BLOB_COPY };

    return curl.easy_setopt(easy, option, &blob);
}

/* Also for an http URL: it may redirect to https. */
static CURLcode set_tls(struct http_call *c)
{
    const struct http *h = c->http;
    CURLcode rc = CURLE_OK;

    if (h->insecure) {
        SET(SSL_VERIFYPEER, 0L);
        SET(SSL_VERIFYHOST, 0L);
    }
    SET(SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    if (rc == CURLE_OK && h->ca_pem != NULL)
        rc = set_blob(c->easy, CURLOPT_CAINFO_BLOB, h->ca_pem);
    else if (h->ca_file != NULL)
        SET(CAINFO, h->ca_file);
    if (rc == CURLE_OK && h->cert_pem != NULL)
        rc = set_blob(c->easy, CURLOPT_SSLCERT_BLOB, h->cert_pem);
    else if (h->cert_file != NULL)
        SET(SSLCERT, h->cert_file);
    if (rc == CURLE_OK && h->key_pem != NULL)
        rc = set_blob(c->easy, CURLOPT_SSLKEY_BLOB, h->key_pem);
    else if (h->key_file != NULL)
        SET(SSLKEY, h->key_file);
    SET(HTTP_VERSION, h->http2 ? (long) CURL_HTTP_VERSION_2TLS : (long) CURL_HTTP_VERSION_1_1);
    if (h->http2)
        SET(PIPEWAIT, 1L);
    return rc;
}

/* libcurl checks the certificate against the URL's host, so for another name the URL is written
 * with that name and the connection is directed to the real host. Returns the URL to use. */
static char *server_name_url(struct http_call *c, const char *url)
{
    const char *name = c->http->tls_server_name;
    char *made = NULL;
    cleanup_free char *host = NULL, *port = NULL, *to = NULL;
    CURLU *u;

    if (name == NULL || !is_https(url))
        return xstrdup(url);
    u = curl.url();
    if (curl.url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl.url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK &&
        curl.url_get(u, CURLUPART_URL, &made, 0) == CURLUE_OK) {
        to = xasprintf("::%s:%s", host, port);
        c->connect_to = curl.slist_append(NULL, to);
    }
    curl.url_cleanup(u);
    return made != NULL ? made : xstrdup(url);
}

static CURLcode set_body(struct http_call *c, const struct http_request *q)
{
    CURLcode rc = CURLE_OK;
    bool takes_body = strcmp(q->method, "POST") == 0 || strcmp(q->method, "PUT") == 0 ||
                      strcmp(q->method, "PATCH") == 0;

    if (strcmp(q->method, "HEAD") == 0)
        return SET(NOBODY, 1L);
    if (q->read != NULL) {
        SET(UPLOAD, 1L);
        SET(READFUNCTION, on_read);
        SET(READDATA, c);
        SET(INFILESIZE_LARGE, (curl_off_t) q->read_len);
    } else if (q->body != NULL || takes_body) {
        SET(POST, 1L);
        SET(POSTFIELDSIZE_LARGE, (curl_off_t) (q->body != NULL ? q->body_len : 0));
        SET(POSTFIELDS, q->body != NULL ? q->body : "");
    }
    SET(CUSTOMREQUEST, q->method);
    return rc;
}

static void set_headers(struct http_call *c, const struct http_request *q)
{
    bool typed = false;

    for (size_t i = 0; q->headers != NULL && i < q->headers->n; i++) {
        c->headers = curl.slist_append(c->headers, q->headers->v[i]);
        typed = typed || strncasecmp(q->headers->v[i], "content-type:", 13) == 0;
    }
    /* What curl would add by itself: a type that is wrong here, and a wait before each body. */
    if (!typed)
        c->headers = curl.slist_append(c->headers, "Content-Type:");
    c->headers = curl.slist_append(c->headers, "Expect:");
}

/* What requests and bare connections have in common. */
static CURLcode set_common(struct http_call *c, const char *url)
{
    const struct http *h = c->http;
    cleanup_free char *real = server_name_url(c, url);
    CURLcode rc = CURLE_OK;

    SET(URL, real);
    if (c->connect_to != NULL)
        SET(CONNECT_TO, c->connect_to);
    SET(ERRORBUFFER, c->reason);
    SET(NOSIGNAL, 1L);
    SET(USERAGENT, "slipway/" PACKAGE_VERSION);
    SET(PROTOCOLS_STR, "http,https");
    SET(TCP_KEEPALIVE, 1L);
    SET(TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    SET(TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    SET(CONNECTTIMEOUT_MS, h->connect_timeout_ms);
    if (h->unix_socket != NULL) {
        SET(UNIX_SOCKET_PATH, h->unix_socket);
        SET(PROXY, "");
    }
    return rc == CURLE_OK ? set_tls(c) : rc;
}

static CURLcode set_all(struct http_call *c, const struct http_request *q)
{
    long timeout = q->timeout_ms == 0 ? REQUEST_MS : q->timeout_ms;
    CURLcode rc = set_common(c, q->url);

    set_headers(c, q);
    SET(HTTPHEADER, c->headers);
    SET(PRIVATE, c);
    if (timeout > 0)
        SET(TIMEOUT_MS, timeout);
    if (q->stall_ms > 0) {
        SET(LOW_SPEED_LIMIT, 1L);
        SET(LOW_SPEED_TIME, (q->stall_ms + 999) / 1000);
    }
    if (q->follow) {
        SET(FOLLOWLOCATION, 1L);
        SET(MAXREDIRS, REDIRECTS_MAX);
        SET(REDIR_PROTOCOLS_STR, is_https(q->url) ? "https" : "http,https");
    }
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, c);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, c);
    if (rc == CURLE_OK)
        rc = set_body(c, q);
    return rc;
}

struct http_call *http_start(struct http *h, const struct http_request *q, struct http_response *r,
                             struct err *err)
{
    struct http_call *c;
    CURLcode rc;

    if (q->follow && (h->cert_file != NULL || h->cert_pem != NULL)) {
        /* libcurl would show the certificate to whoever the redirect names. */
        (void) err_set(err, ERR_FAILED, "a request with a client certificate follows no redirect");
        return NULL;
    }
    c = xcalloc(1, sizeof(*c));
    c->http = h;
    c->response = r;
    c->on_body = q->on_body;
    c->on_body_arg = q->on_body_arg;
    c->read = q->read;
    c->read_arg = q->read_arg;
    c->host = peer_name(h, q->url);
    c->body_max = q->body_max != 0 ? q->body_max : q->on_body != NULL ? 0 : BODY_MAX;
    http_response_release(r);
    buf_init(&r->body, c->body_max != 0 ? c->body_max : BODY_MAX);
    c->easy = curl.easy_init();
    rc = c->easy != NULL ? set_all(c, q) : CURLE_FAILED_INIT;
    if (rc != CURLE_OK || curl.multi_add_handle(h->driver->multi, c->easy) != CURLM_OK) {
        (void) err_set(err, ERR_FAILED, "%s: the request can't be made: %s", c->host,
                       rc != CURLE_OK ? curl.easy_strerror(rc) : "libcurl");
        call_free(c);
        return NULL;
    }
    return c;
}

static void collect_done(struct driver *d)
{
    CURLMsg *m;
    int left;

    while ((m = curl.multi_info_read(d->multi, &left)) != NULL) {
        struct http_call *c = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void) curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &c);
        c->done = true;
        c->result = m->data.result;
        d->activity++;
    }
}

int http_poll(struct http *h, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err)
{
    struct driver *d = h->driver;
    struct curl_waitfd extra = { .fd = extra_fd, .events = CURL_WAIT_POLLIN };
    uint64_t start = loop_now(), before = d->activity;

    if (ret_extra != NULL)
        *ret_extra = false;
    for (;;) {
        int running, left = INT_MAX;
        CURLMcode rc = curl.multi_perform(d->multi, &running);

        if (rc == CURLM_OK) {
            collect_done(d);
            if (timeout_ms >= 0) {
                uint64_t gone = loop_now() - start;
                left = gone < (uint64_t) timeout_ms ? timeout_ms - (int) gone : 0;
            }
            extra.revents = 0;
            rc = curl.multi_poll(d->multi, extra_fd >= 0 ? &extra : NULL, extra_fd >= 0,
                                 d->activity != before ? 0 : left, NULL);
        }
        if (rc != CURLM_OK)
            return err_set(err, ERR_FAILED, "libcurl: %s", curl.multi_strerror(rc));
        if (extra.revents != 0 && ret_extra != NULL)
            *ret_extra = true;
        if (d->activity != before || extra.revents != 0 || left == 0)
            return 0;
    }
}

int http_done(struct http_call *c, struct err *err)
{
    int ret = 1;

    if (!c->done)
        return 0;
    if (c->result == CURLE_OK) {
        (void) curl.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->response->status);
    } else if (c->too_long) {
        ret = err_set(err, ERR_FAILED, "%s sent a longer answer than is allowed", c->host);
    } else if (c->refused) {
        ret = err_set(err, ERR_FAILED, "%s: the transfer was ended", c->host);
    } else {
        ret = err_set(err, ERR_DOWN, "%s: %s", c->host,
                      c->reason[0] != '\0' ? c->reason : curl.easy_strerror(c->result));
    }
    call_free(c);
    return ret;
}

void http_resume(struct http_call *c)
{
    if (c != NULL && !c->done)
        (void) curl.easy_pause(c->easy, CURLPAUSE_CONT);
}

void http_cancel(struct http_call *c)
{
    call_free(c);
}

int http_do(struct http *h, const struct http_request *q, struct http_response *r, struct err *err)
{
    struct http_call *c = http_start(h, q, r, err);
    int rc;

    if (c == NULL)
        return -1;
    while ((rc = http_done(c, err)) == 0) {
        if (http_poll(h, -1, -1, NULL, err) < 0) {
            http_cancel(c);
            return -1;
        }
    }
    return rc < 0 ? -1 : 0;
}

/* --- bare connections */

struct http_link {
    struct http_call *call;
    int fd;
};

static CURLcode set_link(struct http_call *c, const char *url)
{
    CURLcode rc = set_common(c, url);

    SET(CONNECT_ONLY, 1L);
    SET(HTTPPROXYTUNNEL, 1L);
    SET(HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    return rc;
}

int http_link_failed(const struct http_link *l, CURLcode rc, struct err *err)
{
    const struct http_call *c = l->call;

    return err_set(err, ERR_DOWN, "%s: %s", c->host,
                   c->reason[0] != '\0' ? c->reason : curl.easy_strerror(rc));
}

struct http_link *http_link_new(struct http *h, const char *url, struct err *err)
{
    struct http_link *l = xcalloc(1, sizeof(*l));
    struct http_call *c = xcalloc(1, sizeof(*c));
    CURLcode rc;

    l->call = c;
    c->http = h;
    c->host = peer_name(h, url);
    c->easy = curl.easy_init();
    rc = c->easy != NULL ? set_link(c, url) : CURLE_FAILED_INIT;
    if (rc == CURLE_OK)
        return l;
    (void) http_link_failed(l, rc, err);
    http_link_close(l);
    return NULL;
}

CURL *http_link_easy(const struct http_link *l)
{
    return l->call->easy;
}

const char *http_link_peer(const struct http_link *l)
{
    return l->call->host;
}

struct http_link *http_link_open(struct http *h, const char *url, struct err *err)
{
    struct http_link *l = http_link_new(h, url, err);
    curl_socket_t fd = CURL_SOCKET_BAD;
    CURLcode rc;

    if (l == NULL)
        return NULL;
    rc = curl.easy_perform(l->call->easy);
    if (rc == CURLE_OK)
        rc = curl.easy_getinfo(l->call->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (rc != CURLE_OK || fd == CURL_SOCKET_BAD) {
        (void) http_link_failed(l, rc, err);
        http_link_close(l);
        return NULL;
    }
    l->fd = fd;
    return l;
}

void http_link_close(struct http_link *l)
{
    if (l == NULL)
        return;
    call_free(l->call);
    free(l);
}

int http_link_fd(const struct http_link *l)
{
    return l->fd;
}

long http_link_recv(struct http_link *l, void *data, size_t n, struct err *err)
{
    size_t got = 0;
    CURLcode rc = curl.easy_recv(l->call->easy, data, n, &got);

    if (rc == CURLE_AGAIN)
        return HTTP_AGAIN;
    return rc == CURLE_OK ? (long) got : http_link_failed(l, rc, err);
}

long http_link_send(struct http_link *l, const void *data, size_t n, struct err *err)
{
    size_t sent = 0;
    CURLcode rc = curl.easy_send(l->call->easy, data, n, &sent);

    if (rc == CURLE_AGAIN || (rc == CURLE_OK && sent == 0))
        return HTTP_AGAIN;
    return rc == CURLE_OK ? (long) sent : http_link_failed(l, rc, err);
}
