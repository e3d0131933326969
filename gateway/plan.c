#include "config.h"

#include "gateway/plan.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "gateway/cmd_config.h"
#include "gateway/live.h"
#include "gateway/plan_diff.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <string.h>

#define COMMAND_MAX (64 * 1024)
#define TEXT_MAX (8 << 20) /* above what the deployer's answer makes, which live.c bounds */

/* --- the config's names, which rows tell */

struct names { json_t *added, *removed, *changed; };

static bool runs(const struct config_var *v)
{
    return v != NULL && v->run;
}

/* What only builds see changes nothing that runs. */
static void name_add(void *arg, const struct config_var *a, const struct config_var *b)
{
    struct names *n = arg;

    if (runs(a) || runs(b))
        (void) json_array_append_new(!runs(a) ? n->added : !runs(b) ? n->removed : n->changed,
                                     json_string((a != NULL ? a : b)->name));
}

/* A set of the config that the live release has; empty where none is live. */
static int live_config(struct command_ctx *c, struct release *live, struct config_set *ret, struct err *err)
{
    *ret = (struct config_set) { NULL, 0 };
    memset(live, 0, sizeof(*live));
    if (c->app.live_release_id == 0)
        return 0;
    if (releases_get(c->store, c->app.live_release_id, live, err) < 0)
        return -1;
    return config_get(c->store, c->app.id, live->config_version, ret, err);
}

static bool is_set(const struct config_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->v[i].name, name) == 0)
            return true;
    return false;
}

/* --- what a first push brings by its app.json */

/* Names that it sets. Only a first release has them set. */
static json_t *env_names(const struct command_ctx *c, const struct app_json *a, const struct config_set *now)
{
    json_t *names = json_array();

    for (size_t i = 0; a != NULL && c->app.live_release_id == 0 && i < a->n_env; i++)
        if ((a->env[i].value != NULL || a->env[i].secret) && !is_set(now, a->env[i].name))
            (void) json_array_append_new(names, json_string(a->env[i].name));
    return names;
}

static json_t *counts(const struct command_ctx *c, const struct app_json *a)
{
    json_t *o = json_object();

    for (size_t i = 0; a != NULL && c->app.live_release_id == 0 && i < a->formation.n; i++)
        (void) json_object_set_new(o, a->formation.v[i].process, json_integer(a->formation.v[i].count));
    return o;
}

/* --- what the pushed tree says, and the target's objects do not tell */

static json_t *command_text(const struct process *p)
{
    cleanup_buf struct buf b;

    buf_init(&b, COMMAND_MAX);
    for (size_t i = 0; i < p->command.n; i++)
        (void) buf_addf(&b, "%s%s", i > 0 ? " " : "", p->command.v[i]);
    for (size_t i = 0; i < p->args.n; i++)
        (void) buf_addf(&b, " %s", p->args.v[i]);
    return json_string(buf_str(&b));
}

/* {"web": "python3 web.py"} */
static json_t *commands_of(const struct processes *p)
{
    json_t *o = json_object();

    for (size_t i = 0; i < p->n; i++)
        (void) json_object_set_new(o, p->v[i].type, command_text(&p->v[i]));
    return o;
}

static void object_add(json_t *objects, const char *kind, json_t *before, json_t *after)
{
    if (!json_equal(before, after))
        (void) json_array_append_new(objects, json_pack("{s:s, s:s, s:O?, s:O?}", "kind", kind, "name", "",
                                                        "before", before, "after", after));
}

/* *ret_command: the release command, the caller's; null: there is none. */
static int procfile_add(json_t *objects, const struct release *live, const struct build *build, json_t **ret_command,
                        struct err *err)
{
    struct processes p;
    json_auto_t *before = NULL, *after = NULL;

    if (processes_parse(build->processes_json, &p, err) < 0)
        return -1;
    before = live->id != 0 ? commands_of(&live->processes) : NULL;
    after = commands_of(&p);
    object_add(objects, "Procfile", before, after);
    if (processes_find(&p, "release") != NULL)
        *ret_command = command_text(processes_find(&p, "release"));
    processes_release(&p);
    return 0;
}

/* What a release keeps of app.json. */
static json_t *kept(const char *text)
{
    return text != NULL ? json_loads(text, 0, NULL) : json_object();
}

static void app_json_add(json_t *objects, const struct release *live, const struct build *build)
{
    json_auto_t *before = NULL, *after = NULL;

    before = kept(live->app_json);
    after = kept(build->app_json);
    object_add(objects, "app.json", before, after);
}

/* --- all */

static json_t *document(const struct command_ctx *c, const struct build *build, const struct names *n,
                        const json_t *command, json_t *changes)
{
    const char *target = c->app.target[0] != '\0' ? c->app.target : conf_target(c->conf);

    return json_pack("{s:s, s:s, s:o, s:o, s:O?, s:{s:O, s:O, s:O}, s:o}", "app", c->app.name, "target", target,
                     "live", c->app.live_version != 0 ? json_integer(c->app.live_version) : json_null(),
                     "build", build != NULL ? json_integer(build->id) : json_null(),
                     "release_command", command, "config", "added", n->added, "removed", n->removed, "changed", n->changed, "changes", changes);
}

json_t *apps_plan_make(struct command_ctx *c, const struct build *build, const struct app_json *a, struct err *err)
{
    json_auto_t *added = json_array(), *removed = json_array(), *changed = json_array();
    json_auto_t *request = NULL, *objects = NULL, *command = NULL;
    struct names names = { added, removed, changed };
    struct config_set from, to = { NULL, 0 };
    struct release live;
    json_t *env, *ret = NULL;
    int rc = live_config(c, &live, &from, err);

    if (rc == 0)
        rc = config_get(c->store, c->app.id, c->app.config_version, &to, err);
    if (rc == 0) {
        config_diff(&from, &to, name_add, &names);
        env = env_names(c, a, &to);
        (void) json_array_extend(added, env);
        request = json_pack("{s:s, s:I, s:o, s:o, s:o}", "op", "plan", "app_id", (json_int_t) c->app.id, "build",
                            build != NULL ? json_integer(build->id) : json_null(), "formation", counts(c, a),
                            "config", env);
        objects = live_document(c, request, err);
    }
    if (objects != NULL && build != NULL) {
        app_json_add(objects, &live, build);
        rc = procfile_add(objects, &live, build, &command, err);
    }
    if (objects != NULL && rc == 0)
        ret = document(c, build, &names, command, plan_changes(objects));
    config_set_release(&from);
    config_set_release(&to);
    release_release(&live);
    return ret;
}

static void names_add(const json_t *plan, const char *which, char sign, struct buf *out)
{
    const json_t *name;
    size_t i;

    json_array_foreach(json_at(plan, which), i, name)
        (void) buf_addf(out, "%c     %s%s\n", sign, json_string_value(name), sign == '~' ? ": another value" : "");
}

static bool config_changes(const json_t *plan)
{
    return json_array_size(json_at(plan, "config.added")) + json_array_size(json_at(plan, "config.removed")) +
           json_array_size(json_at(plan, "config.changed")) > 0;
}

bool apps_plan_is_empty(const json_t *plan)
{
    return !config_changes(plan) && json_array_size(json_object_get(plan, "changes")) == 0;
}

/* The launcher's link for the process type says nothing. */
static void command_line(const char *command, struct buf *out)
{
    static const char link[] = "/cnb/process/";
    bool says = strncmp(command, link, sizeof(link) - 1) != 0;

    (void) buf_addf(out, "       The release command would run first%s%.*s\n", says ? ": " : "",
                    says ? (int) strcspn(command, "\r\n") : 0, command);
}

int apps_plan_print(struct command_io *io, const json_t *plan)
{
    const char *command = json_str(plan, "release_command", NULL);
    cleanup_buf struct buf text, out;

    buf_init(&text, TEXT_MAX);
    buf_init(&out, 2 * TEXT_MAX);
    if (command != NULL)
        command_line(command, &text);
    if (apps_plan_is_empty(plan))
        (void) buf_addstr(&text, command != NULL ? "       Nothing else would change.\n" : "       Nothing would change.\n");
    if (config_changes(plan)) {
        (void) buf_addstr(&text, "~ config\n");
        names_add(plan, "config.removed", '-', &text);
        names_add(plan, "config.added", '+', &text);
        names_add(plan, "config.changed", '~', &text);
    }
    (void) plan_lines(json_object_get(plan, "changes"), &text);
    while (buf_len(&text) > 0) {
        const char *line = buf_str(&text);
        size_t n = strcspn(line, "\n");

        (void) text_clean_line(&out, line, n, false);
        buf_consume(&text, n + (line[n] == '\n'));
    }
    return io->out(io, buf_str(&out), buf_len(&out));
}
