/* Builds and releases in rows only, for tests of the gateway: every queued build goes live at once, or as
 * its message says:
 *   fake:build-fails     a buildpack fails
 *   fake:release-fails   the release fails
 *   fake:wait            nothing happens until run/fake.wake is touched, or the build is canceled
 *   fake:escapes         the log holds what a terminal must not see
 *   fake:lines N         the log has N lines
 * Usage: fake_worker STATE */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/wake.h"
#include "sql/tables.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PROCESSES "[{\"type\":\"web\",\"command\":[\"web\"],\"args\":[],\"default\":true}]"
#define RENEW_MS 1000

static void say(char *path, const char *text)
{
    cleanup_free char *owned = path;
    cleanup_fclose FILE *f = fopen(owned, "ae");

    if (f != NULL)
        (void) fputs(text, f);
}

static int wait_for_sign(struct store *s, const struct lease *me, const struct build *b, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/run/fake.wake", s->state);
    cleanup_close int fd = wake_open(err);
    bool cancel = false;

    if (fd < 0 || wake_watch(fd, path, err) < 0)
        return -1;
    for (;;) {
        int rc = wake_wait(fd, RENEW_MS, err);

        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (builds_renew(s, me, b->id, &cancel, err) < 0)
            return -1;
        if (cancel)
            return builds_failed(s, me, b->id, true, 0, "canceled", err) < 0 ? -1 : 1;
    }
}

static void write_lines(struct store *s, const struct build *b)
{
    cleanup_free char *path = store_build_log(s, b->id);
    cleanup_fclose FILE *f = fopen(path, "ae");
    long n = strtol(b->message + strlen("fake:lines "), NULL, 10);

    for (long i = 0; f != NULL && i < n; i++)
        (void) fprintf(f, "       line %ld of the build's output, which is as long as such lines are\n", i);
}

static int release(struct store *s, const struct lease *me, const struct build *b, struct err *err)
{
    struct release r;
    int rc;

    if (releases_lease(s, me, &r, err) != 1)
        return -1;
    if (strcmp(b->message, "fake:release-fails") == 0) {
        say(store_release_log(s, r.id), " !     web crashed 3 times (exit 1)\n");
        rc = releases_failed(s, me, r.id, false, "web crashed", err);
    } else {
        cleanup_free char *text = xasprintf("=====> v%" PRId64 " is live\n", r.version);

        say(store_release_log(s, r.id), text);
        rc = releases_live(s, me, r.id, "http://127.0.0.1/", 1, err);
    }
    release_release(&r);
    return rc;
}

static int work(struct store *s, const struct lease *me, const struct build *b, struct err *err)
{
    int64_t id;

    say(store_build_log(s, b->id), "-----> Building with a fake\n");
    if (strcmp(b->message, "fake:wait") == 0) {
        int rc = wait_for_sign(s, me, b, err);

        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
    if (strcmp(b->message, "fake:escapes") == 0)
        say(store_build_log(s, b->id), "\033]0;owned\007\033[2Jafter\033[31mred\033[0m\007\n");
    if (strncmp(b->message, "fake:lines ", 11) == 0)
        write_lines(s, b);
    if (strcmp(b->message, "fake:build-fails") == 0) {
        say(store_build_log(s, b->id), " !     a buildpack failed\n");
        return builds_failed(s, me, b->id, false, 51, "a buildpack failed", err);
    }
    if (builds_built(s, me, b->id, "localhost/fake", DIGEST, PROCESSES, "fake", 0, &id, err) < 0)
        return -1;
    return release(s, me, b, err);
}

static int run(const char *state, struct err *err)
{
    struct store *s;
    struct lease me;
    struct build b;
    cleanup_free char *path = NULL;
    cleanup_close int fd = wake_open(err);

    if (fd < 0 || store_open(state, false, &s, err) < 0 || lease_self("fake", &me, err) < 0)
        return -1;
    path = store_builds_wake(s);
    if (wake_watch(fd, path, err) < 0)
        return -1;
    for (;;) {
        int rc = builds_lease(s, &me, &b, err);

        if (rc < 0)
            return -1;
        if (rc == 0) {
            if (wake_wait(fd, -1, err) < 0)
                return -1;
            continue;
        }
        if (work(s, &me, &b, err) < 0)
            (void) fprintf(stderr, "fake_worker: build %" PRId64 ": %s\n", b.id, err->msg);
        build_release(&b);
    }
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (argc != 2)
        return 2;
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    json_init();
    (void) run(argv[1], &err);
    (void) fprintf(stderr, "fake_worker: %s\n", err.msg);
    return 1;
}
