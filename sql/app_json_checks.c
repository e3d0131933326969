/* healthchecks of app.json. */
#include "config.h"

#include "sql/app_json_read.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

#define CHECK_SECONDS_MAX 3600   /* of one wait or timeout; more is a slip of the finger */
#define CHECK_ATTEMPTS_MAX 1000
#define CHECK_PATH_MAX 1024
#define CHECK_WORDS_MAX 50

/* Defaults of Dokku's checks. */
#define ATTEMPTS 3
#define TIMEOUT_S 5
#define WAIT_S 5

static const char *const check_types[] = { "startup", "readiness", "liveness" };

const char *check_type_name(enum check_type t)
{
    return check_types[t];
}

/* Keys of Dokku's that change what a check means, and that neither target does. */
static const char *const check_refused[] = { "content", "httpHeaders", "uptime", "warn", "onFailure" };

static int check_type_take(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, enum check_type *ret)
{
    for (size_t i = 0; i < countof(check_types); i++) {
        if (json_is_string(v) && strcmp(json_string_value(v), check_types[i]) == 0) {
            *ret = (enum check_type) i;
            return 0;
        }
    }
    return app_json_refuse(r, at, "is not startup, readiness or liveness");
}

static int check_command_take(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, struct vec *ret)
{
    const char *word;
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > CHECK_WORDS_MAX)
        return app_json_refuse(r, at, "is not a list of 1 to %d words", CHECK_WORDS_MAX);
    json_array_foreach(v, i, item) {
        struct app_json_at here = { at, NULL, i };

        if (app_json_take_text(r, &here, item, APP_JSON_COMMAND_MAX, &word) != 0)
            return -1;
        vec_add(ret, word);
    }
    return 0;
}

static int check_path_take(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, char **ret)
{
    const char *path;

    if (app_json_take_text(r, at, v, CHECK_PATH_MAX, &path) != 0)
        return -1;
    for (const char *p = path; *p != '\0'; p++)
        if ((unsigned char) *p <= ' ' || (unsigned char) *p > '~')
            return app_json_refuse(r, at, "has a character that no path in a request has");
    if (path[0] != '/')
        return app_json_refuse(r, at, "does not begin with /");
    *ret = xstrdup(path);
    return 0;
}

static int check_key(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, struct app_json_check *c)
{
    const struct { const char *key; int min, max, *ret; } numbers[] = {
        { "port", 1, 65535, &c->port },
        { "timeout", 1, CHECK_SECONDS_MAX, &c->timeout_s },
        { "attempts", 1, CHECK_ATTEMPTS_MAX, &c->attempts },
        { "wait", 1, CHECK_SECONDS_MAX, &c->wait_s },
        { "initialDelay", 0, CHECK_SECONDS_MAX, &c->initial_delay_s },
    };

    for (size_t i = 0; i < countof(numbers); i++)
        if (strcmp(at->key, numbers[i].key) == 0)
            return app_json_take_number(r, at, v, numbers[i].min, numbers[i].max, numbers[i].ret);
    for (size_t i = 0; i < countof(check_refused); i++)
        if (strcmp(at->key, check_refused[i]) == 0)
            return app_json_refuse(r, at, "is not supported: a check has type, path, command or listening, port, timeout, "
                          "attempts, wait and initialDelay");
    if (strcmp(at->key, "type") == 0)
        return check_type_take(r, at, v, &c->type);
    if (strcmp(at->key, "path") == 0)
        return check_path_take(r, at, v, &c->path);
    if (strcmp(at->key, "command") == 0)
        return check_command_take(r, at, v, &c->command);
    if (strcmp(at->key, "listening") == 0)
        return app_json_take_bool(r, at, v, &c->listening);
    if (strcmp(at->key, "scheme") == 0 && (!json_is_string(v) || strcasecmp(json_string_value(v), "http") != 0))
        return app_json_refuse(r, at, "can only be \"http\"");
    return 0; /* name, description */
}

static int check_read(const struct app_json_reader *r, const struct app_json_at *at, json_t *o, struct app_json_check *c)
{
    const char *key;
    json_t *v;

    c->attempts = ATTEMPTS;
    c->timeout_s = TIMEOUT_S;
    c->wait_s = WAIT_S;
    c->index = at->index;
    if (!json_is_object(o))
        return app_json_refuse(r, at, "is not an object");
    json_object_foreach(o, key, v) {
        struct app_json_at here = { at, key, 0 };

        if (check_key(r, &here, v, c) != 0)
            return -1;
    }
    if ((c->path != NULL) + (c->command.n > 0) + c->listening != 1)
        return app_json_refuse(r, at, "needs exactly one of path, command and listening");
    if (strcmp(c->process, "web") != 0 && c->command.n == 0 && c->port == 0)
        return app_json_refuse(r, at, "needs a port: only web listens on $PORT");
    for (size_t i = 0; i + 1 < r->a->n_checks; i++)
        if (strcmp(r->a->checks[i].process, c->process) == 0 && r->a->checks[i].type == c->type)
            return app_json_refuse(r, at, "is a second %s check of %s; there can be one", check_types[c->type], c->process);
    return 0;
}

static int checks_of(struct app_json_reader *r, const struct app_json_at *at, json_t *list)
{
    struct app_json *a = r->a;
    json_t *o;
    size_t i;

    if (!json_is_array(list))
        return app_json_refuse(r, at, "is not a list of checks");
    if (json_array_size(list) > countof(check_types))
        return app_json_refuse(r, at, "has more than %zu checks: one of each type", countof(check_types));
    json_array_foreach(list, i, o) {
        struct app_json_at here = { at, NULL, i };

        a->checks = xrealloc_n(a->checks, a->n_checks + 1, sizeof(*a->checks));
        a->checks[a->n_checks++] = (struct app_json_check) { .process = xstrdup(at->key) };
        if (check_read(r, &here, o, &a->checks[a->n_checks - 1]) != 0)
            return -1;
    }
    return 0;
}

int app_json_read_checks(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at top = { NULL, "healthchecks", 0 };
    json_t *all = json_object_get(doc, "healthchecks"), *list;
    const char *type;

    if (all == NULL)
        return 0;
    if (!json_is_object(all))
        return app_json_refuse(r, &top, "is not an object of process types");
    if (json_object_size(all) > PROCESSES_MAX)
        return app_json_refuse(r, &top, "has more than %d process types", PROCESSES_MAX);
    json_object_foreach(all, type, list) {
        struct app_json_at at = { &top, type, 0 };
        struct err why = ERR_INIT;

        if (process_name_check(type, &why) != 0)
            return app_json_refuse(r, &at, "can't be: %s", why.msg);
        if (checks_of(r, &at, list) != 0)
            return -1;
    }
    return 0;
}
