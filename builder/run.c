#include "config.h"

#include "builder/work.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "builder/caps.h"
#include "builder/misplaced.h"
#include "builder/output.h"
#include "builder/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE 65536
#define KILL_AFTER_MS 5000      /* pack removes its containers on SIGTERM; then it is killed and we do it */
#define LOCK_FD 3               /* pack holds the cache's lock as long as it lives */
#define REPORT_MAX 65536        /* report.toml has a few lines */

struct run {
    struct work *w;
    pid_t pid;
    int out;                    /* read end of pack's output */
    struct loop_source *out_source;
    bool readable, exited;
    int status;
    bool told_to_end;
    uint64_t kill_at;           /* loop_now(); 0: not, or done */
    struct caps *caps;          /* NULL: the engine could not be watched */
    struct output output;
    struct pack_seen seen;
};

static void line(const char *text, size_t n, bool rewritten, void *arg)
{
    struct run *r = arg;
    struct err why = ERR_INIT;

    if (!pack_line_hidden(text, n))
        progress_output(&r->w->log, text, n);
    if (!pack_line(&r->seen, text, n, !rewritten) || r->w->built || r->told_to_end)
        return;
    progress_flush(&r->w->log);
    /* The image is whole: the release begins while pack still saves the cache. Where it cannot be
     * confirmed now it is tried again at the end. */
    if (work_publish(r->w, r->seen.digest, &why) != 0)
        log_debug("the image is not confirmed yet: %s", why.msg);
}

/* Only notes it: reading happens outside of the loop's round, because publishing waits in it too. */
static void on_output(struct loop *l, int fd, uint32_t events, void *arg)
{
    struct run *r = arg;

    (void) l;
    (void) fd;
    (void) events;
    r->readable = true;
}

/* Takes what is there. False at the end of the output, or where there is nothing now. */
static bool read_some(struct run *r)
{
    char data[READ_SIZE];
    ssize_t n = read(r->out, data, sizeof(data));

    r->readable = false;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n > 0)
        output_feed(&r->output, data, (size_t) n);
    if (n == 0) {
        loop_remove(r->out_source);
        r->out_source = NULL;
    }
    progress_flush(&r->w->log);
    return n > 0;
}

static void on_exit_of_pack(struct loop *l, pid_t pid, int status, void *arg)
{
    struct run *r = arg;

    (void) l;
    (void) pid;
    r->exited = true;
    r->status = status;
}

static void make_env(const struct work *w, struct vec *env)
{
    static const char *const passed[] = {
        "PATH", "HOME", "LANG", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
        "no_proxy",
    };

    for (size_t i = 0; i < countof(passed); i++) {
        const char *value = getenv(passed[i]);

        if (value != NULL)
            vec_addf(env, "%s=%s", passed[i], value);
    }
    vec_addf(env, "PACK_HOME=%s/pack", w->dir);
    vec_addf(env, "DOCKER_CONFIG=%s/docker", w->dir);
    vec_addf(env, "DOCKER_HOST=unix://%s", w->conf->docker_socket);
    vec_addf(env, "TMPDIR=%s/tmp", w->dir);
    /* The caches that pack names itself get names that do not change from build to build. */
    vec_addf(env, "PACK_VOLUME_KEY=slipway-%lld", (long long) w->build.app_id);
    if (w->conf->registry_ca[0] != '\0')
        vec_addf(env, "SSL_CERT_FILE=%s", w->conf->registry_ca);
}

static int start(struct run *r, struct err *err)
{
    struct work *w = r->w;
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_free char *tree = xasprintf("%s/tree", w->dir), *report = xasprintf("%s/report", w->dir);
    cleanup_free char *vars = xasprintf("%s/env", w->dir), *own = xasprintf("%s/project.toml", w->dir);
    struct pack_job job = {
        .image = w->image, .tag = w->tag, .path = tree, .report_dir = report, .cache_volume = w->volume,
        .descriptor = path_exists(own) ? own : NULL, .clear_cache = w->build.no_cache,
        .lifecycle_image = w->lifecycle,
    };
    struct spawn s = SPAWN_INIT;
    int fds[2];

    for (size_t i = 0; i < w->vars.n; i++) {
        if (w->vars.v[i].build)
            job.env_dir = vars;
    }
    if (pack_argv(w->conf, &job, &argv, err) != 0)
        return -1;
    make_env(w, &env);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_errno(err, "making a pipe");
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.cwd = w->dir;
    s.fd_out = s.fd_err = fds[1];
    s.fds[s.n_fds++] = (struct spawn_fd) { .from = w->lock, .to = LOCK_FD };
    s.new_group = true;
    s.no_new_privileges = true;
    s.parent_death_signal = SIGTERM; /* pack then removes its containers itself */
    r->pid = spawn_start(&s, NULL, err);
    (void) close(fds[1]);
    r->out = fds[0];
    if (r->pid < 0 || fcntl(r->out, F_SETFL, O_NONBLOCK) != 0)
        return -1;
    return 0;
}

/* One round: of what the loop watches, and of the build's containers. */
static int wait_once(struct run *r, int ms, struct err *err)
{
    struct err why = ERR_INIT;

    if (r->caps == NULL)
        return loop_once(r->w->loop, ms, err);
    if (caps_wait(r->caps, ms, loop_wait_fd(r->w->loop), &why) != 0) {
        log_warn("this build goes on without limits of memory, CPU and processes: %s", why.msg);
        caps_close(r->caps);
        r->caps = NULL;
    }
    return loop_once(r->w->loop, 0, err);
}

/* Waits for pack's end. The first reason not to go on ends it. */
static int wait_for_pack(struct run *r, struct err *err)
{
    struct work *w = r->w;

    while (!r->exited) {
        int ms = work_due_ms(w);

        if (r->kill_at != 0) {
            uint64_t now = loop_now();
            int left = r->kill_at > now ? (int) (r->kill_at - now) : 0;

            ms = left < ms ? left : ms;
        }
        if (wait_once(r, ms, err) != 0)
            return -1;
        if (r->readable)
            (void) read_some(r);
        if (!work_goes_on(w) && !r->told_to_end) {
            r->told_to_end = true;
            r->kill_at = loop_now() + KILL_AFTER_MS;
            (void) kill(-r->pid, SIGTERM);
        }
        if (r->kill_at != 0 && loop_now() >= r->kill_at && !r->exited) {
            r->kill_at = 0;
            (void) kill(-r->pid, SIGKILL);
        }
    }
    while (read_some(r))
        ;
    output_end(&r->output);
    progress_flush(&w->log);
    return 0;
}

/* Removes what a pack that did not end by itself left in the engine. */
static void clear(struct run *r)
{
    cleanup_free char *tag = xasprintf("%s:%s", r->w->image, r->w->tag);
    struct err why = ERR_INIT;

    if (docker_clear(r->w->docker, r->w->dir, tag, &why) < 0)
        log_warn("removing the build's containers: %s", why.msg);
}

/* pack ended well, but the image was not seen yet: the report knows its digest. */
static int publish_late(struct run *r, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/report/report.toml", r->w->dir);
    char digest[DIGEST_SIZE] = "";
    cleanup_buf struct buf text;

    buf_init(&text, REPORT_MAX);
    if (path_read(path, &text, err) != 0)
        return err_wrap(err, "pack ended well, but its report is missing");
    if (!pack_report_digest(buf_str(&text), buf_len(&text), digest))
        return err_set(err, ERR_FAILED, "pack ended well, but its report names no digest");
    if (work_publish(r->w, digest, err) != 0)
        return err_wrap(err, "pack ended well, but the image is not in the registry");
    return 0;
}

static bool say_misplaced(struct work *w)
{
    cleanup_free char *tree = xasprintf("%s/tree", w->dir);
    cleanup_free char *hint = misplaced(tree, w->build.branch);

    if (hint != NULL)
        progress_warn(&w->log, "%s", hint);
    return hint != NULL;
}

static int conclude(struct run *r, int *ret_code, struct err *err)
{
    int code = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : -WTERMSIG(r->status);
    char why[ERR_MSG_MAX];

    if (r->told_to_end || code < 0)
        clear(r);
    if (r->w->built) {
        if (code != 0) {
            (void) pack_reason(&r->seen, code, why, sizeof(why));
            progress_warn(&r->w->log, "pack failed after the image was published, so the next build may find no "
                          "cache: %s", why);
            log_warn("pack failed after the image was published: %s", why);
        }
        return 0;
    }
    if (r->told_to_end)
        return err_set(err, ERR_FAILED, "ended");
    if (code == 0)
        return publish_late(r, err);
    *ret_code = pack_reason(&r->seen, code, why, sizeof(why));
    if (r->caps != NULL && caps_exceeded(r->caps)) {
        cleanup_free char *limit = conf_format(CONF_SIZE, caps_memory(r->caps));

        return err_set(err, ERR_FAILED, "the build was killed: it used more than %s of memory, the limit (build_memory)",
                       limit);
    }
    /* What else buildpacks go by need not be told to who has it. */
    if (r->seen.status == PACK_NOTHING_DETECTED && say_misplaced(r->w))
        return err_set(err, ERR_FAILED, "no buildpack fits this tree (nothing was detected); see the line about it above");
    return err_set(err, ERR_FAILED, "%s", why);
}

static void open_caps(struct run *r)
{
    const struct work *w = r->w;
    cleanup_free char *tag = xasprintf("%s:%s", w->image, w->tag);
    struct caps_limits limits = { w->conf->build_memory, w->conf->build_cpu_shares, w->conf->build_pids };
    struct err why = ERR_INIT;
    int64_t machine = 0;

    if (limits.memory == 0 && docker_memory(w->docker, &machine, &why) == 0)
        limits.memory = caps_default_memory(machine, w->conf->builders);
    if (limits.memory != 0)
        r->caps = caps_open(w->docker, &limits, w->dir, tag, &why);
    if (r->caps == NULL)
        log_warn("this build has no limits of memory, CPU and processes: %s", why.msg);
}

int work_run_pack(struct work *w, int *ret_code, struct err *err)
{
    struct run r = { .w = w, .pid = -1, .out = -1, .seen = { .trusted = pack_trusts(w->conf) } };
    struct loop_source *child = NULL;
    int rc = -1;

    *ret_code = 1;
    output_init(&r.output, line, &r);
    for (size_t i = 0; i < w->vars.n; i++) {
        if (w->vars.v[i].build)
            output_mask(&r.output, w->vars.v[i].value, w->vars.v[i].value_len);
    }
    open_caps(&r);
    if (start(&r, err) == 0) {
        child = loop_child(w->loop, r.pid, on_exit_of_pack, &r, err);
        if (child != NULL)
            r.out_source = loop_fd(w->loop, r.out, EPOLLIN, on_output, &r, err);
    }
    if (r.out_source != NULL && wait_for_pack(&r, err) == 0) {
        rc = conclude(&r, ret_code, err);
    } else if (r.pid > 0 && !r.exited) {
        (void) kill(-r.pid, SIGKILL);
        loop_remove(child);
        (void) waitpid(r.pid, NULL, 0);
        clear(&r);
    }
    loop_remove(r.out_source);
    caps_close(r.caps);
    cleanup_close_p(&r.out);
    output_release(&r.output);
    return rc;
}
