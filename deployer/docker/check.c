#include "config.h"

#include "deployer/docker/docker.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "deployer/docker/certificates.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAM_MS 20000 /* a version, asked of a program that may have to be read from a slow disk */
#define MIB (1024.0 * 1024)

static void say_line(target_say_fn *say, void *say_arg, char *line)
{
    say(say_arg, line);
    free(line);
}

static int check_engine(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    json_auto_t *info = NULL;
    json_t *options, *o;
    size_t i;

    if (engine_do(t->engine, "GET", "/info", NULL, &info, err) < 0)
        return -1;
    options = json_object_get(info, "SecurityOptions");
    json_array_foreach(options, i, o)
        if (strcmp(json_string_value(o), "name=rootless") == 0)
            return err_set(err, ERR_FAILED, "the Docker engine runs without root: its containers' addresses can't be "
                           "reached from here; use an engine that runs as root");
    if (strcmp(json_str(info, "OSType", "linux"), "linux") != 0)
        return err_set(err, ERR_FAILED, "the Docker engine runs %.32s containers; Linux is needed",
                       json_str(info, "OSType", ""));
    say_line(say, say_arg, xasprintf("ok docker target: engine %.32s, %lld CPUs, %.0f MiB of memory",
                                     json_str(info, "ServerVersion", "?"), json_int(info, "NCPU", 0),
                                     (double) json_int(info, "MemTotal", 0) / MIB));
    return 0;
}

static double sum(const json_t *list, const char *member)
{
    const json_t *o;
    double n = 0;
    size_t i;

    json_array_foreach(list, i, o) {
        long long v = json_int(o, member, 0);

        n += v > 0 ? (double) v : 0;
    }
    return n;
}

/* What takes space (Docker Engine API, "Get data usage information"). */
static int check_disk(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    json_auto_t *df = NULL;

    if (engine_do(t->engine, "GET", "/system/df", NULL, &df, err) < 0)
        return -1;
    say_line(say, say_arg,
             xasprintf("ok docker disk: images %.0f MiB, containers %.0f MiB, volumes (build caches) %.0f MiB",
                       (double) json_int(df, "LayersSize", 0) / MIB,
                       sum(json_object_get(df, "Containers"), "SizeRw") / MIB,
                       sum(json_object_get(df, "Volumes"), "UsageData.Size") / MIB));
    return 0;
}

static int check_caddy(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    char *argv[] = { t->conf->caddy, (char[]) { "version" }, NULL };
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    cleanup_buf struct buf out;

    if (!t->conf->router_start) {
        say_line(say, say_arg, xstrdup("ok router: started by somebody else ([docker] router_start = no)"));
        return 0;
    }
    buf_init(&out, 4096);
    s.argv = argv;
    if (spawn_run(&s, NULL, &out, NULL, PROGRAM_MS, &result, err) < 0)
        return err_wrap(err, "install caddy, or set [docker] caddy");
    if (result.signaled || result.code != 0)
        return err_set(err, ERR_FAILED, "%s version failed (%d)", t->conf->caddy, result.code);
    say_line(say, say_arg, xasprintf("ok router: caddy %.*s", (int) strcspn(buf_str(&out), "\n"), buf_str(&out)));
    return 0;
}

/* Caddy takes a new configuration on a listening socket of its own beside the former one, which it then closes; the
 * kernel resets the connections that wait there to be accepted, or gives them to the new one
 * (Documentation/networking/ip-sysctl.rst, tcp_migrate_req, since Linux 5.14). */
static void check_migration(target_say_fn *say, void *say_arg)
{
    cleanup_buf struct buf value;

    buf_init(&value, 64);
    if (path_read("/proc/sys/net/ipv4/tcp_migrate_req", &value, NULL) == 0 && buf_str(&value)[0] == '1')
        say(say_arg, "ok router connections: kept when its configuration changes");
    else
        say(say_arg, "note router connections: net.ipv4.tcp_migrate_req is not 1, so one that comes as some app gets "
            "another address or count of web may be reset: run: sysctl --system, where "
            "lib/sysctl.d/50-slipway.conf is installed, or set it (Linux 5.14 or newer)");
}

int docker_check(struct target *t, target_say_fn *say, void *say_arg, struct err *err)
{
    struct container_limits limits;
    struct subnet range;

    engine_set_call(t->engine, NULL);
    if (subnet_parse(t->conf->subnets, &range, err) < 0)
        return err_wrap(err, "[docker] subnets");
    if (range.bits < 8 || range.bits > SUBNET_BITS - 1)
        return err_set(err, ERR_USAGE, "[docker] subnets: %s is not between /8 and /%d", t->conf->subnets,
                       SUBNET_BITS - 1);
    if (container_limits_read(t->conf, 1, &limits, err) < 0 || check_engine(t, say, say_arg, err) < 0 ||
        check_disk(t, say, say_arg, err) < 0)
        return -1;
    check_migration(say, say_arg);
    if (router_acme_check(t->conf, err) < 0 || check_caddy(t, say, say_arg, err) < 0)
        return -1;
    return docker_certificates_check(t->conf, say, say_arg, err);
}
