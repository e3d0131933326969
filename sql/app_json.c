#include "config.h"

#include "sql/app_json_read.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SHOWN_MAX 200
#define VALUE_SHOWN_MAX 60
#define WARNINGS_MAX 10

/* --- refusing */

static void path_write(const struct app_json_at *at, struct buf *b)
{
    if (at == NULL)
        return;
    path_write(at->up, b);
    if (at->key == NULL) {
        (void) buf_addf(b, "[%zu]", at->index);
        return;
    }
    if (at->up != NULL)
        (void) buf_addch(b, '.');
    for (size_t i = 0; at->key[i] != '\0' && i < VALUE_SHOWN_MAX; i++)
        (void) buf_addch(b, (unsigned char) at->key[i] < ' ' || at->key[i] == 0x7f ? '?' : at->key[i]);
}

/* "app.json line 7: cron[1].schedule is …". */
int app_json_refuse(const struct app_json_reader *r, const struct app_json_at *at, const char *fmt, ...)
{
    size_t line = app_json_line(r->text, r->n, at);
    cleanup_buf struct buf path;
    char what[ERR_MSG_MAX / 2], where[40] = "";
    va_list ap;

    buf_init(&path, PATH_SHOWN_MAX);
    path_write(at, &path);
    va_start(ap, fmt);
    (void) vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (line > 0)
        (void) snprintf(where, sizeof(where), " line %zu", line);
    return err_set(r->err, ERR_FAILED, "app.json%s: %s %s", where, at != NULL ? buf_str(&path) : "the file", what);
}

static void warn(struct app_json_reader *r, const struct app_json_at *at, const char *what)
{
    cleanup_buf struct buf path;

    if (r->a->warnings.n >= WARNINGS_MAX)
        return;
    buf_init(&path, PATH_SHOWN_MAX);
    path_write(at, &path);
    vec_addf(&r->a->warnings, "app.json line %zu: %s %s", app_json_line(r->text, r->n, at), buf_str(&path), what);
}

/* --- values */

int app_json_take_text(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, size_t max,
                     const char **ret)
{
    if (!json_is_string(v))
        return app_json_refuse(r, at, "is not text");
    if (json_string_length(v) == 0)
        return app_json_refuse(r, at, "is empty");
    if (json_string_length(v) > max)
        return app_json_refuse(r, at, "is longer than %zu bytes", max);
    *ret = json_string_value(v);
    return 0;
}

/* A command line: one that is shown in lists and runs in a shell. */
static int command_take(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, const char **ret)
{
    if (app_json_take_text(r, at, v, APP_JSON_COMMAND_MAX, ret) != 0)
        return -1;
    if ((*ret)[strspn(*ret, " \t\r\n")] == '\0')
        return app_json_refuse(r, at, "is empty");
    return 0;
}

int app_json_take_number(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, int min, int max, int *ret)
{
    json_int_t n = json_integer_value(v);

    if (!json_is_integer(v) || n < min || n > max)
        return app_json_refuse(r, at, "is not a number from %d to %d", min, max);
    *ret = (int) n;
    return 0;
}

int app_json_take_bool(const struct app_json_reader *r, const struct app_json_at *at, const json_t *v, bool *ret)
{
    if (!json_is_boolean(v))
        return app_json_refuse(r, at, "is neither true nor false");
    *ret = json_is_true(v);
    return 0;
}

/* --- env */

static int env_object(const struct app_json_reader *r, const struct app_json_at *at, json_t *o, struct app_json_env *e)
{
    bool required = true; /* as Heroku's */
    const char *key;
    json_t *v;

    json_object_foreach(o, key, v) {
        struct app_json_at here = { at, key, 0 };

        if (strcmp(key, "value") == 0) {
            if (!json_is_string(v))
                return app_json_refuse(r, &here, "is not text; write numbers as \"5\"");
            if (json_string_length(v) > CONFIG_VALUE_MAX)
                return app_json_refuse(r, &here, "is longer than %d KiB", CONFIG_VALUE_MAX / 1024);
            e->value = xstrdup(json_string_value(v));
        } else if (strcmp(key, "generator") == 0) {
            if (!json_is_string(v) || strcmp(json_string_value(v), "secret") != 0)
                return app_json_refuse(r, &here, "can only be \"secret\"");
            e->secret = true;
        } else if (strcmp(key, "required") == 0 && app_json_take_bool(r, &here, v, &required) != 0) {
            return -1;
        }
    }
    e->required = required && e->value == NULL && !e->secret;
    return 0;
}

static int env_read(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at top = { NULL, "env", 0 };
    json_t *env = json_object_get(doc, "env"), *v;
    struct app_json *a = r->a;
    const char *name;

    if (env == NULL)
        return 0;
    if (!json_is_object(env))
        return app_json_refuse(r, &top, "is not an object of names");
    if (json_object_size(env) > APP_JSON_ENV_MAX)
        return app_json_refuse(r, &top, "has more than %d names", APP_JSON_ENV_MAX);
    a->env = xcalloc(json_object_size(env) + 1, sizeof(*a->env));
    json_object_foreach(env, name, v) {
        struct app_json_at at = { &top, name, 0 };
        struct app_json_env *e = &a->env[a->n_env];
        struct err why = ERR_INIT;

        if (config_name_check(name, &why) != 0)
            return app_json_refuse(r, &at, "can't be set: %s", why.msg);
        e->name = xstrdup(name);
        e->line = app_json_line(r->text, r->n, &at);
        a->n_env++;
        if (json_is_string(v)) {
            if (json_string_length(v) > CONFIG_VALUE_MAX)
                return app_json_refuse(r, &at, "is longer than %d KiB", CONFIG_VALUE_MAX / 1024);
            e->value = xstrdup(json_string_value(v));
        } else if (!json_is_object(v)) {
            return app_json_refuse(r, &at, "is neither text nor an object");
        } else if (env_object(r, &at, v, e) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- formation */

static int formation_read(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at top = { NULL, "formation", 0 };
    json_t *formation = json_object_get(doc, "formation"), *v;
    const char *type;

    if (formation == NULL)
        return 0;
    if (!json_is_object(formation))
        return app_json_refuse(r, &top, "is not an object of process types");
    if (json_object_size(formation) > PROCESSES_MAX)
        return app_json_refuse(r, &top, "has more than %d process types", PROCESSES_MAX);
    json_object_foreach(formation, type, v) {
        struct app_json_at at = { &top, type, 0 }, quantity = { &at, "quantity", 0 };
        struct err why = ERR_INIT;
        int n = 0;

        if (process_name_check(type, &why) != 0)
            return app_json_refuse(r, &at, "can't be: %s", why.msg);
        if (!json_is_object(v))
            return app_json_refuse(r, &at, "is not an object; for example: {\"quantity\": 2}");
        if (json_object_get(v, "quantity") == NULL)
            continue;
        if (app_json_take_number(r, &quantity, json_object_get(v, "quantity"), 0, PROCESS_COUNT_MAX, &n) != 0)
            return -1;
        formation_set(&r->a->formation, type, n);
    }
    return 0;
}

/* --- cron */

static void cron_id(const struct app_json_cron *c, char ret[CRON_ID_SIZE])
{
    cleanup_free char *text = xasprintf("%s\n%s", c->schedule, c->command);
    unsigned char hash[crypto_generichash_BYTES];

    (void) crypto_generichash(hash, sizeof(hash), (const unsigned char *) text, strlen(text), NULL, 0);
    (void) sodium_bin2hex(ret, CRON_ID_SIZE, hash, (CRON_ID_SIZE - 1) / 2);
}

static int cron_one(struct app_json_reader *r, const struct app_json_at *at, json_t *o, struct app_json_cron *c)
{
    struct app_json_at command = { at, "command", 0 }, schedule = { at, "schedule", 0 };
    struct app_json_at policy = { at, "concurrency_policy", 0 }, maintenance = { at, "maintenance", 0 };
    const json_t *how = json_object_get(o, "concurrency_policy");
    struct err why = ERR_INIT;
    const char *text;

    if (!json_is_object(o))
        return app_json_refuse(r, at, "is not an object; for example: {\"command\": \"rake tidy\", \"schedule\": \"0 4 * * *\"}");
    if (json_object_get(o, "command") == NULL)
        return app_json_refuse(r, at, "has no command");
    if (json_object_get(o, "schedule") == NULL)
        return app_json_refuse(r, at, "has no schedule");
    if (command_take(r, &command, json_object_get(o, "command"), &text) != 0)
        return -1;
    c->command = xstrdup(text);
    if (app_json_take_text(r, &schedule, json_object_get(o, "schedule"), CRON_TEXT_MAX, &text) != 0)
        return -1;
    if (cron_parse(text, &c->when, &why) != 0)
        return app_json_refuse(r, &schedule, "can't be used: %s", why.msg);
    c->schedule = xstrdup(text);
    if (how != NULL && (!json_is_string(how) || strcmp(json_string_value(how), "forbid") != 0))
        return app_json_refuse(r, &policy, "can only be \"forbid\": a task that still runs is not started again");
    if (json_is_true(json_object_get(o, "maintenance")))
        warn(r, &maintenance, "has no effect; see cron:suspend");
    cron_id(c, c->id);
    for (size_t i = 0; i + 1 < r->a->n_cron; i++)
        if (strcmp(r->a->cron[i].id, c->id) == 0)
            return app_json_refuse(r, at, "is the same as cron[%zu]", i);
    return 0;
}

static int cron_read(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at top = { NULL, "cron", 0 };
    json_t *list = json_object_get(doc, "cron"), *o;
    struct app_json *a = r->a;
    size_t i;

    if (list == NULL)
        return 0;
    if (!json_is_array(list))
        return app_json_refuse(r, &top, "is not a list");
    if (json_array_size(list) > APP_JSON_CRON_MAX)
        return app_json_refuse(r, &top, "has more than %d tasks", APP_JSON_CRON_MAX);
    a->cron = xcalloc(json_array_size(list) + 1, sizeof(*a->cron));
    json_array_foreach(list, i, o) {
        struct app_json_at at = { &top, NULL, i };

        a->n_cron++;
        if (cron_one(r, &at, o, &a->cron[i]) != 0)
            return -1;
    }
    return 0;
}

/* --- scripts, and what is only told of */

static int scripts_read(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at top = { NULL, "scripts", 0 }, post = { &top, "postdeploy", 0 }, dokku = { &top, "dokku", 0 };
    json_t *scripts = json_object_get(doc, "scripts"), *v;
    const char *key, *text;

    if (scripts == NULL)
        return 0;
    if (!json_is_object(scripts))
        return app_json_refuse(r, &top, "is not an object");
    v = json_object_get(scripts, "postdeploy");
    if (v != NULL) {
        if (command_take(r, &post, v, &text) != 0)
            return -1;
        r->a->postdeploy = xstrdup(text);
    }
    json_object_foreach(json_object_get(scripts, "dokku"), key, v) {
        struct app_json_at at = { &dokku, key, 0 };

        warn(r, &at, "is not run; what each release needs is the Procfile's release command");
    }
    return 0;
}

static void ignored_warn(struct app_json_reader *r, json_t *doc)
{
    struct app_json_at addons = { NULL, "addons", 0 }, buildpacks = { NULL, "buildpacks", 0 };

    if (json_object_get(doc, "addons") != NULL)
        warn(r, &addons, "has no effect: there are no add-ons here; set their addresses with config:set");
    if (json_object_get(doc, "buildpacks") != NULL)
        warn(r, &buildpacks, "has no effect: the builder chooses, or project.toml does");
}

static int read_all(struct app_json_reader *r)
{
    json_error_t why;
    json_auto_t *doc = json_loadb(r->text, r->n, JSON_REJECT_DUPLICATES, &why);

    if (doc == NULL) {
        const char *near = strstr(why.text, " near "); /* then comes what stands there, also if it is no text */

        return err_set(r->err, ERR_FAILED, "app.json line %d: it is no JSON: %.*s", why.line,
                       (int) (near != NULL ? near - why.text : 100), why.text);
    }
    if (!json_is_object(doc))
        return app_json_refuse(r, NULL, "is not an object");
    if (env_read(r, doc) != 0 || formation_read(r, doc) != 0 || app_json_read_checks(r, doc) != 0 || cron_read(r, doc) != 0
        || scripts_read(r, doc) != 0)
        return -1;
    ignored_warn(r, doc);
    return 0;
}

int app_json_parse(const char *text, size_t n, struct app_json *ret, struct err *err)
{
    struct app_json a = { .postdeploy = NULL };
    struct app_json_reader r = { .text = text, .n = n, .a = &a, .err = err };

    if (n > APP_JSON_MAX)
        return err_set(err, ERR_FAILED, "app.json is larger than %d KiB", APP_JSON_MAX / 1024);
    if (read_all(&r) != 0) {
        app_json_release(&a);
        return -1;
    }
    *ret = a;
    return 0;
}

void app_json_release(struct app_json *a)
{
    for (size_t i = 0; i < a->n_env; i++) {
        free(a->env[i].name);
        free(a->env[i].value);
    }
    for (size_t i = 0; i < a->n_checks; i++) {
        free(a->checks[i].process);
        free(a->checks[i].path);
        vec_release(&a->checks[i].command);
    }
    for (size_t i = 0; i < a->n_cron; i++) {
        free(a->cron[i].schedule);
        free(a->cron[i].command);
    }
    free(a->env);
    free(a->checks);
    free(a->cron);
    free(a->postdeploy);
    formation_release(&a->formation);
    vec_release(&a->warnings);
    memset(a, 0, sizeof(*a));
}
