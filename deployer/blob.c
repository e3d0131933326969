#include "config.h"

#include "deployer/blob.h"

#include "base/image_file.h"
#include "base/loop.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PARALLEL 4              /* enough to fill a link; registries limit clients that open more */
#define TRIES 4                 /* of one blob, within two seconds of waiting; a cut download counts as one */
#define WINDOW (512 * 1024)     /* bytes between a download and its upload: some round trips' worth */
#define LOGINS 3                /* of one blob: none known, a token for less, a token that ran out */
#define STALL_MS 30000          /* a download that stands still for so long is cut and tried again */
#define COMMIT_MS 120000        /* the same of an upload: registries check large layers before they answer */
#define CHUNK (8 * 1024 * 1024) /* what a cut upload may lose; a smaller blob goes as a whole, a request less */
#define CHUNK_MAX (1024 * 1024 * 1024) /* a registry that wants larger ones at least gets the blob as a whole */

enum phase { PHASE_HEAD, PHASE_START, PHASE_STREAM, PHASE_ASK, PHASE_COMMIT, PHASE_DONE };

/* One blob under way: PHASE_STREAM has two calls, what the source sends goes through the window into
 * what the destination takes, in one PUT or in chunks. A chunk that was cut makes PHASE_ASK: how much is there? */
struct transfer {
    const struct blob_copy *copy;
    const struct blob *blob;    /* NULL: the place is free */
    enum phase phase;
    int tries, logins;
    int restarts;               /* of the whole blob */
    uint64_t again_at;          /* loop_now; nothing is started before */
    struct http_call *call;     /* HEAD, POST, PATCH, GET or PUT to the destination */
    struct http_response answer;
    struct http_call *down;     /* GET from the source */
    struct http_response source;
    struct buf window;
    struct digest digest;
    int64_t received, sent;     /* of the blob */
    int64_t hashed;             /* the part of it that digest knows: more than received after a chunk was cut */
    int64_t chunk, chunk_left;  /* a chunk's size, 0: as a whole; what this one still takes */
    bool whole;                 /* the registry takes no chunks */
    int64_t from, at;           /* where this GET was asked to begin; where it is, -1: no answer yet */
    bool ended, wrong, down_paused, up_paused;
    char *location;
    bool location_same;
};

static void transfer_init(struct transfer *t, const struct blob_copy *c, const struct blob *b)
{
    memset(t, 0, sizeof(*t));
    t->copy = c;
    t->blob = b;
    http_response_init(&t->answer);
    http_response_init(&t->source);
    buf_init(&t->window, WINDOW);
}

/* Ends what is under way and keeps what counts tries: the blob begins anew. */
static void transfer_stop(struct transfer *t)
{
    http_cancel(t->call);
    http_cancel(t->down);
    t->call = t->down = NULL;
    free(t->location);
    t->location = NULL;
    buf_clear(&t->window);
    t->received = t->sent = t->hashed = t->chunk = t->chunk_left = 0;
    t->ended = t->wrong = t->down_paused = t->up_paused = false;
    t->phase = PHASE_HEAD;
}

static void transfer_release(struct transfer *t)
{
    if (t->blob == NULL)
        return;
    transfer_stop(t);
    http_response_release(&t->answer);
    http_response_release(&t->source);
    buf_release(&t->window);
    t->blob = NULL;
}

static int start_destination(struct transfer *t, bool login, struct http_request *q, struct vec *headers,
                             struct err *err)
{
    const struct blob_copy *c = t->copy;

    if (login && oci_authorize(c->to, c->to_repository, OCI_PUSH, c->mount ? c->from_repository : NULL, headers,
                               err) < 0)
        return -1;
    q->headers = headers;
    t->call = http_start(oci_http(c->to), q, &t->answer, err);
    return t->call != NULL ? 0 : oci_down(c->to, err);
}

static int start_head(struct transfer *t, struct err *err)
{
    const struct blob_copy *c = t->copy;
    cleanup_free char *url = oci_url(c->to, c->to_repository, "blobs/%s", t->blob->digest);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "HEAD", .url = url, .follow = true };

    return start_destination(t, true, &q, &headers, err);
}

static int start_upload(struct transfer *t, struct err *err)
{
    const struct blob_copy *c = t->copy;
    cleanup_free char *url = NULL, *digest = http_escape(t->blob->digest), *from = http_escape(c->mount ? c->from_repository : "");
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "POST" };

    url = c->mount ? oci_url(c->to, c->to_repository, "blobs/uploads/?mount=%s&from=%s", digest, from)
                   : oci_url(c->to, c->to_repository, "blobs/uploads/");
    q.url = url;
    t->phase = PHASE_START;
    return start_destination(t, true, &q, &headers, err);
}

static int on_source(const char *data, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t known = 0;

    if (t->source.status != 200 && t->source.status != 206)
        return 0; /* an error's text; step_source looks at the status */
    if (t->at < 0)
        t->at = t->source.status == 206 ? t->from : 0;
    /* Who doesn't know ranges sends the blob from its beginning: that part is here already. */
    if (t->at < t->received)
        known = t->received - t->at < (int64_t) n ? (size_t) (t->received - t->at) : n;
    if (n - known > buf_room(&t->window)) {
        t->down_paused = true; /* the same data comes again, so nothing is counted yet */
        return HTTP_PAUSE;
    }
    if ((int64_t) (n - known) > t->blob->size - t->received) {
        t->wrong = true;
        return -1;
    }
    (void) buf_add(&t->window, data + known, n - known);
    if (t->received + (int64_t) (n - known) > t->hashed) {
        size_t again = (size_t) (t->hashed - t->received);

        digest_add(&t->digest, data + known + again, n - known - again);
        t->hashed += (int64_t) (n - known - again);
    }
    t->received += (int64_t) (n - known);
    t->at += (int64_t) n;
    return 0;
}

/* An upload as a whole never ends well unless what came was what the digest says. Chunks are nothing before the
 * last request, which names the digest. */
static long on_upload(char *data, size_t n, void *arg)
{
    struct transfer *t = arg;

    if (t->wrong)
        return -1;
    if (t->chunk > 0 && t->chunk_left < (int64_t) n)
        n = (size_t) t->chunk_left;
    /* The last bytes wait until the digest is known to be right. */
    if (n == 0 || buf_len(&t->window) == 0 || (t->chunk == 0 && !t->ended && t->received == t->blob->size)) {
        if (n == 0 || t->ended)
            return 0;
        t->up_paused = true;
        return HTTP_PAUSE;
    }
    if (n > buf_len(&t->window))
        n = buf_len(&t->window);
    memcpy(data, buf_str(&t->window), n);
    buf_consume(&t->window, n);
    t->sent += (int64_t) n;
    if (t->chunk > 0)
        t->chunk_left -= (int64_t) n;
    return (long) n;
}

/* The same from a file, without a window: it never has to be waited for. */
static long on_upload_file(char *data, size_t n, void *arg)
{
    struct transfer *t = arg;
    int64_t left = t->blob->size - t->sent;
    char got[DIGEST_SIZE];
    struct digest d;

    if (t->chunk > 0 && t->chunk_left < left)
        left = t->chunk_left;
    if ((int64_t) n > left)
        n = (size_t) left;
    if (n == 0)
        return 0;
    if (image_file_bytes(t->copy->file, t->blob->offset + t->sent, data, n, NULL) < 0) {
        t->wrong = true;
        return -1;
    }
    if (t->sent + (int64_t) n > t->hashed) {
        size_t again = (size_t) (t->hashed - t->sent);

        digest_add(&t->digest, data + again, n - again);
        t->hashed += (int64_t) (n - again);
    }
    t->ended = t->sent + (int64_t) n == t->blob->size;
    d = t->digest;
    if (t->ended)
        digest_text(&d, got);
    if (t->ended && strcmp(got, t->blob->digest) != 0) {
        t->wrong = true;
        return -1;
    }
    t->sent += (int64_t) n;
    t->received = t->sent;
    t->chunk_left -= t->chunk > 0 ? (int64_t) n : 0;
    return (long) n;
}

/* The blob, or the rest of it from where the last GET was cut. */
static int start_download(struct transfer *t, struct err *err)
{
    const struct blob_copy *c = t->copy;
    cleanup_free char *url = oci_url(c->from, c->from_repository, "blobs/%s", t->blob->digest);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "GET", .url = url, .headers = &headers, .follow = true,
                              .on_body = on_source, .on_body_arg = t, .timeout_ms = -1, .stall_ms = STALL_MS };

    if (t->received > 0)
        vec_addf(&headers, "Range: bytes=%lld-", (long long) t->received);
    t->from = t->received;
    t->at = -1;
    t->down_paused = false;
    if (oci_authorize(c->from, c->from_repository, OCI_PULL, NULL, &headers, err) < 0)
        return -1;
    t->down = http_start(oci_http(c->from), &q, &t->source, err);
    return t->down != NULL ? 0 : oci_down(c->from, err);
}

static int start_source(struct transfer *t, struct err *err)
{
    return t->copy->from != NULL ? start_download(t, err) : 0;
}

static char *commit_url(const struct transfer *t)
{
    cleanup_free char *digest = http_escape(t->blob->digest);

    return xasprintf("%s%cdigest=%s", t->location, strchr(t->location, '?') != NULL ? '&' : '?', digest);
}

static int start_whole(struct transfer *t, struct err *err)
{
    cleanup_free char *url = commit_url(t);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "PUT", .url = url, .read = t->copy->from != NULL ? on_upload : on_upload_file, .read_arg = t,
                              .read_len = t->blob->size, .timeout_ms = -1, .stall_ms = COMMIT_MS };

    vec_add(&headers, "Content-Type: application/octet-stream");
    return start_destination(t, t->location_same, &q, &headers, err);
}

static int start_chunk(struct transfer *t, struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "PATCH", .url = t->location, .read = t->copy->from != NULL ? on_upload : on_upload_file, .read_arg = t,
                              .timeout_ms = -1, .stall_ms = COMMIT_MS };

    q.read_len = t->blob->size - t->sent < t->chunk ? t->blob->size - t->sent : t->chunk;
    t->chunk_left = q.read_len;
    t->up_paused = false;
    t->phase = PHASE_STREAM;
    vec_add(&headers, "Content-Type: application/octet-stream");
    vec_addf(&headers, "Content-Range: %lld-%lld", (long long) t->sent, (long long) (t->sent + q.read_len - 1));
    return start_destination(t, t->location_same, &q, &headers, err);
}

static int start_ask(struct transfer *t, struct err *err)
{
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "GET", .url = t->location };

    return start_destination(t, t->location_same, &q, &headers, err);
}

static int start_commit(struct transfer *t, struct err *err)
{
    cleanup_free char *url = commit_url(t);
    cleanup_vec struct vec headers = VEC_INIT;
    struct http_request q = { .method = "PUT", .url = url, .body = "", .timeout_ms = -1, .stall_ms = COMMIT_MS };

    vec_add(&headers, "Content-Type: application/octet-stream");
    return start_destination(t, t->location_same, &q, &headers, err);
}

/* How large a chunk is: as the registry wants them at least, where it says so (OCI-Chunk-Min-Length). */
static int64_t chunk_size(const struct transfer *t)
{
    const char *text = http_header(&t->answer, "oci-chunk-min-length");
    long long least = text != NULL ? strtoll(text, NULL, 10) : 0;

    if (t->whole || t->blob->size <= CHUNK || least > CHUNK_MAX)
        return 0;
    return least > CHUNK ? least : CHUNK;
}

static int start_stream(struct transfer *t, struct err *err)
{
    t->phase = PHASE_STREAM;
    t->chunk = chunk_size(t);
    digest_init(&t->digest);
    if (start_source(t, err) < 0)
        return -1;
    return t->chunk > 0 ? start_chunk(t, err) : start_whole(t, err);
}

/* 0.25, 0.5, 1 seconds */
static void wait_longer(struct transfer *t)
{
    t->again_at = loop_now() + (250u << t->tries);
    t->tries++;
}

/* 0 where the blob is tried again later (err is cleared), -1 where that can't help or was done often enough. */
static int try_again(struct transfer *t, struct err *err)
{
    /* A blob of which chunks arrive, but never what its digest says, has its tries again with each chunk. */
    if (t->tries + 1 >= TRIES || ++t->restarts >= TRIES || err->code == ERR_DENIED || err->code == ERR_NOT_FOUND ||
        (t->copy->from == NULL && err->code == ERR_FAILED))
        return -1;
    transfer_stop(t);
    wait_longer(t);
    err_clear(err);
    return 0;
}

/* A chunk, or what was asked about it, has failed: as much as the registry has of the blob stays there. 0 where it is
 * asked for that, -1 where the failure stands (err as it was). */
static int ask_later(struct transfer *t, struct err *err)
{
    if (t->chunk == 0 || t->phase < PHASE_STREAM || t->tries + 1 >= TRIES)
        return -1;
    http_cancel(t->call);
    t->call = NULL;
    t->phase = PHASE_ASK;
    wait_longer(t);
    err_clear(err);
    return 0;
}

/* A 401: a token ran out, or none was known to be needed. */
static int login_again(struct transfer *t, struct oci *o, const char *repository, const struct http_response *r,
                       struct err *err)
{
    if (t->logins++ >= LOGINS)
        return oci_refused(o, repository, "a layer", r, err);
    if (oci_challenged(o, r, err) < 0)
        return -1;
    if (t->chunk > 0 && r == &t->answer)
        t->phase = PHASE_ASK;
    else
        transfer_stop(t);
    return 0;
}

static int refused(const struct transfer *t, struct err *err)
{
    const struct blob_copy *c = t->copy;

    if (t->answer.status == 404 && t->phase == PHASE_START)
        return err_set(err, ERR_NOT_FOUND, "registry %s has no repository %s; create it there", oci_registry(c->to),
                       c->to_repository);
    if (t->answer.status == 404)
        return err_set(err, ERR_DOWN, "registry %s has lost the upload of %s", oci_registry(c->to), t->blob->digest);
    return oci_refused(c->to, c->to_repository, "a layer", &t->answer, err);
}

/* How much of the blob the registry has, by its Range header: "0-8388607". */
static int64_t range_end(const struct transfer *t, int64_t otherwise)
{
    const char *text = http_header(&t->answer, "range");
    long long last;

    if (text == NULL || strncmp(text, "0-", 2) != 0)
        return otherwise;
    last = strtoll(text + 2, NULL, 10);
    /* "0-0" is how registries say that they have nothing. */
    return last > 0 && last < t->blob->size ? last + 1 : 0;
}

/* Goes on with the byte number `have`: behind what was sent last, or before it, where a chunk was cut. */
static int chunk_next(struct transfer *t, int64_t have, struct err *err)
{
    if (have == t->sent && t->phase == PHASE_STREAM) {
        t->phase = have == t->blob->size ? PHASE_COMMIT : PHASE_STREAM;
        return t->phase == PHASE_COMMIT ? 0 : start_chunk(t, err);
    }
    if (have == t->blob->size && t->ended) {
        t->phase = PHASE_COMMIT;
        return 0;
    }
    if (have == t->blob->size) { /* there, but never seen to its end */
        transfer_stop(t);
        return 0;
    }
    http_cancel(t->down);
    t->down = NULL;
    buf_clear(&t->window);
    t->received = t->sent = have;
    t->ended = false;
    if (start_source(t, err) < 0)
        return -1;
    return start_chunk(t, err);
}

/* What the destination answered to a chunk, or to the question how much it has. */
static int step_chunk(struct transfer *t, struct err *err)
{
    const char *location = http_header(&t->answer, "location");
    long status = t->answer.status;

    if (t->phase == PHASE_STREAM && (status == 404 || status == 405 || status == 501) && t->sent <= t->chunk) {
        t->whole = true;
        transfer_stop(t);
        return 0;
    }
    if (status >= 500 || status == 416) {
        (void) oci_refused(t->copy->to, t->copy->to_repository, "a layer", &t->answer, err);
        return ask_later(t, err);
    }
    if (status != 202 && status != 204)
        return -2;
    if (location != NULL) {
        char *fresh = oci_location(t->copy->to, location, &t->location_same, err);

        if (fresh == NULL)
            return -1;
        free(t->location);
        t->location = fresh;
    }
    if (t->phase == PHASE_STREAM)
        t->tries = t->logins = 0; /* it moves */
    return chunk_next(t, range_end(t, t->phase == PHASE_STREAM ? t->sent : 0), err);
}

/* What the destination answered to a request. */
static int step_answer(struct transfer *t, struct err *err)
{
    const struct blob_copy *c = t->copy;
    long status = t->answer.status;

    if (status == 401)
        return login_again(t, c->to, c->to_repository, &t->answer, err);
    if (t->phase == PHASE_HEAD && status == 404)
        return start_upload(t, err);
    if (t->phase == PHASE_START && status == 202) {
        t->location = oci_location(c->to, http_header(&t->answer, "location"), &t->location_same, err);
        return t->location != NULL ? start_stream(t, err) : -1;
    }
    if (t->phase == PHASE_ASK || (t->phase == PHASE_STREAM && t->chunk > 0)) {
        int rc = step_chunk(t, err);

        return rc == -2 ? refused(t, err) : rc;
    }
    /* There already; mounted; uploaded. */
    if ((t->phase == PHASE_HEAD && status == 200) || (t->phase == PHASE_START && status == 201 && c->mount) ||
        ((t->phase == PHASE_STREAM || t->phase == PHASE_COMMIT) && status == 201)) {
        t->phase = PHASE_DONE;
        return 0;
    }
    return refused(t, err);
}

/* The download has ended: rc and err as http_done gave them. */
static int step_source(struct transfer *t, int rc, struct err *err)
{
    const struct blob_copy *c = t->copy;
    char got[DIGEST_SIZE];
    struct digest d;

    if (t->wrong)
        return err_set(err, ERR_FAILED, "registry %s sent more than the %lld bytes of %s", oci_registry(c->from),
                       (long long) t->blob->size, t->blob->digest);
    if (rc < 0) {
        (void) oci_down(c->from, err);
        if (err->code != ERR_DOWN || t->tries + 1 >= TRIES)
            return -1;
        /* What was received stays good; the upload waits for the rest. */
        wait_longer(t);
        err_clear(err);
        return 0;
    }
    if (t->source.status == 401)
        return login_again(t, c->from, c->from_repository, &t->source, err);
    if (t->source.status != 200 && t->source.status != 206)
        return oci_refused(c->from, c->from_repository, "a layer", &t->source, err);
    d = t->digest;
    digest_text(&d, got);
    if (strcmp(got, t->blob->digest) != 0)
        return err_set(err, ERR_FAILED, "registry %s sent data whose digest is %s instead of %s",
                       oci_registry(c->from), got, t->blob->digest);
    t->ended = true;
    return 0;
}

static void pump(struct transfer *t)
{
    if (t->down_paused && t->down != NULL && buf_room(&t->window) >= WINDOW / 2) {
        t->down_paused = false;
        http_resume(t->down);
    }
    if (t->up_paused && t->call != NULL && (t->ended || buf_len(&t->window) > 0) &&
        (t->ended || t->chunk > 0 || t->received < t->blob->size)) {
        t->up_paused = false;
        http_resume(t->call);
    }
}

static int step_calls(struct transfer *t, struct err *err)
{
    int rc;

    if (t->down != NULL && (rc = http_done(t->down, err)) != 0) {
        t->down = NULL;
        if (step_source(t, rc, err) < 0)
            return -1;
    }
    if (t->call != NULL && (rc = http_done(t->call, err)) != 0) {
        t->call = NULL;
        if (rc < 0 && t->copy->from == NULL && t->wrong)
            return err_set(err, ERR_FAILED, "the file of the image is damaged on this server: %s; send it again", t->blob->digest);
        if (rc < 0) {
            (void) oci_down(t->copy->to, err);
            return err->code == ERR_DOWN ? ask_later(t, err) : -1;
        }
        if (step_answer(t, err) < 0)
            return -1;
    }
    if (loop_now() >= t->again_at) {
        if (t->phase == PHASE_HEAD && t->call == NULL)
            return start_head(t, err);
        if (t->phase == PHASE_ASK && t->call == NULL)
            return start_ask(t, err);
        if (t->phase == PHASE_COMMIT && t->call == NULL && t->ended)
            return start_commit(t, err);
        if ((t->phase == PHASE_STREAM || t->phase == PHASE_COMMIT) && t->copy->from != NULL && t->down == NULL && !t->ended)
            return start_download(t, err);
    }
    pump(t);
    return 0;
}

/* As far as it goes without waiting. */
static int step(struct transfer *t, struct err *err)
{
    if (step_calls(t, err) == 0)
        return 0;
    return try_again(t, err);
}

/* How long until some transfer is to be started again. */
static int wait_ms(const struct transfer *v)
{
    uint64_t now = loop_now();
    int ms = -1;

    for (size_t i = 0; i < PARALLEL; i++) {
        if (v[i].blob != NULL && v[i].again_at > now && (ms < 0 || v[i].again_at - now < (uint64_t) ms))
            ms = (int) (v[i].again_at - now);
    }
    return ms;
}

int blob_copy_all(const struct blob_copy *c, struct err *err)
{
    struct transfer v[PARALLEL];
    size_t next = 0, done = 0;
    int64_t copied = 0;
    int rc = 0;

    memset(v, 0, sizeof(v));
    while (rc == 0 && done < c->n) {
        int64_t moving = 0;

        for (size_t i = 0; i < PARALLEL && rc == 0; i++) {
            if (v[i].blob == NULL && next < c->n)
                transfer_init(&v[i], c, &c->v[next++]);
            if (v[i].blob == NULL)
                continue;
            rc = step(&v[i], err);
            moving += v[i].sent;
            if (v[i].phase != PHASE_DONE)
                continue;
            copied += v[i].sent;
            moving -= v[i].sent;
            transfer_release(&v[i]);
            done++;
            i--; /* the place is free for the next one */
        }
        if (rc == 0 && c->progress != NULL)
            c->progress(c->progress_arg, done, copied + moving);
        if (rc == 0 && done < c->n)
            rc = oci_wait(c->to, wait_ms(v), err);
    }
    for (size_t i = 0; i < PARALLEL; i++)
        transfer_release(&v[i]);
    return rc;
}
