#include "config.h"

#include "gateway/app_document.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

/* Members' names come from outside and go to a terminal. */
static bool is_plain(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    return n > 0 && n <= CONFIG_NAME_MAX && s[n] == '\0';
}

static int text_read(const json_t *v, const char *key, const char **ret, struct err *err)
{
    *ret = json_string_value(v);
    return *ret != NULL ? 0 : err_set(err, ERR_USAGE, "%s: a text was expected", key);
}

static int version_read(struct app_document *d, const json_t *v, struct err *err)
{
    (void) d;
    if (json_is_integer(v) && json_integer_value(v) == APP_DOCUMENT_VERSION)
        return 0;
    return err_set(err, ERR_USAGE, "slipway: the document's version must be %d", APP_DOCUMENT_VERSION);
}

static int name_read(struct app_document *d, const json_t *v, struct err *err)
{
    if (text_read(v, "name", &d->name, err) != 0)
        return -1;
    return app_name_check(d->name, err) == 0 ? 0 : err_wrap(err, "name");
}

static int branch_read(struct app_document *d, const json_t *v, struct err *err)
{
    if (text_read(v, "deploy_branch", &d->deploy_branch, err) != 0)
        return -1;
    return app_branch_check(d->deploy_branch, NULL) == 0 ? 0 : err_set(err, ERR_USAGE, "deploy_branch: the name of a branch was "
                                                                       "expected, for example \"main\"");
}

static int disconnect_read(struct app_document *d, const json_t *v, struct err *err)
{
    if (text_read(v, "on_disconnect", &d->on_disconnect, err) != 0)
        return -1;
    if (app_disconnect_known(d->on_disconnect))
        return 0;
    return err_set(err, ERR_USAGE, "on_disconnect: \"continue\" or \"cancel\" was expected");
}

static int target_read(struct app_document *d, const json_t *v, struct err *err)
{
    if (text_read(v, "target", &d->target, err) != 0)
        return -1;
    if (strcmp(d->target, "docker") == 0 || strcmp(d->target, "kubernetes") == 0)
        return 0;
    return err_set(err, ERR_USAGE, "target: \"docker\" or \"kubernetes\" was expected");
}

static int image_read(struct app_document *d, const json_t *v, struct err *err)
{
    if (text_read(v, "image", &d->image, err) != 0)
        return -1;
    if (image_ref_parse(d->image, &d->ref, err) != 0)
        return err_wrap(err, "image");
    return d->ref.digest[0] != '\0' ? 0 : err_set(err, ERR_USAGE, "image: a digest was expected, as in "
                                                  "registry.example.com/shop@sha256:...");
}

static int object_check(const json_t *v, const char *key, struct err *err)
{
    return json_is_object(v) ? 0 : err_set(err, ERR_USAGE, "%s: an object was expected", key);
}

static int formation_read(struct app_document *d, const json_t *v, struct err *err)
{
    const char *type;
    json_t *count;

    if (object_check(v, "formation", err) != 0)
        return -1;
    d->has_formation = true;
    if (json_object_size(v) > PROCESSES_MAX)
        return err_set(err, ERR_USAGE, "formation: at most %d process types were expected", PROCESSES_MAX);
    json_object_foreach((json_t *) (uintptr_t) v, type, count) {
        if (process_name_check(type, err) != 0)
            return err_wrap(err, "formation");
        if (!json_is_integer(count) || json_integer_value(count) < 0 || json_integer_value(count) > PROCESS_COUNT_MAX)
            return err_set(err, ERR_USAGE, "formation.%s: a whole number from 0 to %d was expected", type, PROCESS_COUNT_MAX);
        formation_set(&d->formation, type, (int) json_integer_value(count));
    }
    return 0;
}

static int scopes_read(const json_t *v, struct document_var *var, struct err *err)
{
    json_t *scope;
    size_t i;

    json_array_foreach(v, i, scope) {
        const char *s = json_string_value(scope);

        if (s != NULL && strcmp(s, "run") == 0)
            var->run = true;
        else if (s != NULL && strcmp(s, "build") == 0)
            var->build = true;
        else
            var->run = var->build = false;
        if (!var->run && !var->build)
            break;
    }
    if (var->run || var->build)
        return 0;
    return err_set(err, ERR_USAGE, "config.%s.scopes: a list of \"run\", \"build\" or both was expected", var->name);
}

static int var_read(const json_t *v, struct document_var *var, struct err *err)
{
    const char *key;
    json_t *member;

    if (!json_is_object(v))
        return err_set(err, ERR_USAGE, "config.%s: an object was expected, for example {\"scopes\": [\"run\"]}", var->name);
    json_object_foreach((json_t *) (uintptr_t) v, key, member) {
        if (strcmp(key, "scopes") != 0 && strcmp(key, "value") != 0)
            return err_set(err, ERR_USAGE, "config.%s: only the members scopes and value were expected", var->name);
    }
    member = json_object_get(v, "value");
    if (member != NULL && !json_is_null(member)) {
        var->value = json_string_value(member);
        var->value_len = json_string_length(member);
        if (var->value == NULL)
            return err_set(err, ERR_USAGE, "config.%s.value: a text was expected", var->name);
    }
    member = json_object_get(v, "scopes");
    if (member != NULL)
        return scopes_read(member, var, err);
    var->run = true;
    return 0;
}

static int config_read(struct app_document *d, const json_t *v, struct err *err)
{
    const char *name;
    json_t *member;

    if (object_check(v, "config", err) != 0)
        return -1;
    d->has_config = true;
    d->config = xcalloc(json_object_size(v) + 1, sizeof(*d->config));
    json_object_foreach((json_t *) (uintptr_t) v, name, member) {
        struct document_var *var = &d->config[d->n_config++];

        var->name = name;
        if (config_name_check(name, err) != 0)
            return err_wrap(err, "config");
        if (var_read(member, var, err) != 0)
            return -1;
    }
    return 0;
}

static int access_read(struct app_document *d, const json_t *v, struct err *err)
{
    const char *who, *role;
    json_t *member;

    if (object_check(v, "access", err) != 0)
        return -1;
    d->has_access = true;
    d->access = xcalloc(json_object_size(v) + 1, sizeof(*d->access));
    json_object_foreach((json_t *) (uintptr_t) v, who, member) {
        struct document_access *a = &d->access[d->n_access++];

        a->who = who;
        if (grantee_name_check(who, err) != 0)
            return err_wrap(err, "access");
        role = json_string_value(member);
        if (role == NULL || role_parse(role, &a->role, NULL) != 0 || a->role == ROLE_NONE)
            return err_set(err, ERR_USAGE, "access.%s: \"view\", \"deploy\", \"operate\" or \"own\" was expected", who);
    }
    return 0;
}

static int domains_read(struct app_document *d, const json_t *v, struct err *err)
{
    const json_t *one;
    size_t i;

    if (!json_is_array(v))
        return err_set(err, ERR_USAGE, "domains: a list was expected, for example [\"www.example.com\"]");
    d->has_domains = true;
    json_array_foreach(v, i, one) {
        cleanup_free char *domain = domain_parse(json_is_string(one) ? json_string_value(one) : "", err);

        if (domain == NULL)
            return err_wrap(err, "domains");
        if (!vec_has(&d->domains, domain))
            vec_add(&d->domains, domain);
    }
    return 0;
}

static int sealed_read(struct app_document *d, const json_t *v, struct err *err)
{
    (void) d, (void) v;
    return err_set(err, ERR_USAGE, "sealed: only who has the key can open the values: slipway unseal KEYFILE, and give its output "
                   "here");
}

static const struct {
    const char *name;
    int (*read)(struct app_document *d, const json_t *v, struct err *err);
} members[] = {
    { "slipway", version_read },       { "name", name_read },           { "deploy_branch", branch_read },
    { "on_disconnect", disconnect_read }, { "target", target_read },    { "image", image_read },
    { "formation", formation_read },   { "config", config_read },       { "access", access_read },
    { "domains", domains_read },       { "sealed", sealed_read },
};

static int member_read(struct app_document *d, const char *key, const json_t *v, struct err *err)
{
    for (size_t i = 0; i < countof(members); i++) {
        if (strcmp(key, members[i].name) == 0)
            return json_is_null(v) ? 0 : members[i].read(d, v, err);
    }
    return err_set(err, ERR_USAGE, "%s is no member of an app's document; apps:export shows those that there are",
                   is_plain(key) ? key : "one of its names");
}

int app_document_parse(const char *text, size_t n, struct app_document *ret, struct err *err)
{
    struct app_document d = { .json = json_parse(text, n, "the app's document on standard input", err) };
    const char *key;
    json_t *v;
    int rc = 0;

    if (d.json == NULL) {
        if (err != NULL)
            err->code = ERR_USAGE;
        return -1;
    }
    if (!json_is_object(d.json))
        rc = err_set(err, ERR_USAGE, "the app's document on standard input must be one JSON object");
    else if (json_object_get(d.json, "slipway") == NULL)
        rc = err_set(err, ERR_USAGE, "slipway: the document's version was expected, \"slipway\": %d", APP_DOCUMENT_VERSION);
    else
        json_object_foreach(d.json, key, v)
            if (rc == 0)
                rc = member_read(&d, key, v, err);
    if (rc != 0) {
        app_document_release(&d);
        return -1;
    }
    *ret = d;
    return 0;
}

void app_document_release(struct app_document *d)
{
    for (size_t i = 0; i < d->n_config; i++)
        if (d->config[i].value != NULL)
            explicit_bzero((char *) (uintptr_t) d->config[i].value, d->config[i].value_len);
    formation_release(&d->formation);
    vec_release(&d->domains);
    free(d->config);
    free(d->access);
    json_decref(d->json);
    memset(d, 0, sizeof(*d));
}
