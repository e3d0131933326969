#include "config.h"

#include "deployer/docker/shown.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdint.h>

/* What a container is made of, for people: its name, and where it stands in our document and in what inspecting one
 * answers. The environment is not among it: it has the config's values; the template's hash says that it differs. */
static const struct { const char *name, *wanted, *live; } fields[] = {
    { "image", "Image", "Config.Image" },
    { "command", "Entrypoint", "Config.Entrypoint" },
    { "user", "User", "Config.User" },
    { "stop_signal", "StopSignal", "Config.StopSignal" },
    { "stop_timeout", "StopTimeout", "Config.StopTimeout" },
    { "memory", "HostConfig.Memory", "HostConfig.Memory" },
    { "memory_swap", "HostConfig.MemorySwap", "HostConfig.MemorySwap" },
    { "nano_cpus", "HostConfig.NanoCpus", "HostConfig.NanoCpus" },
    { "pids_limit", "HostConfig.PidsLimit", "HostConfig.PidsLimit" },
    { "read_only", "HostConfig.ReadonlyRootfs", "HostConfig.ReadonlyRootfs" },
    { "init", "HostConfig.Init", "HostConfig.Init" },
    { "network", "HostConfig.NetworkMode", "HostConfig.NetworkMode" },
    { "restart", "HostConfig.RestartPolicy.Name", "HostConfig.RestartPolicy.Name" },
    { "cap_drop", "HostConfig.CapDrop", "HostConfig.CapDrop" },
    { "security_opt", "HostConfig.SecurityOpt", "HostConfig.SecurityOpt" },
    { "log_driver", "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Type" },
    { "log_options", "HostConfig.LogConfig.Config", "HostConfig.LogConfig.Config" },
};

/* The engine answers what isn't set as null, 0, false or an empty text. */
static bool is_unset(const json_t *v)
{
    return v == NULL || json_is_null(v) || json_is_false(v) ||
           (json_is_integer(v) && json_integer_value(v) == 0) ||
           (json_is_string(v) && json_string_length(v) == 0);
}

json_t *container_shown(const json_t *doc, bool live, const char *template, int instances)
{
    json_t *o = json_object();

    json_object_set_new(o, "instances", json_integer(instances));
    for (size_t i = 0; i < countof(fields); i++) {
        json_t *v = json_at(doc, live ? fields[i].live : fields[i].wanted);

        if (!is_unset(v))
            json_object_set(o, fields[i].name, v);
    }
    json_object_set_new(o, "template", json_string(template));
    return o;
}

bool container_is_kept_changed(const json_t *before, const json_t *after)
{
    json_auto_t *a = json_copy((json_t *) (uintptr_t) before), *b = json_copy((json_t *) (uintptr_t) after);

    (void) json_object_del(a, "instances");
    (void) json_object_del(b, "instances");
    return json_equal(json_object_get(a, "template"), json_object_get(b, "template")) && !json_equal(a, b);
}
