#include "config.h"

#include "sql/model.h"

#include "base/json.h"
#include "base/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Names of apps, users and processes: lower case letters and digits, and inside them also `inner`. */
static bool name_fits(const char *s, size_t max, const char *inner, bool digit_first)
{
    size_t n = strnlen(s, max + 1);

    if (n == 0 || n > max)
        return false;
    if (!is_lower(s[0]) && !(digit_first && is_digit(s[0])))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (is_lower(s[i]) || is_digit(s[i]))
            continue;
        if (i + 1 == n || strchr(inner, s[i]) == NULL)
            return false;
    }
    return true;
}

/* What somebody typed, as far as it can be shown in a sentence: printable ASCII, cut. */
static const char *name_shown(const char *s, char *out, size_t size)
{
    size_t i;

    for (i = 0; i + 1 < size && s[i] != '\0'; i++)
        out[i] = s[i] >= ' ' && s[i] < 127 ? s[i] : '?';
    out[i] = '\0';
    return out;
}

int app_name_check(const char *name, struct err *err)
{
    char shown[64];

    if (name_fits(name, APP_NAME_MAX, "-", false))
        return 0;
    name_shown(name, shown, sizeof(shown));
    if (name[0] == '\0')
        return err_set(err, ERR_USAGE, "an app's name is missing; for example: shop");
    if (strlen(name) > APP_NAME_MAX)
        return err_set(err, ERR_USAGE, "the app name \"%s\" is too long; at most %d characters",
                       shown, APP_NAME_MAX);
    if (!is_lower(name[0]))
        return err_set(err, ERR_USAGE, "the app name \"%s\" must begin with a letter a to z", shown);
    if (name[strlen(name) - 1] == '-')
        return err_set(err, ERR_USAGE, "the app name \"%s\" must not end with -", shown);
    return err_set(err, ERR_USAGE,
                   "the app name \"%s\" may hold only small letters, digits and -; for example: shop-api",
                   shown);
}

int user_name_check(const char *name, struct err *err)
{
    char shown[64];

    if (name_fits(name, USER_NAME_MAX, "._-", false))
        return 0;
    return err_set(err, ERR_USAGE,
                   "\"%s\" is no user name: a small letter first, then small letters, digits, . _ or -, "
                   "at most %d, the last a letter or digit; for example: anna",
                   name_shown(name, shown, sizeof(shown)), USER_NAME_MAX);
}

int team_name_check(const char *name, struct err *err)
{
    char shown[64];

    if (name_fits(name, USER_NAME_MAX, "._-", false))
        return 0;
    return err_set(err, ERR_USAGE,
                   "\"%s\" is no team name: a small letter first, then small letters, digits, . _ or -, "
                   "at most %d, the last a letter or digit; for example: ops",
                   name_shown(name, shown, sizeof(shown)), USER_NAME_MAX);
}

int grantee_name_check(const char *name, struct err *err)
{
    return name[0] == '@' ? team_name_check(name + 1, err) : user_name_check(name, err);
}

int config_name_check(const char *name, struct err *err)
{
    size_t n = strnlen(name, CONFIG_NAME_MAX + 1);
    bool fits = n > 0 && n <= CONFIG_NAME_MAX;
    char shown[160];

    for (size_t i = 0; fits && i < n; i++)
        fits = is_lower(name[i]) || is_upper(name[i]) || name[i] == '_' || (i > 0 && is_digit(name[i]));
    name_shown(name, shown, sizeof(shown));
    if (!fits)
        return err_set(err, ERR_USAGE,
                       "\"%s\" is no config name: letters, digits and _, no digit first, at most %d; "
                       "for example: DATABASE_URL", shown, CONFIG_NAME_MAX);
    if (strcmp(name, "PORT") == 0)
        return err_set(err, ERR_USAGE, "PORT is set by the server and cannot be configured");
    return 0;
}

int process_name_check(const char *name, struct err *err)
{
    char shown[96];

    if (name_fits(name, PROCESS_NAME_MAX, "-", true))
        return 0;
    return err_set(err, ERR_USAGE,
                   "\"%s\" is no process type: small letters, digits and - inside, at most %d; "
                   "for example: web", name_shown(name, shown, sizeof(shown)), PROCESS_NAME_MAX);
}

static const char *const role_names[] = { "none", "view", "deploy", "operate", "own" };

const char *role_name(enum role r)
{
    return (size_t) r < countof(role_names) ? role_names[r] : "none";
}

int role_parse(const char *s, enum role *ret, struct err *err)
{
    char shown[64];

    for (size_t i = ROLE_VIEW; i < countof(role_names); i++) {
        if (strcmp(s, role_names[i]) == 0) {
            *ret = (enum role) i;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "\"%s\" is no role; roles are view, deploy, operate and own",
                   name_shown(s, shown, sizeof(shown)));
}

void user_release(struct user *u)
{
    free(u->name);
    memset(u, 0, sizeof(*u));
}

void team_release(struct team *t)
{
    free(t->name);
    memset(t, 0, sizeof(*t));
}

void key_release(struct key *k)
{
    free(k->user_name);
    free(k->name);
    free(k->type);
    free(k->fingerprint);
    free(k->blob);
    free(k->app);
    free(k->verbs);
    free(k->source);
    memset(k, 0, sizeof(*k));
}

void app_release(struct app *a)
{
    free(a->name);
    free(a->handle);
    free(a->owner);
    free(a->deploy_branch);
    free(a->lock_reason);
    free(a->locked_by);
    free(a->live_commit);
    free(a->on_disconnect);
    free(a->target);
    vec_release(&a->domains);
    free(a->certificate);
    memset(a, 0, sizeof(*a));
}

void processes_release(struct processes *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].type);
        vec_release(&p->v[i].command);
        vec_release(&p->v[i].args);
    }
    free(p->v);
    memset(p, 0, sizeof(*p));
}

static int strings_parse(const json_t *a, const char *what, struct vec *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    if (a == NULL)
        return 0;
    if (!json_is_array(a))
        return err_set(err, ERR_FAILED, "a process type's %s is not a list", what);
    json_array_foreach(a, i, item) {
        if (!json_is_string(item))
            return err_set(err, ERR_FAILED, "a process type's %s holds something that is not text", what);
        vec_add(ret, json_string_value(item));
    }
    return 0;
}

static int process_parse(const json_t *o, struct processes *p, struct err *err)
{
    const char *type = json_str(o, "type", NULL);
    struct process *added;

    if (type == NULL)
        return err_set(err, ERR_FAILED, "a process type has no name");
    if (process_name_check(type, err) != 0)
        return -1;
    if (processes_find(p, type) != NULL)
        return err_set(err, ERR_FAILED, "the process type %s is there twice", type);
    if (p->n == PROCESSES_MAX)
        return err_set(err, ERR_FAILED, "more than %d process types", PROCESSES_MAX);
    p->v = xrealloc_n(p->v, p->n + 1, sizeof(*p->v));
    added = &p->v[p->n++];
    memset(added, 0, sizeof(*added));
    added->type = xstrdup(type);
    added->is_default = json_bool(o, "default", 0) != 0;
    if (strings_parse(json_object_get(o, "command"), "command", &added->command, err) != 0)
        return -1;
    return strings_parse(json_object_get(o, "args"), "args", &added->args, err);
}

int processes_parse(const char *json, struct processes *ret, struct err *err)
{
    json_auto_t *doc = json_parse(json, strlen(json), "the list of process types", err);
    struct processes p = { NULL, 0 };
    const json_t *item;
    size_t i;

    if (doc == NULL)
        return -1;
    if (!json_is_array(doc))
        return err_set(err, ERR_FAILED, "the list of process types is not a list");
    json_array_foreach(doc, i, item) {
        if (process_parse(item, &p, err) != 0) {
            processes_release(&p);
            return -1;
        }
    }
    *ret = p;
    return 0;
}

static json_t *strings_json(const struct vec *v)
{
    json_t *a = json_array();

    for (size_t i = 0; i < v->n; i++)
        (void) json_array_append_new(a, json_string(v->v[i]));
    return a;
}

char *processes_json(const struct processes *p)
{
    json_auto_t *a = json_array();

    for (size_t i = 0; i < p->n; i++) {
        const struct process *x = &p->v[i];

        (void) json_array_append_new(a, json_pack("{s:s, s:o, s:o, s:b}", "type", x->type,
                                                  "command", strings_json(&x->command),
                                                  "args", strings_json(&x->args),
                                                  "default", (int) x->is_default));
    }
    return json_text(a);
}

const struct process *processes_find(const struct processes *p, const char *type)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->v[i].type, type) == 0)
            return &p->v[i];
    }
    return NULL;
}

void formation_release(struct formation *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->v[i].process);
    free(f->v);
    memset(f, 0, sizeof(*f));
}

int formation_parse(const char *json, struct formation *ret, struct err *err)
{
    json_auto_t *doc = json_parse(json, strlen(json), "the formation", err);
    struct formation f = { NULL, 0 };
    const char *name;
    json_t *count;

    if (doc == NULL)
        return -1;
    if (!json_is_object(doc))
        return err_set(err, ERR_FAILED, "the formation is not an object");
    json_object_foreach(doc, name, count) {
        json_int_t n = json_integer_value(count);

        if (process_name_check(name, err) != 0) {
            formation_release(&f);
            return -1;
        }
        if (!json_is_integer(count) || n < 0 || n > PROCESS_COUNT_MAX || f.n == PROCESSES_MAX) {
            formation_release(&f);
            return err_set(err, ERR_FAILED, "the formation's count for %s is not 0 to %d", name,
                           PROCESS_COUNT_MAX);
        }
        formation_set(&f, name, (int) n);
    }
    *ret = f;
    return 0;
}

char *formation_json(const struct formation *f)
{
    json_auto_t *o = json_object();

    for (size_t i = 0; i < f->n; i++)
        (void) json_object_set_new(o, f->v[i].process, json_integer(f->v[i].count));
    return json_text(o);
}

int formation_count(const struct formation *f, const char *process)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].process, process) == 0)
            return f->v[i].count;
    }
    return -1;
}

void formation_set(struct formation *f, const char *process, int count)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->v[i].process, process) == 0) {
            f->v[i].count = count;
            return;
        }
    }
    f->v = xrealloc_n(f->v, f->n + 1, sizeof(*f->v));
    f->v[f->n].process = xstrdup(process);
    f->v[f->n++].count = count;
}

void formation_fit(const struct formation *wanted, const struct processes *p, struct formation *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < p->n; i++) {
        const char *type = p->v[i].type;
        int count = formation_count(wanted, type);

        if (strcmp(type, "release") == 0)
            continue;
        if (count < 0)
            count = strcmp(type, "web") == 0 ? 1 : 0;
        formation_set(ret, type, count);
    }
}

void build_release(struct build *b)
{
    free(b->app);
    free(b->handle);
    free(b->user);
    free(b->branch);
    free(b->old_commit);
    free(b->commit);
    free(b->tree);
    free(b->message);
    free(b->input_hash);
    free(b->image);
    free(b->digest);
    free(b->processes_json);
    free(b->reason);
    free(b->app_json);
    memset(b, 0, sizeof(*b));
}

void release_release(struct release *r)
{
    free(r->app);
    free(r->user);
    free(r->description);
    free(r->commit);
    free(r->source_image);
    free(r->image_ref);
    free(r->image_file);
    free(r->digest);
    free(r->image);
    formation_release(&r->formation);
    processes_release(&r->processes);
    free(r->manifests);
    free(r->app_json);
    free(r->step);
    free(r->reason);
    free(r->url);
    free(r->target);
    free(r->rename_to);
    memset(r, 0, sizeof(*r));
}

void config_set_release(struct config_set *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct config_var *v = &c->v[i];

        if (v->value != NULL)
            sodium_memzero(v->value, v->value_len);
        free(v->value);
        free(v->name);
        free(v->sealed_run);
        free(v->sealed_build);
        free(v->hint);
    }
    free(c->v);
    memset(c, 0, sizeof(*c));
}

void audit_row_release(struct audit_row *a)
{
    free(a->user);
    free(a->fingerprint);
    free(a->address);
    free(a->app);
    free(a->verb);
    free(a->detail);
    memset(a, 0, sizeof(*a));
}
