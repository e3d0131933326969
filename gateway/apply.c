#include "config.h"

#include "gateway/apply.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd.h"
#include "sql/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what changes */

/* from NULL: added; to NULL: removed. Takes both. */
static void changed(struct apply *a, json_t *from, json_t *to, const char *section, const char *name)
{
    cleanup_free char *key = name != NULL ? xasprintf("%s.%s", section, name) : xstrdup(section);

    vec_add(&a->keys, key);
    (void) json_array_append_new(a->changes, json_pack("{s:s, s:s, s:o, s:o}", "key", key, "change", from == NULL ? "added"
                                                       : to == NULL ? "removed" : "changed", "from",
                                                       from != NULL ? from : json_null(), "to", to != NULL ? to : json_null()));
}

static void text_add(char line[APPLY_LINE_MAX], size_t *at, const char *before, const json_t *v)
{
    cleanup_free char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    int n = snprintf(line + *at, APPLY_LINE_MAX - *at, "%s%s", before, text);

    *at = n < 0 || (size_t) n >= APPLY_LINE_MAX - *at ? APPLY_LINE_MAX - 1 : *at + (size_t) n;
}

const char *apply_line(const json_t *change, char line[APPLY_LINE_MAX])
{
    const json_t *from = json_object_get(change, "from"), *to = json_object_get(change, "to");
    char sign = json_is_null(from) ? '+' : json_is_null(to) ? '-' : '~';
    size_t at = (size_t) snprintf(line, APPLY_LINE_MAX, "%c %.200s", sign, json_string_value(json_object_get(change, "key")));

    if (!json_is_null(from))
        text_add(line, &at, ": ", from);
    if (!json_is_null(to))
        text_add(line, &at, json_is_null(from) ? ": " : " -> ", to);
    return line;
}

void apply_detail(const struct apply *a, struct buf *detail, size_t most)
{
    cleanup_free char *keys = show_words(&a->keys, most);

    (void) buf_addf(detail, "%s%s", buf_len(detail) > 0 ? " " : "", keys);
}

void apply_release(struct apply *a)
{
    json_decref(a->changes);
    vec_release(&a->keys);
    vec_release(&a->missing);
    vec_release(&a->taken);
}

/* --- settings */

static int settings_apply(struct apply *a, struct err *err)
{
    const struct app_document *d = a->document;
    const struct app *app = &a->c->app;
    bool branch = d->deploy_branch != NULL && strcmp(d->deploy_branch, app->deploy_branch) != 0;
    bool disconnect = d->on_disconnect != NULL && strcmp(d->on_disconnect, app->on_disconnect) != 0;

    if (branch)
        changed(a, json_string(app->deploy_branch), json_string(d->deploy_branch), "deploy_branch", NULL);
    if (disconnect)
        changed(a, json_string(app->on_disconnect), json_string(d->on_disconnect), "on_disconnect", NULL);
    if (!branch && !disconnect)
        return 0;
    return apps_settings(a->c->store, app->id, branch ? d->deploy_branch : app->deploy_branch,
                         disconnect ? d->on_disconnect : app->on_disconnect, err);
}

/* An app that runs is moved by apps:move, which tells whether the other target can take it. */
static int target_apply(struct apply *a, struct err *err)
{
    const struct app *app = &a->c->app;
    const char *to = a->document->target, *at = app->target[0] != '\0' ? app->target : conf_target(a->c->conf);

    if (to == NULL || strcmp(to, at) == 0)
        return 0;
    if (!a->is_new)
        return err_set(err, ERR_FAILED, "target: %s is on %s; to move it: apps:move %s --to %s", app->name, at, app->name, to);
    if (conf_target_check(a->c->conf, to, err) != 0 || target_set(a->c->store, app->id, to, err) != 0)
        return err_wrap(err, "target");
    changed(a, NULL, json_string(to), "target", NULL);
    return 0;
}

/* --- counts */

static json_t *count_json(int count)
{
    return count >= 0 ? json_integer(count) : NULL;
}

static int formation_apply(struct apply *a, struct err *err)
{
    const struct formation *to = &a->document->formation;
    struct formation from;
    size_t before = a->keys.n;

    if (!a->document->has_formation)
        return 0;
    if (formation_get(a->c->store, a->c->app.id, &from, err) != 0)
        return -1;
    for (size_t i = 0; i < to->n; i++) {
        int was = formation_count(&from, to->v[i].process);

        if (was != to->v[i].count)
            changed(a, count_json(was), json_integer(to->v[i].count), "formation", to->v[i].process);
    }
    for (size_t i = 0; i < from.n; i++)
        if (formation_count(to, from.v[i].process) < 0)
            changed(a, json_integer(from.v[i].count), NULL, "formation", from.v[i].process);
    formation_release(&from);
    return a->keys.n > before ? formation_put(a->c->store, a->c->app.id, to, err) : 0;
}

/* --- config */

static const struct config_var *var_find(const struct config_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->v[i].name, name) == 0)
            return &set->v[i];
    return NULL;
}

static bool var_told(const struct app_document *d, const char *name)
{
    for (size_t i = 0; i < d->n_config; i++)
        if (strcmp(d->config[i].name, name) == 0)
            return true;
    return false;
}

/* 1: a change that is to be made, 0: there is none, -1. Equal values are told by their keyed hashes. */
static int var_compare(struct apply *a, const struct document_var *v, const struct config_var *is, struct err *err)
{
    const struct command_ctx *c = a->c;
    bool scopes = is != NULL && is->run == v->run && is->build == v->build;
    unsigned char digest[32];

    if (v->value == NULL && is == NULL && a->is_new) {
        vec_add(&a->missing, v->name);
        return 0;
    }
    if (v->value == NULL && is == NULL)
        return err_set(err, ERR_FAILED, "config.%s: it is not set in %s, and the document has no value; set it first: config:set %s "
                       "--no-restart %s=...", v->name, c->app.name, c->app.name, v->name);
    if (v->value == NULL && !scopes)
        return err_set(err, ERR_FAILED, "config.%s.scopes: they differ from those in %s, and need the value to be changed: "
                       "config:set", v->name, c->app.name);
    if (v->value == NULL)
        return 0;
    if (seal_digest(c->store->state, c->app.id, v->name, v->value, v->value_len, digest, err) != 0)
        return -1;
    if (scopes && memcmp(digest, is->digest, sizeof(digest)) == 0)
        return 0;
    changed(a, is != NULL ? show_json_scopes(is->run, is->build) : NULL, show_json_scopes(v->run, v->build), "config",
            v->name);
    return 1;
}

static int config_apply(struct apply *a, struct err *err)
{
    const struct app_document *d = a->document;
    struct command_ctx *c = a->c;
    cleanup_free struct config_change *changes = NULL;
    struct config_set set;
    int64_t version;
    size_t n = 0;
    int rc = 0;

    if (!d->has_config)
        return 0;
    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    changes = xcalloc(d->n_config + set.n + 1, sizeof(*changes));
    for (size_t i = 0; rc >= 0 && i < d->n_config; i++) {
        const struct document_var *v = &d->config[i];

        rc = var_compare(a, v, var_find(&set, v->name), err);
        if (rc == 1)
            changes[n++] = (struct config_change) { .name = v->name, .value = v->value, .value_len = v->value_len,
                                                    .run = v->run, .build = v->build };
    }
    for (size_t i = 0; rc >= 0 && i < set.n; i++) {
        if (var_told(d, set.v[i].name))
            continue;
        changed(a, show_json_scopes(set.v[i].run, set.v[i].build), NULL, "config", set.v[i].name);
        changes[n++] = (struct config_change) { .name = set.v[i].name };
    }
    if (rc >= 0 && n > 0 && (rc = config_change(c->store, c->app.id, changes, n, &version, err)) != 0)
        (void) err_wrap(err, "config");
    a->config = n > 0;
    config_set_release(&set);
    return rc < 0 ? -1 : 0;
}

/* --- domains */

/* A domain is one app's. A new app, which is often a copy on the same server, is made without those that another has. */
static int domain_apply(struct apply *a, const char *domain, json_t *to, struct err *err)
{
    struct command_ctx *c = a->c;
    bool taken = false, is_changed;

    if (a->is_new && domains_taken(c->store, c->app.id, domain, &taken, err) != 0)
        return -1;
    if (taken) {
        vec_add(&a->taken, domain);
        return 0;
    }
    if (domain_free_check(c, domain, err) != 0 || domains_add(c->store, c->app.id, domain, &is_changed, err) != 0)
        return -1;
    (void) json_array_append_new(to, json_string(domain));
    a->domains = a->domains || is_changed;
    return 0;
}

static json_t *list_json(json_t *list)
{
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    return NULL;
}

static int domains_apply(struct apply *a, struct err *err)
{
    const struct app_document *d = a->document;
    const struct app *app = &a->c->app;
    const char *target = a->is_new && d->target != NULL ? d->target : app_target(a->c, app);
    json_t *to = json_array();
    int rc = 0;

    if (d->domains.n > 0 && domains_possible(a->c, target, err) != 0)
        rc = err_wrap(err, "domains");
    for (size_t i = 0; rc == 0 && d->has_domains && i < app->domains.n; i++) {
        if (vec_has(&d->domains, app->domains.v[i]))
            continue;
        a->domains = true;
        rc = domains_remove(a->c->store, app->id, app->domains.v[i], err);
    }
    for (size_t i = 0; rc == 0 && i < d->domains.n; i++)
        if ((rc = domain_apply(a, d->domains.v[i], to, err)) != 0)
            (void) err_wrap(err, "domains");
    if (rc == 0 && a->domains)
        changed(a, list_json(json_list(&app->domains)), list_json(json_incref(to)), "domains", NULL);
    json_decref(to);
    return rc;
}

/* --- people */

static enum role role_of(const struct access_row *v, size_t n, const char *who)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].who, who) == 0)
            return v[i].role;
    return ROLE_NONE;
}

static enum role role_told(const struct app_document *d, const char *who)
{
    for (size_t i = 0; i < d->n_access; i++)
        if (strcmp(d->access[i].who, who) == 0)
            return d->access[i].role;
    return ROLE_NONE;
}

static json_t *role_json(enum role r)
{
    return r != ROLE_NONE ? json_string(role_name(r)) : NULL;
}

/* The owner's role is the app's, not the document's: access:grant --owner changes it. */
static int role_apply(struct apply *a, const char *who, enum role from, enum role to, struct err *err)
{
    if (from == to || strcmp(who, a->c->app.owner) == 0)
        return 0;
    if (access_change(a->c, who, to, err) != 0)
        return err_wrap(err, "access.%s", who);
    changed(a, role_json(from), role_json(to), "access", who);
    return 0;
}

static int access_apply(struct apply *a, struct err *err)
{
    const struct app_document *d = a->document;
    struct access_row *v = NULL;
    size_t n = 0;
    int rc = 0;

    if (!d->has_access)
        return 0;
    if (access_list(a->c->store, a->c->app.id, false, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < d->n_access; i++)
        rc = role_apply(a, d->access[i].who, role_of(v, n, d->access[i].who), d->access[i].role, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (role_told(d, v[i].who) == ROLE_NONE)
            rc = role_apply(a, v[i].who, v[i].role, ROLE_NONE, err);
    access_rows_free(v, n);
    return rc;
}

/* --- image */

static int image_compare(struct apply *a, struct err *err)
{
    const struct app *app = &a->c->app;
    struct release live = { .digest = NULL };
    const char *to = a->document->image;

    if (to == NULL)
        return 0;
    if (app->live_release_id != 0 && releases_get(a->c->store, app->live_release_id, &live, err) != 0)
        return -1;
    a->image = live.digest == NULL || strcmp(live.digest, a->document->ref.digest) != 0;
    if (a->image)
        changed(a, live.digest != NULL ? json_string(live.digest) : NULL, json_string(a->document->ref.digest), "image", NULL);
    release_release(&live);
    return 0;
}

int apply_rows(struct apply *a, struct err *err)
{
    a->changes = json_array();
    if (settings_apply(a, err) != 0 || target_apply(a, err) != 0 || image_compare(a, err) != 0
        || formation_apply(a, err) != 0 || config_apply(a, err) != 0 || domains_apply(a, err) != 0)
        return -1;
    return access_apply(a, err);
}
