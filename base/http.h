/* HTTP with libcurl's multi interface: one client per remote, its connections are kept and,
 * with HTTP/2, shared. Bodies and headers are bounded. No request follows a redirect by itself
 * with credentials: libcurl sends them to the first host only. */
#ifndef SLIPWAY_BASE_HTTP_H
#define SLIPWAY_BASE_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http; /* the client */

struct http_options {
    const char *unix_socket;  /* NULL: TCP */
    const char *ca_file;      /* PEM; NULL: the system's */
    const char *ca_pem;       /* the same, in memory */
    const char *cert_file, *key_file; /* client certificate, PEM files */
    const char *cert_pem, *key_pem;   /* the same, in memory */
    const char *tls_server_name;      /* for the certificate's check; NULL: the URL's host */
    bool insecure;            /* do not check the server's certificate (kubeconfig's insecure-skip-tls-verify) */
    bool http2;               /* try HTTP/2 over TLS and multiplex */
    long connect_timeout_ms;  /* 0: 10 s */
    struct http *share;       /* another client: http_poll on either drives the calls of both */
};

/* Strings are copied; libcurl is initialized at the first call in a process. NULL and err on failure.
 * The caller frees the client; all its requests must be done or canceled before. NULL is fine. */
struct http *http_new(const struct http_options *o, struct err *err);
void http_free(struct http *h);

/* What the two callbacks return to be called again with the same, but only after http_resume. */
#define HTTP_PAUSE (-2)

/* Called with each piece of the response's body, when the response's status and headers are there.
 * Return 0, -1 to end the request as failed, or HTTP_PAUSE. */
typedef int http_body_fn(const char *data, size_t n, void *arg);
/* Fills at most n bytes of the request's body; returns the number, 0 at the end, -1 on failure, or HTTP_PAUSE. */
typedef long http_read_fn(char *data, size_t n, void *arg);

struct http_request {
    const char *method;             /* "GET" */
    const char *url;
    const struct vec *headers;      /* "Name: value" each; NULL: none */
    const void *body; size_t body_len;  /* sent as is; NULL: none */
    http_read_fn *read; void *read_arg; int64_t read_len; /* streamed body of known length instead; -1: chunked */
    http_body_fn *on_body; void *on_body_arg; /* NULL: collected in the response */
    size_t body_max;                /* of the response; 0: 1 MiB, or with on_body no limit */
    long timeout_ms;                /* whole request; 0: 30 s, -1: none (watches, uploads) */
    long stall_ms;                  /* fails when less than 1 byte a second moved for so long (whole seconds); 0: off */
    bool follow;                    /* follow at most 5 redirects, https never to http; not with a client certificate */
};

struct http_response {
    long status;         /* 0 where none arrived */
    struct buf body;
    struct vec headers;  /* "name: value", names in lower case */
};
void http_response_init(struct http_response *r);
void http_response_release(struct http_response *r);
/* The value of a response header ("location"), NULL where absent. Valid as long as r. */
const char *http_header(const struct http_response *r, const char *name);

/* s percent-encoded as one component of a URL or a form (RFC 3986 §2.3's unreserved characters stay). The caller frees. */
char *http_escape(const char *s);

/* Sends one request and waits for its end. A transport failure is -1 with ERR_DOWN; an answer over its
 * limit or refused by a callback -1 with ERR_FAILED; any HTTP status is success here. */
int http_do(struct http *h, const struct http_request *q, struct http_response *r, struct err *err);

/* The same in flight: several at a time on one client. http_start copies what it needs of q except
 * body, callbacks' arguments and r, which must stay until http_done says so or http_cancel. */
struct http_call;
struct http_call *http_start(struct http *h, const struct http_request *q, struct http_response *r,
                             struct err *err);
/* Drives all calls of the client until something happened (a callback was called, a head is complete, a
 * call is done), or timeout_ms passed (-1: none), or extra_fd (-1: none) is readable: then *ret_extra
 * (may be NULL) is set. */
int http_poll(struct http *h, int timeout_ms, int extra_fd, bool *ret_extra, struct err *err);
/* 1: ended well (r is filled), 0: still running, -1: transport failure (err). After 1 or -1 the call is freed. */
int http_done(struct http_call *c, struct err *err);
void http_cancel(struct http_call *c);
/* Goes on after a callback said HTTP_PAUSE; harmless otherwise. Not from inside a callback. */
void http_resume(struct http_call *c);

/* The certificate that a TLS server shows for a name, whoever vouches for it. */
struct http_certificate {
    char *issuer;                  /* "CN = Some authority" */
    int64_t not_before, not_after; /* ms since 1970 */
};
/* Asks the URL's host itself, past proxies, for the client's tls_server_name. ERR_NOT_FOUND where it shows none for that name,
 * ERR_DOWN where it does not answer. Release *ret. */
int http_certificate_get(struct http *h, const char *url, struct http_certificate *ret, struct err *err);
void http_certificate_release(struct http_certificate *c);

/* A bare connection to the URL's host with the client's TLS settings and proxies, for a protocol that
 * begins as HTTP/1.1 and goes on as something else (RFC 9110 §7.8). Waits until it is made. NULL and
 * err (ERR_DOWN) on failure. Not with follow, not shared with requests. */
struct http_link;
struct http_link *http_link_open(struct http *h, const char *url, struct err *err);
void http_link_close(struct http_link *l);
/* The socket, to wait on. TLS may hold bytes that the socket doesn't show: receive until HTTP_AGAIN
 * before waiting for more. */
int http_link_fd(const struct http_link *l);
#define HTTP_AGAIN (-2)
/* The number of bytes moved, HTTP_AGAIN where none can be now, -1 with err (ERR_DOWN). Receiving:
 * 0 at the end. Sending: after HTTP_AGAIN the same bytes must be offered again. */
long http_link_recv(struct http_link *l, void *data, size_t n, struct err *err);
long http_link_send(struct http_link *l, const void *data, size_t n, struct err *err);

#endif
