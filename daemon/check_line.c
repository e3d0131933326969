#include "config.h"

#include "daemon/check_line.h"

#include "base/mem.h"
#include "base/oci.h"
#include "base/path.h"
#include "base/spawn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_OUTPUT_MAX 16384
#define PROGRAM_MS 20000 /* a version, asked of a program that may have to be read from a slow disk */

void check_ok(struct check *k, const char *what, const char *fmt, ...)
{
    va_list ap;

    (void) k;
    (void) printf("ok       %s: ", what);
    va_start(ap, fmt);
    (void) vprintf(fmt, ap);
    va_end(ap);
    (void) putchar('\n');
    (void) fflush(stdout);
}

void check_missing(struct check *k, const char *what, const struct err *why, const char *todo)
{
    k->missing++;
    (void) printf("missing  %s: %s%s%s\n", what, why->msg, todo != NULL ? ": " : "", todo != NULL ? todo : "");
    (void) fflush(stdout);
}

void check_program(struct check *k, const char *what, const char *program, const char *argument,
                   const char *todo)
{
    cleanup_vec struct vec argv = VEC_INIT;
    cleanup_buf struct buf said, failed;
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    struct err err = ERR_INIT;

    buf_init(&said, PROGRAM_OUTPUT_MAX);
    buf_init(&failed, PROGRAM_OUTPUT_MAX);
    vec_addl(&argv, program, argument, NULL);
    s.argv = vec_argv(&argv);
    s.env = environ;
    if (spawn_run(&s, NULL, &said, &failed, PROGRAM_MS, &result, &err) < 0)
        check_missing(k, what, &err, todo);
    else if (result.signaled || result.code != 0) {
        err_set(&err, ERR_FAILED, "%s %s failed (%d) %.*s", program, argument, result.code,
                (int) strcspn(buf_str(&failed), "\n"), buf_str(&failed));
        check_missing(k, what, &err, todo);
    } else
        check_ok(k, what, "%.*s", (int) strcspn(buf_str(&said), "\n"), buf_str(&said));
}

void check_room(struct check *k, const char *what, const char *path, int64_t least, const char *said)
{
    struct err err = ERR_INIT;
    int64_t room = 0, size = 0;

    if (path_room(path, &room, &size, &err) == 0 && room < least)
        err_set(&err, ERR_FAILED, "%s has %lld MiB free, and a build needs %lld MiB (build_disk)%s%s", path,
                (long long) room >> 20, (long long) least >> 20, said != NULL ? "; " : "", said != NULL ? said : "");
    if (err.code != ERR_NONE)
        check_missing(k, what, &err, "see what takes space: slipway admin storage:report");
    else
        check_ok(k, what, "%s has %lld MiB free of %lld MiB%s%s", path, (long long) room >> 20, (long long) size >> 20,
                 said != NULL ? "; " : "", said != NULL ? said : "");
}

/* What to say of a registry that keeps the images of all releases. It is asked to delete one that it can't have. */
static const char *deletes(struct oci *oci, const char *host)
{
    static const char none[] = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    const char *prefix = strchr(host, '/');
    cleanup_free char *repository = xasprintf("%s%sslipway-check", prefix != NULL ? prefix + 1 : "", prefix != NULL ? "/" : "");
    struct err err = ERR_INIT;
    int rc = oci_manifest_delete(oci, repository, none, &err);

    if (rc == 0)
        return "; it deletes nothing, so images of old releases stay (revision_history)";
    return rc < 0 && err.code == ERR_DENIED ? "; the login may not delete, so images of old releases stay (revision_history)" : "";
}

void check_registry(struct check *k, const char *what, const char *host, bool insecure, const char *ca,
                    const char *auth, const char *todo)
{
    cleanup_free char *name = xstrndup(host, strcspn(host, "/"));
    const struct oci_options o = { .registry = name, .insecure = insecure, .ca_file = ca, .auth_file = auth };
    struct err err = ERR_INIT;
    struct oci *oci;

    if (host[0] == '\0') {
        err_set(&err, ERR_USAGE, "[registry] host is not set");
        check_missing(k, what, &err, "name the registry into which builds go");
        return;
    }
    oci = oci_new(&o, &err);
    if (oci == NULL || oci_check(oci, &err) < 0)
        check_missing(k, what, &err, todo);
    else
        check_ok(k, what, "%s%s%s", host, insecure ? " (plain HTTP)" : "", deletes(oci, host));
    if (oci != NULL)
        oci_free(oci);
}
