#include "config.h"

#include "gateway/session.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/auth.h"
#include "gateway/gateway.h"
#include "gateway/handoff.h"
#include "gateway/quarantine.h"
#include "gateway/request.h"
#include "sql/tables.h"

#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* keys.last_used_at is a day-to-day help, not a log: one write a minute for a busy key is enough. */
#define KEY_USED_MS (60 * 1000)

#define NO_SHELL "Slipway serves git and commands; try: ssh " AUTH_USER_NAME "@host help\n"

/* Soft limits only: the git programs that a session starts get their own. A libssh that spins on a
 * hostile peer's packets ends by SIGXCPU or by running out of memory. */
static void set_limits(const struct conf *conf)
{
    struct rlimit r;

#ifndef SLIPWAY_SANITIZED /* AddressSanitizer reserves terabytes of address space */
    if (getrlimit(RLIMIT_AS, &r) == 0) {
        r.rlim_cur = (rlim_t) conf->session_memory;
        if (r.rlim_max == RLIM_INFINITY || r.rlim_cur < r.rlim_max)
            (void) setrlimit(RLIMIT_AS, &r);
    }
#else
    (void) conf;
#endif
    r.rlim_cur = r.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &r); /* the host keys are in this memory */
}

static void peer_name(int fd, char *address, size_t size, char *shown, size_t shown_size)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    char port[16];

    if (getpeername(fd, (struct sockaddr *) &a, &len) < 0 ||
        getnameinfo((struct sockaddr *) &a, len, address, (socklen_t) size, port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void) snprintf(address, size, "unknown");
        (void) snprintf(shown, shown_size, "unknown");
        return;
    }
    if (strncmp(address, "::ffff:", 7) == 0 && strchr(address, '.') != NULL)
        memmove(address, address + 7, strlen(address + 7) + 1);
    (void) snprintf(shown, shown_size, "%s %s", address, port);
}

int session_app(struct session *s, const char *name, enum role need, struct app *ret, struct err *err)
{
    enum role role = ROLE_NONE;
    struct app app;

    if (keys_still(s->store, s->key, err) < 0)
        return -1;
    if (apps_get(s->store, name, &app, err) < 0) {
        if (err->code == ERR_NOT_FOUND)
            err_set(err, ERR_NOT_FOUND, "app %s not found", name);
        return -1;
    }
    if (access_role(s->store, s->user, app.id, &role, err) < 0) {
        app_release(&app);
        return -1;
    }
    if (role == ROLE_NONE || role < need) {
        if (role == ROLE_NONE)
            (void) err_set(err, ERR_NOT_FOUND, "app %s not found", name);
        else
            (void) err_set(err, ERR_DENIED, "this needs the role %s in %s, and yours is %s; %s can give it to you",
                           role_name(need), name, role_name(role), app.owner);
        app_release(&app);
        return -1;
    }
    *ret = app;
    return 0;
}

int session_may_create(struct session *s, struct err *err)
{
    struct user now;
    bool may;

    if (keys_still(s->store, s->key, err) < 0 || users_get_id(s->store, s->user->id, &now, err) < 0)
        return -1;
    may = s->user->bound_app == 0 && (now.admin || now.may_create);
    user_release(&now);
    return may ? 0 : err_set(err, ERR_DENIED, "you may not create apps here any more; an admin can allow it: users:set %s create",
                             s->user->name);
}

static int run_command(struct session *s, struct request *r)
{
    struct channel_io io;
    struct command_ctx ctx = { .conf = s->conf, .store = s->store, .user = *s->user, .key = s->key };
    int code;

    channel_io_init(&io, s->conn);
    ctx.io = &io.io;
    ctx.verbs = s->key->app_id != 0 ? s->key->verbs : NULL;
    (void) snprintf(ctx.fingerprint, sizeof(ctx.fingerprint), "%s", s->key->fingerprint);
    (void) snprintf(ctx.address, sizeof(ctx.address), "%s", s->address);
    code = command_run(&ctx, vec_argv(&r->words), (int) r->words.n);
    s->repack = ctx.repack;
    return code;
}

/* A deploy key does what it was made for. */
static int verb_check(struct session *s, const char *verb, struct err *err)
{
    if (s->key->app_id == 0 || command_verb_in(s->key->verbs, verb))
        return 0;
    return err_set(err, ERR_DENIED, "this deploy key may not %s; it may: %s", verb, s->key->verbs);
}

/* What the peer asked for; returns the channel's exit code. */
static int serve(struct session *s)
{
    struct request r = REQUEST_INIT;
    struct err err = ERR_INIT;
    struct channel_io io;
    int code = ERR_USAGE;

    channel_io_init(&io, s->conn);
    if (s->conn->shell) {
        (void) io.io.err(&io.io, NO_SHELL, sizeof(NO_SHELL) - 1);
        return ERR_USAGE;
    }
    if (request_parse(s->conn->exec, strlen(s->conn->exec), &r, &err) < 0
        || (r.kind == REQUEST_RECEIVE_PACK && verb_check(s, "push", &err) < 0)
        || (r.kind == REQUEST_UPLOAD_PACK && verb_check(s, "fetch", &err) < 0)) {
        char text[ERR_MSG_MAX + 16];
        int n = snprintf(text, sizeof(text), " !     %s\n", err.msg);

        log_info("refused a request: %s", err.msg);
        (void) io.io.err(&io.io, text, (size_t) n);
        request_release(&r);
        return err.code;
    }
    switch (r.kind) {
    case REQUEST_RECEIVE_PACK:
        log_set(LOG_APP, r.app);
        log_info("git-receive-pack");
        code = receive_serve(s, r.app);
        break;
    case REQUEST_UPLOAD_PACK:
        log_set(LOG_APP, r.app);
        log_info("git-upload-pack");
        code = upload_serve(s, r.app);
        break;
    case REQUEST_COMMAND:
        log_info("command %s", r.words.v[0]);
        code = run_command(s, &r);
        break;
    }
    request_release(&r);
    return code;
}

static int serve_connection(struct connection *conn, struct auth *auth, int fd, int control, struct err *err)
{
    struct session s = { .conf = conn->conf, .conn = conn };
    char shown[80];
    int code;

    peer_name(fd, s.address, sizeof(s.address), shown, sizeof(shown));
    log_set(LOG_CONNECTION, shown);
    (void) snprintf(auth->address, sizeof(auth->address), "%s", s.address);
    /* By default the signal ends the process: no handler that could interrupt anything, and it works
     * wherever libssh waits or computes. */
    (void) alarm((unsigned) ((conn->conf->login_grace_time + 999) / 1000));
    if (connection_accept(conn, fd, err) < 0)
        return -1;
    (void) alarm(0);
    handoff_tell(control, HANDOFF_AUTHENTICATED);
    s.store = auth->store;
    s.user = &auth->user;
    s.key = &auth->key;
    log_set(LOG_USER, auth->user.name);
    code = serve(&s);
    connection_close(conn, code);
    if (conn->gone_why != NULL && !conn->peer_closed)
        log_info("%s", conn->gone_why);
    log_info("ended with exit code %d", code);
    if (s.repack != 0)
        quarantine_repack(s.conf, s.repack);
    if (store_now() - auth->key.last_used_at > KEY_USED_MS && keys_used(s.store, auth->key.id, err) < 0)
        log_warn("cannot note the use of a key: %s", err->msg);
    return 0;
}

int session_main(const struct conf *c, int fd)
{
    struct connection conn;
    struct auth auth;
    struct err err = ERR_INIT;
    int code = 0, tcp;

    (void) signal(SIGPIPE, SIG_IGN);
    set_limits(c);
    auth_init(&auth, c);
    /* A database that is away now may be back when somebody comes. */
    (void) auth_prepare(&auth, NULL);
    if (connection_init(&conn, c, &auth, &err) < 0) {
        log_error("%s", err.msg);
        code = 1;
    } else if ((tcp = handoff_receive(fd, &err)) >= 0) {
        handoff_tell(fd, HANDOFF_RECEIVED);
        if (serve_connection(&conn, &auth, tcp, fd, &err) < 0)
            log_info("%s", err.msg);
    } else if (err.code != ERR_NONE) {
        log_error("%s", err.msg);
        code = 1;
    }
    connection_release(&conn);
    auth_release(&auth);
    return code;
}
