/* What a release keeps of app.json, and looking into it. */
#include "config.h"

#include "sql/app_json.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

static json_t *check_json(const struct app_json_check *c)
{
    json_t *o = json_pack("{s:s, s:i, s:i, s:i, s:i}", "type", check_type_name(c->type), "timeout", c->timeout_s,
                          "attempts", c->attempts, "wait", c->wait_s, "initialDelay", c->initial_delay_s), *words;

    if (c->path != NULL)
        (void) json_object_set_new(o, "path", json_string(c->path));
    if (c->listening)
        (void) json_object_set_new(o, "listening", json_true());
    if (c->port != 0)
        (void) json_object_set_new(o, "port", json_integer(c->port));
    if (c->command.n > 0) {
        words = json_array();
        for (size_t i = 0; i < c->command.n; i++)
            (void) json_array_append_new(words, json_string(c->command.v[i]));
        (void) json_object_set_new(o, "command", words);
    }
    return o;
}

char *app_json_kept(const struct app_json *a)
{
    json_auto_t *doc = json_object();
    json_t *checks = json_object(), *cron = json_array();

    for (size_t i = 0; i < a->n_checks; i++) {
        const struct app_json_check *c = &a->checks[i];

        if (json_object_get(checks, c->process) == NULL)
            (void) json_object_set_new(checks, c->process, json_array());
        (void) json_array_append_new(json_object_get(checks, c->process), check_json(c));
    }
    for (size_t i = 0; i < a->n_cron; i++)
        (void) json_array_append_new(cron, json_pack("{s:s, s:s}", "command", a->cron[i].command, "schedule",
                                                     a->cron[i].schedule));
    if (a->n_checks > 0)
        (void) json_object_set(doc, "healthchecks", checks);
    if (a->n_cron > 0)
        (void) json_object_set(doc, "cron", cron);
    json_decref(checks);
    json_decref(cron);
    if (a->postdeploy != NULL)
        (void) json_object_set_new(doc, "scripts", json_pack("{s:s}", "postdeploy", a->postdeploy));
    return json_object_size(doc) > 0 ? json_text(doc) : NULL;
}

int app_json_of(const char *kept, struct app_json *ret, struct err *err)
{
    if (kept != NULL)
        return app_json_parse(kept, strlen(kept), ret, err);
    memset(ret, 0, sizeof(*ret));
    return 0;
}

const struct app_json_check *app_json_check_find(const struct app_json *a, const char *process, enum check_type t)
{
    for (size_t i = 0; i < a->n_checks; i++)
        if (a->checks[i].type == t && strcmp(a->checks[i].process, process) == 0)
            return &a->checks[i];
    return NULL;
}

const struct app_json_cron *app_json_cron_find(const struct app_json *a, const char *id)
{
    for (size_t i = 0; i < a->n_cron; i++)
        if (strcmp(a->cron[i].id, id) == 0)
            return &a->cron[i];
    return NULL;
}
