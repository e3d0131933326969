#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd_config.h"
#include "gateway/live.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SAID 3 /* in "Setting A, B, C and 7 more" */

void changes_init(struct changes *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->input, CONFIG_VALUE_MAX + 1); /* one more, so that a longer value is told its length */
}

void changes_release(struct changes *s)
{
    if (s->input.data != NULL)
        sodium_memzero(s->input.data, s->input.cap);
    buf_release(&s->input);
    vec_release(&s->names);
    free(s->v);
}

struct config_change *changes_add(struct changes *s, const char *name, struct err *err)
{
    if (config_name_check(name, err) != 0)
        return NULL;
    for (size_t i = 0; i < s->names.n; i++) {
        if (strcmp(s->names.v[i], name) == 0) {
            (void) err_set(err, ERR_USAGE, "%s is given twice; nothing was changed", name);
            return NULL;
        }
    }
    vec_add(&s->names, name);
    s->v = xrealloc_n(s->v, s->n + 1, sizeof(*s->v));
    s->v[s->n] = (struct config_change) { .name = s->names.v[s->names.n - 1] };
    return &s->v[s->n++];
}

/* NAME=VALUE. Words that do not fit are named by their number: they may be a part of a secret. */
static int assignment_parse(struct changes *s, const char *word, int number, bool run, bool build, struct err *err)
{
    const char *equals = strchr(word, '=');
    cleanup_free char *name = NULL;
    struct config_change *c;

    if (equals == NULL)
        return err_set(err, ERR_USAGE, "word %d is not NAME=VALUE; nothing was changed. A value with spaces is quoted "
                       "twice, 'A=\"b c\"', or comes from standard input, A=@-", number);
    name = xstrndup(word, (size_t) (equals - word));
    c = changes_add(s, name, err);
    if (c == NULL)
        return -1;
    c->value = equals + 1;
    c->value_len = strlen(equals + 1);
    c->run = run;
    c->build = build;
    return 0;
}

/* Standard input for the one value that is @-. */
static int input_read(struct command_ctx *c, struct changes *s, struct err *err)
{
    struct config_change *from = NULL;
    const char *end;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].value_len != 2 || memcmp(s->v[i].value, "@-", 2) != 0)
            continue;
        if (from != NULL)
            return err_set(err, ERR_USAGE, "only one value can come from standard input; nothing was changed");
        from = &s->v[i];
    }
    if (from == NULL)
        return 0;
    if (command_read_all(c, &s->input, err) != 0)
        return err_wrap(err, "the value of %s", from->name);
    from->value = buf_str(&s->input);
    from->value_len = buf_len(&s->input);
    end = memchr(from->value, '\n', from->value_len);
    if (end != NULL && end + 1 == (const char *) from->value + from->value_len)
        (void) io_errf(c->io, " !     The value of %s ends in a newline, as standard input did. If that is not meant: "
                       "printf %%s VALUE | ...\n", from->name);
    return 0;
}

/* The version that the live release runs with; 0 where none is live. */
static int live_config_version(struct command_ctx *c, int64_t *ret, struct err *err)
{
    struct release r;

    *ret = -1;
    if (c->app.live_release_id == 0)
        return 0;
    if (releases_get(c->store, c->app.live_release_id, &r, err) != 0)
        return -1;
    *ret = r.config_version;
    release_release(&r);
    return 0;
}

static int show_changed(struct command_ctx *c, const struct changes *s, int64_t version,
                        const struct release_made *made)
{
    json_t *names = json_array();

    for (size_t i = 0; i < s->names.n; i++)
        (void) json_array_append_new(names, json_string(s->names.v[i]));
    return show_json(c, json_pack("{s:s, s:o, s:I, s:o, s:o}", "app", c->app.name, "names", names, "config_version",
                                  (json_int_t) version, "release",
                                  made->version != 0 ? json_integer(made->version) : json_null(), "url",
                                  show_json_text(made->url)));
}

/* Nothing is live, and the newest release has failed: perhaps for want of what is being set. */
static bool first_failed(struct command_ctx *c)
{
    struct release *v = NULL;
    bool failed = false;
    size_t n = 0;

    if (c->app.live_release_id != 0 || releases_list(c->store, c->app.id, 1, &v, &n, NULL) != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        failed = v[i].state == RELEASE_FAILED;
        release_release(&v[i]);
    }
    free(v);
    return failed;
}

int changes_do(struct command_ctx *c, const struct changes *s, bool set, struct err *err)
{
    cleanup_free char *names = show_words(&s->names, NAMES_SAID);
    cleanup_free char *description = xasprintf("%s %s", set ? "set" : "unset", names);
    cleanup_free char *doing = xasprintf("%s %s and restarting %s", set ? "Setting" : "Unsetting", names, c->app.name);
    cleanup_free char *kept = xasprintf("%s %s %s, but the live release keeps its own config until the next release",
                                        names, s->names.n == 1 ? "stays" : "stay", set ? "set" : "unset");
    struct release_ask ask = {
        .description = description, .doing = doing, .kept = kept, .run_release_command = true,
        .restart = command_option(c, "--no-restart") == NULL,
    };
    struct release_made made = { 0 };
    int64_t version = 0, live = 0;

    if (store_begin(c->store, err) != 0 || live_config_version(c, &live, err) != 0
        || config_change(c->store, c->app.id, s->v, s->n, &version, err) != 0)
        return -1;
    ask.config_version = version;
    /* An equal value is no change, unless the release that should have brought it has failed. */
    if (version == live)
        ask.restart = false;
    if (release_ask(c, &ask, &made, err) != 0)
        return -1;
    if (c->json)
        (void) show_changed(c, s, version, &made);
    else if (made.id == 0 && version == c->app.config_version)
        (void) io_outf(c->io, "Nothing to do: %s has that config already (version %lld)\n", c->app.name,
                       (long long) version);
    else if (made.id == 0)
        (void) io_outf(c->io, "%s %s... done; used from the next release on%s%s\n", set ? "Setting" : "Unsetting", names,
                       first_failed(c) ? ", which is made by a push or by: releases:retry " : "", first_failed(c) ? c->app.name : "");
    free(made.url);
    return 0;
}

/* Only contrib/slipway, which makes NAME=@- of it, can read a person's file. */
static int file_refuse(const struct command_ctx *c, const char *given, struct err *err)
{
    cleanup_free char *name = xstrndup(given, strcspn(given, "="));

    return err_set(err, ERR_USAGE, "--from-file names a file on your machine, which the client contrib/slipway reads and the "
                   "server can't; with ssh, for example: ssh git@HOST config:set %s %s=@- < PATH", c->app.name,
                   config_name_check(name, NULL) == 0 ? name : "NAME");
}

int cmd_config_set(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool build = command_option(c, "--build") != NULL, run = command_option(c, "--run") != NULL || !build;
    const char *file = command_option(c, "--from-file");
    struct changes s;
    int rc = 0;

    if (file != NULL)
        return file_refuse(c, file, err);
    if (argc == 0)
        return err_set(err, ERR_USAGE, "NAME=VALUE is missing; for example: config:set %s GREETING=hello", c->app.name);
    changes_init(&s);
    for (int i = 0; i < argc && rc == 0; i++)
        rc = assignment_parse(&s, argv[i], i + 1, run, build, err);
    for (size_t i = 0; i < s.names.n && rc == 0; i++)
        (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", s.names.v[i]);
    if (rc == 0)
        rc = input_read(c, &s, err);
    if (rc == 0)
        rc = changes_do(c, &s, true, err);
    changes_release(&s);
    return rc;
}

/* All names must be set: a slip in one of ten shall not go unnoticed. */
static int names_check(struct command_ctx *c, const struct vec *names, struct err *err)
{
    struct config_set set;
    int rc = 0;

    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    for (size_t i = 0; i < names->n && rc == 0; i++) {
        bool there = false;

        for (size_t k = 0; k < set.n && !there; k++)
            there = strcmp(set.v[k].name, names->v[i]) == 0;
        if (!there)
            rc = err_set(err, ERR_NOT_FOUND, "%s is not set; nothing was changed", names->v[i]);
    }
    config_set_release(&set);
    return rc;
}

int cmd_config_unset(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct changes s;
    int rc = 0;

    changes_init(&s);
    for (int i = 0; i < argc && rc == 0; i++) {
        rc = changes_add(&s, argv[i], err) != NULL ? 0 : -1;
        if (rc == 0)
            (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", argv[i]);
    }
    if (rc == 0)
        rc = names_check(c, &s.names, err);
    if (rc == 0)
        rc = changes_do(c, &s, false, err);
    changes_release(&s);
    return rc;
}

json_t *config_values(struct command_ctx *c, int64_t version, const char *name, struct err *err)
{
    json_auto_t *q = json_pack("{s:s, s:I, s:I, s:o}", "op", "config", "app_id", (json_int_t) c->app.id, "version",
                               (json_int_t) version, "names",
                               name != NULL ? json_pack("[s]", name) : json_null());
    json_t *doc = live_document(c, q, err);

    if (doc == NULL || json_is_object(doc))
        return doc;
    json_decref(doc);
    (void) err_set(err, ERR_FAILED, "the deployer's answer is no list of values");
    return NULL;
}

int cmd_config_get(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct config_set set;
    bool there = false, run = false;
    json_auto_t *values = NULL;
    const char *value;

    (void) argc;
    if (config_name_check(argv[0], err) != 0
        || config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, argv[0]);
    for (size_t i = 0; i < set.n; i++) {
        if (strcmp(set.v[i].name, argv[0]) == 0) {
            there = true;
            run = set.v[i].run;
        }
    }
    config_set_release(&set);
    if (!there)
        return err_set(err, ERR_NOT_FOUND, "%s is not set", argv[0]);
    if (!run)
        return err_set(err, ERR_FAILED, "%s is in build scope only; its value can be replaced but not shown", argv[0]);
    values = config_values(c, c->app.config_version, argv[0], err);
    if (values == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    value = json_string_value(json_object_get(values, argv[0]));
    if (value == NULL)
        return err_set(err, ERR_FAILED, "the deployer did not answer with the value of %s", argv[0]);
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s}", "name", argv[0], "value", value));
    (void) io_outf(c->io, "%s\n", value);
    return 0;
}

static json_t *var_json(const struct config_var *v, const char *value, bool hint)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:I}", "name", v->name, "value", show_json_text(value), "hint",
                     hint && v->hint[0] != '\0' ? json_string(v->hint) : json_null(), "scopes", show_json_scopes(v->run, v->build), "version",
                     (json_int_t) v->version);
}

static void var_row(struct table *t, const struct config_var *v, const char *value, bool hint)
{
    table_addf(t, "%s:", v->name);
    if (value != NULL)
        table_add(t, value);
    else
        table_addf(t, "\u2022\u2022\u2022\u2022%s", hint ? v->hint : "");
    table_add(t, v->run && v->build ? "run, build" : v->build ? "build" : "");
}

int cmd_config_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool show = command_option(c, "--show") != NULL, may = c->role >= ROLE_OPERATE;
    struct table t = TABLE_INIT(3);
    json_auto_t *values = NULL;
    struct config_set set;
    json_t *all;

    (void) argv;
    (void) argc;
    if (show && !may)
        return err_set(err, ERR_DENIED, "--show needs the role operate in %s, and yours is %s", c->app.name,
                       role_name(c->role));
    if (show && (values = config_values(c, c->app.config_version, NULL, err)) == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < set.n; i++) {
        const char *value = json_string_value(json_object_get(values, set.v[i].name));

        (void) json_array_append_new(all, var_json(&set.v[i], value, may));
        var_row(&t, &set.v[i], value, may);
    }
    if (c->json) {
        (void) show_json(c, all);
    } else {
        json_decref(all);
        (void) io_outf(c->io, "=== %s config, version %lld\n", c->app.name, (long long) c->app.config_version);
        table_print(&t, c);
    }
    table_release(&t);
    config_set_release(&set);
    return 0;
}
