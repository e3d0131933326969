/* A client of one OCI registry (OCI distribution specification 1.1), with docker's logins: none, basic, and the
 * distribution project's token authentication. Errors name the registry and what to do:
 * ERR_DENIED for 401 and 403, ERR_NOT_FOUND for 404, ERR_BUSY for 429, ERR_DOWN where it does not
 * answer or answers 5xx. Secrets never stand in them. */
#ifndef SLIPWAY_BASE_OCI_H
#define SLIPWAY_BASE_OCI_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/http.h"
#include "base/vec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct oci;

struct oci_options {
    const char *registry;    /* "host" or "host:port", as struct image_ref has it; docker.io is known */
    bool insecure;           /* plain http instead of https */
    const char *ca_file;     /* PEM; NULL or "": the system's */
    const char *auth_file;   /* docker config.json (base/docker_auth.h); NULL or "": no login */
    /* The setting that names it, for errors that people see who don't know the server: "[registry] auth". The file, and
     * what is wrong in it, go to the log then. NULL: errors name the file. */
    const char *auth_name;
    struct oci *share;       /* another client: waiting on either drives the calls of both */
    /* Asked at least every second while a call waits, and when wake_fd (<= 0: none) is readable; true
     * ends the call with ERR_FAILED "canceled". NULL: never. */
    bool (*canceled)(void *arg);
    void *canceled_arg;
    int wake_fd;
};

/* Opens no connection and reads no credential yet. Strings are copied. Free after all its calls have ended. */
struct oci *oci_new(const struct oci_options *o, struct err *err);
void oci_free(struct oci *o);
const char *oci_registry(const struct oci *o);

/* Is it there, and does it take our login? For `slipway check`. */
int oci_check(struct oci *o, struct err *err);

/* --- manifests and what they name (oci_image.c). ref: a tag or a digest. */

struct oci_manifest {
    char *media_type;
    char *body;              /* exactly as the registry has it: its bytes are what the digest is of */
    size_t len;
    char digest[DIGEST_SIZE];
    json_t *json;
};
void oci_manifest_release(struct oci_manifest *m);

/* Reads the body of an answer (moved into *ret) and its Content-Type (NULL: none). what: the registry's
 * name, for errors. Pure. */
int oci_manifest_read(const char *what, const char *ref, const char *content_type, struct buf *body,
                      struct oci_manifest *ret, struct err *err);

/* Gets a manifest or an index; the digest is checked where ref is one, and computed where it is a tag. */
int oci_manifest_get(struct oci *o, const char *repository, const char *ref, struct oci_manifest *ret,
                     struct err *err);

/* Is it there? ret_digest (may be NULL) gets the digest. */
int oci_manifest_head(struct oci *o, const char *repository, const char *ref, char ret_digest[DIGEST_SIZE],
                      struct err *err);

/* Puts the same bytes under a tag or a digest; checks that the registry names the same digest. */
int oci_manifest_put(struct oci *o, const char *repository, const char *ref, const struct oci_manifest *m,
                     struct err *err);

/* Deletes a manifest or index by its digest, for good ("Deleting Manifests" of the specification); the space is free when
 * the registry has collected its garbage. 1: it is not there any more; 0: this registry deletes nothing (405), as many are
 * set up; -1. */
int oci_manifest_delete(struct oci *o, const char *repository, const char *digest, struct err *err);

/* Gives an image that the registry has another tag. */
int oci_tag(struct oci *o, const char *repository, const char *digest, const char *tag, struct err *err);

/* 1 where the blob is there (size in *ret_size, which may be NULL), 0 where not, -1. */
int oci_blob_head(struct oci *o, const char *repository, const char *digest, int64_t *ret_size,
                  struct err *err);

/* A small blob into a buffer, which bounds it; its digest is checked. */
int oci_blob_get(struct oci *o, const char *repository, const char *digest, struct buf *ret, struct err *err);

/* The image's configuration (OCI image specification 1.1, config.md), of the linux/amd64 image or else the first
 * linux one where ref names an index. Labels are at "config" → "Labels". ret_digest (may be NULL): of what
 * ref names. The caller decrefs. */
int oci_image_config(struct oci *o, const char *repository, const char *ref, json_t **ret,
                     char ret_digest[DIGEST_SIZE], struct err *err);

/* Media types of an index (several images) and of a manifest (one image). */
bool oci_is_index(const char *media_type);

/* --- single requests, for who copies blobs (deployer/publish.c) */

struct http *oci_http(struct oci *o);

/* https://host/v2/REPOSITORY/… printf style; the caller frees. */
char *oci_url(const struct oci *o, const char *repository, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An upload's Location, which may be relative to the registry (RFC 9110 §10.2.2). NULL and err where it leads to another
 * host over plain http. *ret_same: it is this registry, which may see the login. The caller frees. */
char *oci_location(const struct oci *o, const char *location, bool *ret_same, struct err *err);

/* What a request does with a repository: the actions that a token server is asked for (distribution's "Token Scope
 * Documentation"). */
enum oci_access { OCI_PULL, OCI_PUSH, OCI_DELETE };

/* Adds the Authorization header for the repository, where a login is known to be needed; asks for a token
 * where there is none yet. mount (NULL: none) is a second repository to read from. */
int oci_authorize(struct oci *o, const char *repository, enum oci_access access, const char *mount, struct vec *headers,
                  struct err *err);

/* Learns from a 401 how to log in, and forgets the tokens: then authorize and send again, once. */
int oci_challenged(struct oci *o, const struct http_response *r, struct err *err);

/* Authorizes q, sends it and waits; sends it again after a 401, and some times where there was no answer, a 429 or
 * a 502 to 504 (within seconds, or when the registry says). Any status is success; q->headers, where set, must not
 * hold Authorization. A body from a callback can't be sent twice: send that as deployer/blob.c does. */
int oci_do(struct oci *o, const char *repository, enum oci_access access, const char *mount, const struct http_request *q,
           struct http_response *r, struct err *err);

/* Waits until some call of this client, or of one that shares its driver, moved, or timeout_ms (at most a second
 * is taken) passed. -1: canceled. */
int oci_wait(struct oci *o, int timeout_ms, struct err *err);

/* Fills err for an unexpected status. what: "blob sha256:…", what was asked for. Returns -1. */
int oci_refused(const struct oci *o, const char *repository, const char *what, const struct http_response *r,
                struct err *err);

/* A transport failure's message (err of http_done) gets the registry's name. Returns -1. */
int oci_down(const struct oci *o, struct err *err);

#endif
