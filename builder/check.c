#include "config.h"

#include "builder/builder.h"

#include "base/image_ref.h"
#include "base/mem.h"
#include "base/oci.h"
#include "base/spawn.h"
#include "builder/docker.h"
#include "builder/pack.h"

#include <string.h>

#define VERSION_MS 10000
#define VERSION_MAX 4096

static void sayf(builder_say_fn *say, void *arg, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void sayf(builder_say_fn *say, void *arg, const char *fmt, ...)
{
    cleanup_free char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    line = xvasprintf(fmt, ap);
    va_end(ap);
    say(arg, line);
}

static int check_pack(const struct conf *c, builder_say_fn *say, void *arg, struct err *err)
{
    char *argv[] = { c->pack, (char[]) { "version" }, NULL };
    struct spawn s = SPAWN_INIT;
    struct spawn_result r;
    cleanup_buf struct buf out;

    buf_init(&out, VERSION_MAX);
    s.argv = argv;
    if (spawn_run(&s, NULL, &out, NULL, VERSION_MS, &r, err) != 0)
        return err_wrap(err, "pack (set [build] pack)");
    if (r.signaled || r.code != 0)
        return err_set(err, ERR_FAILED, "%s version ended with %d", c->pack, r.code);
    sayf(say, arg, "ok pack %.*s", (int) strcspn(buf_str(&out), "\n"), buf_str(&out));
    return 0;
}

static int check_engine(const struct conf *c, builder_say_fn *say, void *arg, struct err *err)
{
    struct docker *d = docker_new(c->docker_socket, err);
    cleanup_free char *version = d != NULL ? docker_version(d, err) : NULL;
    char id[DIGEST_SIZE];
    struct err why = ERR_INIT;
    int rc = version != NULL ? 0 : -1;

    if (rc != 0)
        (void) err_wrap(err, "%s", c->docker_socket);
    else
        sayf(say, arg, "ok Docker engine %s", version);
    if (rc == 0 && docker_image_id(d, c->builder, id, &why) == 0) {
        sayf(say, arg, "ok builder %s, %s", c->builder,
             pack_trusts(c) ? "trusted: one container" : "not trusted: five phases");
    } else if (rc == 0 && why.code == ERR_NOT_FOUND && strcmp(c->pull_policy, "never") != 0) {
        sayf(say, arg, "ok builder %s will be pulled by the first build", c->builder);
    } else if (rc == 0) {
        *err = why;
        rc = err_wrap(err, "builder %s", c->builder);
    }
    docker_free(d);
    return rc;
}

static int check_registry(const struct conf *c, builder_say_fn *say, void *arg, struct err *err)
{
    cleanup_free char *image = xasprintf("%s/check", c->registry);
    struct image_ref ref;
    struct oci_options o = {
        .registry = ref.registry, .insecure = c->registry_insecure, .ca_file = c->registry_ca,
        .auth_file = c->registry_auth,
    };
    struct oci *client;
    int rc;

    if (c->registry[0] == '\0')
        return err_set(err, ERR_FAILED, "[registry] host is not set: builds need a registry to publish into");
    if (image_ref_parse(image, &ref, err) != 0)
        return err_wrap(err, "[registry] host");
    client = oci_new(&o, err);
    if (client == NULL)
        return -1;
    rc = oci_check(client, err);
    oci_free(client);
    if (rc == 0)
        sayf(say, arg, "ok build registry %s", c->registry);
    return rc;
}

int builder_check(const struct conf *c, builder_say_fn *say, void *arg, struct err *err)
{
    if (check_pack(c, say, arg, err) != 0 || check_engine(c, say, arg, err) != 0)
        return -1;
    return check_registry(c, say, arg, err);
}
