#include "config.h"

#include "deployer/docker/container.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/docker/quantity.h"
#include "deployer/process.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RETIRED ".old"       /* end of the name of a container that is out of service */
#define TMP_OPTIONS "rw,nosuid,nodev,size=256m" /* of /tmp where the root file system is read-only; counts as memory */

int container_limits_read(const struct conf *c, int cpus, struct container_limits *ret, struct err *err)
{
    if (quantity_bytes(c->memory_limit, &ret->memory, err) < 0)
        return err_wrap(err, "[release] memory_limit");
    if (quantity_nano_cpus(c->cpu_limit, &ret->nano_cpus, err) < 0)
        return err_wrap(err, "[release] cpu_limit");
    if (ret->nano_cpus >= (int64_t) cpus * 1000000000)
        ret->nano_cpus = 0;
    return 0;
}

/* --- the document */

static int environment(const struct container_input *in, json_t *env, struct err *err)
{
    json_array_append_new(env, json_sprintf("PORT=%d", WEB_PORT));
    for (size_t i = 0; i < in->config->n; i++) {
        const struct config_var *v = &in->config->v[i];
        char *text;
        json_t *item;

        /* PORT is ours; config_name_check refuses it, an older database may hold it. */
        if (!v->run || v->value == NULL || strcmp(v->name, "PORT") == 0)
            continue;
        text = xasprintf("%s=%s", v->name, v->value);
        item = strlen(v->value) == v->value_len ? json_string(text) : NULL;
        sodium_memzero(text, strlen(text));
        free(text);
        if (item == NULL)
            return err_set(err, ERR_USAGE, "the config value %s can't be an environment variable: it is not "
                           "UTF-8 text (encode it, as base64 for instance)", v->name);
        json_array_append_new(env, item);
    }
    return 0;
}

static long long seconds(long long ms)
{
    return (ms + 999) / 1000;
}

static json_t *host_config(const struct container_input *in, const char *process)
{
    const struct conf *c = in->conf;
    cleanup_free char *log_size = xasprintf("%lld", c->log_size), *log_files = xasprintf("%lld", c->log_files);
    bool once = strcmp(process, PROCESS_RELEASE) == 0;
    json_t *h = json_pack("{s:s, s:{s:s}, s:I, s:[s], s:[s], s:{s:s, s:{s:s, s:s}}, s:b}",
                          "NetworkMode", in->network,
                          "RestartPolicy", "Name", once ? "no" : "unless-stopped",
                          "PidsLimit", (json_int_t) c->pids_limit,
                          "CapDrop", "ALL", "SecurityOpt", "no-new-privileges",
                          "LogConfig", "Type", "json-file", "Config", "max-size", log_size, "max-file", log_files,
                          "Init", in->init);

    if (in->limits.memory > 0) {
        json_object_set_new(h, "Memory", json_integer(in->limits.memory));
        json_object_set_new(h, "MemorySwap", json_integer(in->limits.memory)); /* the same: no swap */
    }
    if (in->limits.nano_cpus > 0)
        json_object_set_new(h, "NanoCpus", json_integer(in->limits.nano_cpus));
    if (c->read_only) {
        json_object_set_new(h, "ReadonlyRootfs", json_true());
        json_object_set_new(h, "Tmpfs", json_pack("{s:s}", "/tmp", TMP_OPTIONS));
    }
    return h;
}

int container_render(const struct container_input *in, const char *process, json_t **ret, struct err *err)
{
    json_auto_t *env = json_array(), *body = NULL;
    cleanup_vec struct vec words = VEC_INIT;
    json_t *entrypoint;

    if (environment(in, env, err) < 0)
        return -1;
    process_words(in->release, process, &words);
    entrypoint = json_array();
    for (size_t i = 0; i < words.n; i++)
        json_array_append_new(entrypoint, json_string(words.v[i]));
    body = json_pack("{s:s, s:o, s:o, s:[], s:O, s:s, s:I, s:o}", "Image", in->image,
                     "User", json_sprintf("%lld:%lld", in->conf->run_uid, in->conf->run_uid),
                     "Entrypoint", entrypoint, "Cmd",
                     "Env", env, "StopSignal", "SIGTERM",
                     "StopTimeout", (json_int_t) seconds(in->conf->grace_period),
                     "HostConfig", host_config(in, process));
    *ret = json_incref(body);
    return 0;
}

void container_template(const json_t *body, char ret[TEMPLATE_SIZE])
{
    char *text = json_text(body);
    unsigned char hash[crypto_generichash_BYTES];

    (void) crypto_generichash(hash, sizeof(hash), (const unsigned char *) text, strlen(text), NULL, 0);
    (void) sodium_bin2hex(ret, TEMPLATE_SIZE, hash, (TEMPLATE_SIZE - 1) / 2);
    sodium_memzero(text, strlen(text));
    free(text);
}

void container_place(json_t *body, const struct container_input *in, const char *process, int number, int set,
                     const char *template, const char *address)
{
    json_t *labels = json_pack("{s:s, s:s, s:s, s:s}", LABEL_STATE, in->conf->state, LABEL_APP, in->app->handle,
                               LABEL_PROCESS, process, LABEL_TEMPLATE, template);

    json_object_set_new(labels, LABEL_NUMBER, json_sprintf("%d", number));
    json_object_set_new(labels, LABEL_RELEASE, json_sprintf("%" PRId64, in->release->version));
    if (set >= 0)
        json_object_set_new(labels, LABEL_SET, json_sprintf("%d", set));
    json_object_set_new(body, "Labels", labels);
    json_object_set_new(body, "NetworkingConfig",
                        address != NULL
                            ? json_pack("{s:{s:{s:{s:s}}}}", "EndpointsConfig", in->network, "IPAMConfig",
                                        "IPv4Address", address)
                            : json_pack("{s:{s:{}}}", "EndpointsConfig", in->network));
}

json_t *container_public(const json_t *body)
{
    json_t *shown = json_copy((json_t *) (uintptr_t) body), *names = json_array(), *v;
    size_t i;

    json_array_foreach(json_object_get(body, "Env"), i, v) {
        const char *text = json_string_value(v);

        json_array_append_new(names, json_stringn(text, strcspn(text, "=") + 1));
    }
    json_object_set_new(shown, "Env", names);
    return shown;
}

/* --- names */

char *container_name(const struct conf *c, const char *app, const char *process, int number, int64_t version,
                     unsigned mark)
{
    return xasprintf("%s%s.%s.%d.v%" PRId64 ".%04x", c->container_prefix, app, process, number, version,
                     mark & 0xffff);
}

/* The ".vN" of a name; *ret_end is behind it. NULL: it has none. */
static const char *version_find(const char *name, int64_t *ret, const char **ret_end)
{
    for (const char *at = name; (at = strstr(at, ".v")) != NULL; at += 2) {
        char *end;

        if (at[2] < '1' || at[2] > '9')
            continue;
        *ret = strtoll(at + 2, &end, 10);
        if (*end == '.') {
            *ret_end = end;
            return at;
        }
    }
    return NULL;
}

char *container_renamed(const char *name, int64_t version)
{
    const char *end, *at;
    int64_t old;

    at = version_find(name, &old, &end);
    if (at == NULL)
        return NULL;
    return xasprintf("%.*s.v%" PRId64 "%s", (int) (at - name), name, version, end);
}

char *container_retired(const char *name)
{
    return xasprintf("%s" RETIRED, name);
}

static bool is_retired(const char *name)
{
    size_t n = strlen(name), suffix = strlen(RETIRED);

    return n > suffix && strcmp(name + n - suffix, RETIRED) == 0;
}

/* --- what the engine says */

static enum container_state state_read(const char *s)
{
    static const struct { const char *name; enum container_state state; } states[] = {
        { "created", CONTAINER_CREATED }, { "running", CONTAINER_RUNNING }, { "paused", CONTAINER_RUNNING },
        { "restarting", CONTAINER_RESTARTING }, { "exited", CONTAINER_EXITED },
    };

    for (size_t i = 0; i < countof(states); i++)
        if (strcmp(s, states[i].name) == 0)
            return states[i].state;
    return CONTAINER_GONE; /* "removing", "dead" */
}

static int small_number(const char *s, int fallback)
{
    char *end;
    long v = s != NULL ? strtol(s, &end, 10) : -1;

    return s == NULL || end == s || *end != '\0' || v < 0 || v > PROCESS_COUNT_MAX ? fallback : (int) v;
}

static const char *label(const json_t *labels, const char *name)
{
    return json_string_value(json_object_get(labels, name));
}

bool container_read(const json_t *doc, const char *state_folder, struct container *ret)
{
    const json_t *labels = json_object_get(doc, "Labels");
    const char *name = json_string_value(json_array_get(json_object_get(doc, "Names"), 0));
    const char *folder = label(labels, LABEL_STATE), *app = label(labels, LABEL_APP);
    const char *process = label(labels, LABEL_PROCESS), *template = label(labels, LABEL_TEMPLATE), *end;
    const char *id = json_str(doc, "Id", ""), *network = json_str(doc, "HostConfig.NetworkMode", "");
    json_t *endpoint = json_object_get(json_at(doc, "NetworkSettings.Networks"), network);

    if (folder == NULL || strcmp(folder, state_folder) != 0 || app == NULL || process == NULL || name == NULL ||
        id[0] == '\0' || app_name_check(app, NULL) < 0 || process_name_check(process, NULL) < 0)
        return false;
    memset(ret, 0, sizeof(*ret));
    name += name[0] == '/';
    ret->number = small_number(label(labels, LABEL_NUMBER), 0);
    if (version_find(name, &ret->version, &end) == NULL)
        ret->version = 0;
    ret->id = xstrdup(id);
    ret->name = xstrdup(name);
    ret->app = xstrdup(app);
    ret->process = xstrdup(process);
    ret->template = xstrdup(template != NULL ? template : "");
    ret->image = xstrdup(json_str(doc, "Image", ""));
    ret->address = xstrdup(json_str(endpoint, "IPAddress", ""));
    ret->set = small_number(label(labels, LABEL_SET), -1);
    ret->retired = is_retired(name);
    ret->state = state_read(json_str(doc, "State", ""));
    ret->created_at = json_int(doc, "Created", 0);
    return true;
}

void container_release(struct container *c)
{
    free(c->id);
    free(c->name);
    free(c->app);
    free(c->process);
    free(c->template);
    free(c->image);
    free(c->address);
    memset(c, 0, sizeof(*c));
}

static int by_number(const void *a, const void *b)
{
    const struct container *p = a, *q = b;
    int rc = strcmp(p->process, q->process);

    if (rc == 0)
        rc = (p->number > q->number) - (p->number < q->number);
    if (rc == 0)
        rc = (p->created_at > q->created_at) - (p->created_at < q->created_at);
    return rc != 0 ? rc : strcmp(p->id, q->id);
}

void containers_read(const json_t *list, const char *state_folder, struct containers *ret)
{
    const json_t *doc;
    size_t i;

    ret->v = xcalloc(json_array_size(list) + 1, sizeof(*ret->v));
    ret->n = 0;
    json_array_foreach(list, i, doc)
        if (container_read(doc, state_folder, &ret->v[ret->n]))
            ret->n++;
    if (ret->n > 0)
        qsort(ret->v, ret->n, sizeof(*ret->v), by_number);
}

void containers_release(struct containers *all)
{
    for (size_t i = 0; i < all->n; i++)
        container_release(&all->v[i]);
    free(all->v);
    memset(all, 0, sizeof(*all));
}

char *container_instance(const struct container *c)
{
    return xasprintf("%s.%d", c->process, c->number);
}
