#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/word.h"
#include "gateway/attach.h"
#include "gateway/cmd.h"
#include "gateway/live.h"

#include <stdlib.h>
#include <string.h>

#define TTL_DEFAULT_S (24 * 3600)           /* as Heroku's one-off dynos */
#define TTL_MAX_S (30LL * 24 * 3600)        /* what runs longer is a process */
#define TEXT_SHOWN_MAX 200                  /* of a command, in lists */

/* --- the command */

/* A line for a shell where it is one word with blanks in it, else exactly these words. An operator that stands
 * alone was meant for a shell, and would reach the program as an argument: that is refused. */
static int command_check(char *const *argv, int argc, bool *ret_shell, struct err *err)
{
    static const char *const operators[] = { "&&", "||", "|" };

    for (int i = 0; i < argc; i++) {
        json_auto_t *text = json_string(argv[i]);

        if (text == NULL)
            return err_set(err, ERR_USAGE, "the command's word number %d is not UTF-8 text", i + 1);
        for (size_t k = 0; k < countof(operators); k++)
            if (strcmp(argv[i], operators[k]) == 0)
                return err_set(err, ERR_USAGE, "%s is for a shell, but these are the words of one program; quote the "
                               "whole line, twice because ssh takes one layer away: \"'first %s second'\"", argv[i],
                               argv[i]);
    }
    *ret_shell = argc == 1 && strpbrk(argv[0], " \t\n") != NULL;
    return 0;
}

static json_t *words_json(char *const *argv, int argc)
{
    json_t *words = json_array();

    for (int i = 0; i < argc; i++)
        (void) json_array_append_new(words, json_string(argv[i]));
    return words;
}

/* The command as lists show it: one line, cut. */
static json_t *text_json(char *const *argv, int argc, const char *process)
{
    cleanup_buf struct buf b;
    size_t n;

    buf_init(&b, 1 << 20);
    if (process != NULL)
        (void) buf_addf(&b, "(%s)", process);
    for (int i = 0; i < argc; i++)
        (void) buf_addf(&b, "%s%s", i > 0 ? " " : "", argv[i]);
    n = buf_len(&b);
    if (n > TEXT_SHOWN_MAX)
        for (n = TEXT_SHOWN_MAX; n > 0 && (buf_str(&b)[n] & 0xc0) == 0x80;)
            n--;
    buf_truncate(&b, n);
    for (char *p = b.data + b.start; n > 0; p++, n--)
        if ((unsigned char) *p < ' ' || *p == 127)
            *p = ' ';
    return json_string(buf_str(&b));
}

static int env_json(const struct command_ctx *c, json_t **ret, struct err *err)
{
    json_auto_t *env = json_object();
    const char *item;

    for (size_t i = 0; (item = command_option_nth(c, "--env", i)) != NULL; i++) {
        const char *eq = strchr(item, '=');
        cleanup_free char *name = eq != NULL ? xstrndup(item, (size_t) (eq - item)) : NULL;
        json_t *value;

        if (name == NULL)
            return err_set(err, ERR_USAGE, "-e number %zu is not NAME=VALUE; for example: -e DEBUG=1", i + 1);
        if (config_name_check(name, err) != 0)
            return -1;
        value = json_string(eq + 1);
        if (value == NULL)
            return err_set(err, ERR_USAGE, "the value of %s is not UTF-8 text", name);
        (void) json_object_set_new(env, name, value);
    }
    *ret = json_incref(env);
    return 0;
}

/* What the audit row says: which program, but no argument, since those may be secrets. */
static void detail_add(struct command_ctx *c, char *const *argv, int argc, const char *process)
{
    if (process != NULL)
        (void) buf_addf(&c->detail, "--process %s", process);
    else if (argc > 0)
        (void) buf_add(&c->detail, argv[0], strcspn(argv[0], " \t\n"));
}

static int run_request(struct command_ctx *c, char *const *argv, int argc, bool detached, json_t **ret, struct err *err)
{
    const char *process = command_option(c, "--process"), *ttl_text = command_option(c, "--ttl");
    long long ttl = TTL_DEFAULT_S;
    bool shell = false;
    json_t *env = NULL;

    detail_add(c, argv, argc, process);
    if ((argc > 0) == (process != NULL))
        return err_set(err, ERR_USAGE, "%s needs a command, or --process and none; for example: %s %s rake db:migrate",
                       c->command->name, c->command->name, c->app.name);
    if ((process != NULL && process_name_check(process, err) != 0) || command_check(argv, argc, &shell, err) != 0
        || (ttl_text != NULL && show_duration(ttl_text, "--ttl", TTL_MAX_S, &ttl, err) != 0))
        return -1;
    if (env_json(c, &env, err) != 0)
        return -1;
    if (c->app.live_release_id == 0) {
        json_decref(env);
        return err_set(err, ERR_FAILED, "%s has no live release yet; push first", c->app.name);
    }
    *ret = json_pack("{s:s, s:I, s:o, s:b, s:o, s:o, s:s, s:o, s:I, s:b}", "op", "run", "app_id",
                     (json_int_t) c->app.id, "argv", words_json(argv, argc), "shell", (int) shell, "process",
                     show_json_text(process), "env", env, "user", c->user.name, "text",
                     text_json(argv, argc, process), "ttl", (json_int_t) ttl, "detached", (int) detached);
    return 0;
}

/* `slipway admin` is on a terminal that is not in raw mode. */
static bool no_tty(const struct command_ctx *c)
{
    return command_option(c, "--no-tty") != NULL || strcmp(c->fingerprint, "local") == 0;
}

/* A stream that was killed could not end its command; the next look at the app's commands does. */
static void leftovers_end(struct command_ctx *c)
{
    json_auto_t *q = json_pack("{s:s, s:I}", "op", "run-list", "app_id", (json_int_t) c->app.id), *doc = NULL;
    struct err err = ERR_INIT;

    doc = live_document(c, q, &err);
}

static int run_attached(struct command_ctx *c, json_t *q, struct err *err)
{
    if (attach_run(c, q, no_tty(c), &c->exit_code, err) == 0)
        return 0;
    if (err->code == ERR_DOWN)
        leftovers_end(c);
    return -1;
}

static int run_detached(struct command_ctx *c, json_t *q, struct err *err)
{
    json_auto_t *answer = live_document(c, q, err);
    const char *name;

    if (answer == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    name = json_str(answer, "name", "?");
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s}", "app", c->app.name, "name", name));
    (void) io_outf(c->io, "%s\n", name);
    if (c->io->tty)
        (void) io_errf(c->io, "Running on %s; its output: run:logs %s %s -t\n", c->app.name, c->app.name, name);
    return 0;
}

int cmd_run(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *q = NULL;

    return run_request(c, argv, argc, false, &q, err) != 0 ? -1 : run_attached(c, q, err);
}

int cmd_run_detached(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *q = NULL;

    return run_request(c, argv, argc, true, &q, err) != 0 ? -1 : run_detached(c, q, err);
}

int run_line(struct command_ctx *c, const char *line, bool detached, struct err *err)
{
    char *argv[] = { (char *) (uintptr_t) line, NULL };
    json_auto_t *q = json_pack("{s:s, s:I, s:o, s:b, s:s, s:o, s:I, s:b}", "op", "run", "app_id",
                               (json_int_t) c->app.id, "argv", words_json(argv, 1), "shell", 1, "user", c->user.name,
                               "text", text_json(argv, 1, NULL), "ttl", (json_int_t) TTL_DEFAULT_S, "detached",
                               (int) detached);

    return detached ? run_detached(c, q, err) : run_attached(c, q, err);
}

/* --- those that run */

static json_t *one_off_json(const json_t *o)
{
    long long code = json_int(o, "exit_code", -1);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "name", show_json_text(json_str(o, "name", NULL)),
                     "command", show_json_text(json_str(o, "command", NULL)), "user",
                     show_json_text(json_str(o, "user", NULL)), "state", show_json_text(json_str(o, "state", NULL)),
                     "reason", show_json_text(json_str(o, "reason", NULL)), "exit_code",
                     code >= 0 ? json_integer(code) : json_null(), "detached", json_bool(o, "detached", 0) != 0,
                     "started_at", show_json_time(json_int(o, "started_at", 0)), "ends_at",
                     show_json_time(json_int(o, "ends_at", 0)));
}

static void one_off_row(struct table *t, const json_t *o)
{
    table_add(t, json_str(o, "name", "?"));
    table_add(t, json_str(o, "state", "?"));
    if (json_int(o, "exit_code", -1) >= 0)
        table_addf(t, "exit %lld", json_int(o, "exit_code", 0));
    else
        table_addf(t, "up %s", show_age(json_int(o, "started_at", 0)).s);
    table_add(t, json_str(o, "user", "?"));
    table_add(t, json_str(o, "command", "?"));
    table_add(t, json_str(o, "reason", ""));
}

int cmd_run_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *q = json_pack("{s:s, s:I}", "op", "run-list", "app_id", (json_int_t) c->app.id), *doc = NULL;
    struct table t = TABLE_INIT(6);
    json_t *all, *o;
    size_t i;

    (void) argv, (void) argc;
    doc = c->app.live_release_id != 0 ? live_document(c, q, err) : json_array();
    if (doc == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    if (!json_is_array(doc))
        return err_set(err, ERR_FAILED, "the deployer's answer is no list of commands");
    all = json_array();
    json_array_foreach(doc, i, o) {
        (void) json_array_append_new(all, one_off_json(o));
        one_off_row(&t, o);
    }
    if (c->json) {
        (void) show_json(c, all);
    } else {
        json_decref(all);
        if (t.cells.n == 0)
            (void) io_outf(c->io, "No one-off command of %s runs\n", c->app.name);
        table_print(&t, c);
    }
    table_release(&t);
    return 0;
}

static int log_out(void *arg, const char *data, size_t n)
{
    struct command_ctx *c = arg;

    return c->io->out(c->io, data, n);
}

int cmd_run_logs(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *q = json_pack("{s:s, s:I, s:o, s:b}", "op", "run-logs", "app_id", (json_int_t) c->app.id, "name",
                               show_json_text(argv[0]), "follow", (int) (command_option(c, "--tail") != NULL));

    (void) argc;
    return live_request(c, q, log_out, c, err);
}

int cmd_run_stop(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *q = json_pack("{s:s, s:I, s:o}", "op", "run-stop", "app_id", (json_int_t) c->app.id, "name",
                               show_json_text(argv[0]));

    (void) argc;
    (void) buf_addstr(&c->detail, argv[0]);
    if (live_request(c, q, log_out, c, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s}", "app", c->app.name, "name", argv[0]));
    (void) io_outf(c->io, "Stopping %s of %s... done\n", argv[0], c->app.name);
    return 0;
}

/* --- enter */

/* "web.1", or "web" for one of them. */
static int instance_check(const char *word, struct err *err)
{
    const char *dot = strchr(word, '.');
    cleanup_free char *type = dot != NULL ? xstrndup(word, (size_t) (dot - word)) : xstrdup(word);
    long long n = 1;

    if (process_name_check(type, err) != 0)
        return -1;
    if (dot != NULL && show_number(dot + 1, "", 1, PROCESS_COUNT_MAX, &n, NULL) != 0)
        return err_set(err, ERR_USAGE, "a process is TYPE or TYPE.NUMBER, not \"%s\"; for example: web.1",
                       word_shown(word).s);
    return 0;
}

int cmd_enter(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *instance = argv[0];
    json_auto_t *q = NULL;
    bool shell = false;

    if (instance_check(instance, err) != 0 || command_check(argv + 1, argc - 1, &shell, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "%s ", instance);
    detail_add(c, argv + 1, argc - 1, NULL);
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s has no live release yet; push first", c->app.name);
    q = json_pack("{s:s, s:I, s:s, s:o, s:b}", "op", "exec", "app_id", (json_int_t) c->app.id, "instance", instance,
                  "argv", words_json(argv + 1, argc - 1), "shell", (int) shell);
    return attach_run(c, q, no_tty(c), &c->exit_code, err);
}
