/* A push, from the advertisement to the report: git-receive-pack's side of gitprotocol-pack(5). */
#include "config.h"

#include "gateway/receive.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "gateway/deploy.h"
#include "gateway/gitprog.h"
#include "gateway/pktline.h"
#include "gateway/stopping.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_MAX (PUSH_REFS_MAX * 2048)        /* a name and a reason for each ref */
#define ADVERT_MAX (64 * 1024 * 1024)            /* far more tags than a repository has */

/* Once everything has been said, a client that neither ends its input nor closes is not waited for
 * longer; git itself ends it right after the pack. */
#define DRAIN_SILENCE_MS 10000
/* One that does not speak the protocol need not even end well. */
#define BROKEN_SILENCE_MS 1000

void receive_release(struct receive *r)
{
    push_release(&r->push);
    advert_release(&r->advert);
    policy_result_release(&r->policy);
    if (r->has_app)
        app_release(&r->app);
    if (r->repo != NULL)
        git_repository_free(r->repo);
    buf_release(&r->in);
    receive_new_app_release(r);
}

static bool may_create(const struct session *s)
{
    return s->user->admin || s->user->may_create;
}

/* What can be known before the client says what it wants. */
static int prepare(struct receive *r, const char *name, struct err *err)
{
    struct session *s = r->s;
    struct app *a = &r->app;

    if (server_is_stopping(s->conf->state))
        return err_set(err, ERR_BUSY, "the server is stopping; push again in a moment");
    if (refs_init(err) < 0)
        return -1;
    if (session_app(s, name, ROLE_DEPLOY, a, err) < 0) {
        struct err other = ERR_INIT;
        struct app taken;

        if (err->code != ERR_NOT_FOUND || !may_create(s))
            return -1;
        /* The name may be another's: then it is as little there as any other app of theirs. */
        if (apps_get(s->store, name, &taken, &other) == 0) {
            app_release(&taken);
            return -1;
        }
        if (other.code != ERR_NOT_FOUND)
            return err_set(err, other.code, "%s", other.msg);
        return receive_new_app_prepare(r, name, err);
    }
    r->has_app = true;
    if (a->deleting)
        return err_set(err, ERR_BUSY, "app %s is being destroyed", name);
    if (a->lock_reason != NULL)
        return err_set(err, ERR_BUSY, "app %s is locked%s%s: %s; apps:unlock opens it", name, a->locked_by != NULL ? " by " : "",
                       a->locked_by != NULL ? a->locked_by : "", a->lock_reason);
    if (refs_open(s->conf, a->id, &r->repo, err) < 0)
        return -1;
    if (!r->no_build) {
        cleanup_close int lock = refs_lock(r->repo, err);

        if (lock < 0 || refs_project(r->repo, a, err) < 0)
            return -1;
    }
    return advert_fill(r->repo, a, r->no_build, &r->advert, err);
}

static int refuse_early(struct receive *r, const struct err *err)
{
    cleanup_buf struct buf b;

    log_info("refused: %s", err->msg);
    buf_init(&b, PKTLINE_MAX);
    (void) pktline_putf(&b, "ERR %s", err->msg);
    (void) connection_write(r->s->conn, false, buf_str(&b), buf_len(&b));
    return err->code;
}

static int advertise(struct receive *r)
{
    cleanup_buf struct buf b;

    buf_init(&b, ADVERT_MAX);
    if (advert_write(&r->advert, &r->app, strcmp(r->s->conn->git_protocol, "version=1") == 0, &b) < 0)
        return -1;
    return connection_write(r->s->conn, false, buf_str(&b), buf_len(&b));
}

/* Reads commands, shallow lines and options. What was read beyond them stays in r->in: the pack's begin.
 * 1: a push, 0: the client wants nothing, -1 with err (ERR_DOWN: it has gone). */
static int read_commands(struct receive *r, struct err *err)
{
    for (;;) {
        size_t used = 0;
        char *at;
        long n;
        int rc = push_feed(&r->push, buf_str(&r->in), buf_len(&r->in), &used, err);

        if (rc < 0)
            return -1;
        buf_consume(&r->in, used);
        if (rc == 1)
            return r->push.n_refs > 0;
        at = buf_reserve(&r->in, CONNECTION_READ_MAX);
        if (at == NULL)
            return err_set(err, ERR_USAGE, "the commands of the push are too long");
        n = connection_read(r->s->conn, at, CONNECTION_READ_MAX);
        if (n == 0 && r->push.n_refs == 0 && buf_len(&r->in) == 0)
            return 0;
        if (n <= 0)
            return err_set(err, ERR_DOWN, "the peer has gone");
        buf_added(&r->in, (size_t) n);
    }
}

/* Says the result. The reason for a refusal stands in the report only; git shows it behind the ref. */
static int report(struct receive *r, const char *unpack)
{
    cleanup_buf struct buf b;

    buf_init(&b, REPORT_MAX);
    for (size_t i = 0; i < r->push.n_refs; i++) {
        const struct push_ref *ref = &r->push.refs[i];

        if (ref->reason != NULL)
            log_info("%s refused: %s", ref->name, ref->reason);
    }
    if (r->build_id == 0)
        receive_audit(r, push_all_refused(&r->push) ? ERR_FAILED : 0);
    if (!r->push.report_status) {
        if (push_any_refused(&r->push))
            sideband_fatal(&r->sideband, "the push was refused");
        (void) sideband_finish(&r->sideband, "", 0);
        return push_any_refused(&r->push) ? ERR_FAILED : 0;
    }
    if (push_report(&r->push, unpack, &b) < 0) {
        sideband_fatal(&r->sideband, "the report is too long");
        return ERR_FAILED;
    }
    (void) sideband_finish(&r->sideband, buf_str(&b), buf_len(&b));
    return 0;
}

/* The pack, or the rest of it, that nobody wants: the client sends it to the end before it reads, and
 * would otherwise show a broken pipe instead of the report. */
static void read_away(struct receive *r, int silence_ms)
{
    struct connection *c = r->s->conn;
    uint64_t since = loop_now();
    uint64_t read = 0;
    char *piece;

    buf_clear(&r->in);
    piece = buf_reserve(&r->in, CONNECTION_READ_MAX);
    while (!c->gone && !c->eof && loop_now() - since < gitprog_time_ms(r->s->conf, read)) {
        long n = connection_read_now(c, piece, CONNECTION_READ_MAX);

        if (n > 0)
            read += (uint64_t) n;
        if (read > (uint64_t) r->s->conf->max_pack)
            return;
        if (n < 0 || (n == 0 && connection_wait(c, NULL, 0, WANT_INPUT, silence_ms) == 0))
            return;
    }
}

/* Takes the pack into quarantine, checks it, and moves it into the repository. Refs that do not pass get
 * their reason. 0, or -1 when the whole pack was refused (err; the pusher hears it for every ref). */
static int take_pack(struct receive *r, struct err *err)
{
    struct quarantine q;
    cleanup_vec struct vec oids = VEC_INIT;
    int rc = -1;

    if (quarantine_init(&q, r->s->conf, r->repo, &r->push.shallow, err) < 0) {
        log_error("%s", err->msg);
        if (gitprog_disk_full(err->msg, err) == 0)
            err_set(err, ERR_FAILED, "the server cannot store the push; its log says why");
        goto out;
    }
    if (quarantine_receive(&q, r->s->conn, &r->sideband, &r->in, err) < 0)
        goto out;
    r->pack_bytes = q.bytes;
    for (size_t i = 0; i < r->push.n_refs; i++) {
        if (r->push.refs[i].reason == NULL && !oid_is_zero(r->push.refs[i].new))
            vec_add(&oids, r->push.refs[i].new);
    }
    if (quarantine_connected(&q, &oids, &r->advert.have, &r->sideband, err) < 0)
        goto out;
    if (r->deploy != NULL && r->deploy->reason == NULL) {
        struct err why = ERR_INIT;

        if (policy_check(r->repo, q.dir, r->deploy->new, r->s->conf, &r->policy, &why) < 0 ||
            deploy_env_check(r->s->store, &r->app, &r->policy.app_json, &why) < 0)
            push_refuse(r->deploy, "%s", why.msg);
    }
    if (r->push.atomic && push_any_refused(&r->push))
        push_refuse_all(&r->push, "atomic push failed");
    rc = 0;
    if (!push_all_refused(&r->push))
        rc = receive_take_in(r, &q, err);
out:
    quarantine_release(&q);
    return rc;
}

static int serve_push(struct receive *r, struct err *err)
{
    bool pack = push_has_pack(&r->push);
    int code;

    receive_check(r);
    if (push_all_refused(&r->push)) {
        code = report(r, "ok");
        if (pack)
            read_away(r, DRAIN_SILENCE_MS);
        return code;
    }
    if (pack && take_pack(r, err) < 0) {
        if (err->code == ERR_DOWN)
            return ERR_DOWN;
        push_refuse_all(&r->push, "%s", err->msg);
        code = report(r, err->msg);
        read_away(r, DRAIN_SILENCE_MS);
        return code;
    }
    if (push_all_refused(&r->push))
        return report(r, "ok");
    if (receive_finish(r) < 0)
        return ERR_DOWN; /* nobody is there to hear it */
    return report(r, "ok");
}

int receive_serve(struct session *s, const char *name)
{
    struct receive r = { .s = s, .push = PUSH_INIT };
    struct err err = ERR_INIT;
    int code = 0, rc;

    r.no_build = strcmp(s->conf->build_switch, "none") == 0;
    buf_init(&r.in, 2 * CONNECTION_READ_MAX);
    if (prepare(&r, name, &err) < 0) {
        code = refuse_early(&r, &err);
        goto out;
    }
    if (advertise(&r) < 0)
        goto out;
    rc = read_commands(&r, &err);
    sideband_io_init(&r.sideband, s->conn, r.push.side_band_64k);
    if (rc < 0 && err.code != ERR_DOWN) {
        log_info("refused: %s", err.msg);
        sideband_fatal(&r.sideband, err.msg);
        read_away(&r, BROKEN_SILENCE_MS);
        code = err.code;
    } else if (rc > 0) {
        log_info("a push of %zu ref%s by %s", r.push.n_refs, r.push.n_refs == 1 ? "" : "s",
                 r.push.agent[0] != '\0' ? r.push.agent : "a client without a name");
        code = serve_push(&r, &err);
    }
out:
    receive_release(&r);
    return code;
}
