/* The dispatcher: finds the command, reads its options, checks the person's permission, leaves the audit row. */
#include "config.h"

#include "gateway/command.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/word.h"
#include "gateway/args.h"
#include "gateway/habits.h"
#include "sql/tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 2048 /* of an audit row; a list of config names is cut there */
#define EXAMPLE_INDENT "    " /* how an example's line in a command's help begins */
#define EXAMPLE_MAX 160

/* Every command has these; -a only those that take an app. */
static const char common_app[] = "[-a|--app APP] [--json] [-h|--help]";
static const char common[] = "[--json] [-h|--help]";

bool command_verb_in(const char *list, const char *word)
{
    size_t n = strlen(word);

    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, " ");

        if (len == n && memcmp(list, word, n) == 0)
            return true;
        list += len + strspn(list + len, " ");
    }
    return false;
}

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0 || command_verb_in(c->alias, name))
            return c;
    }
    return NULL;
}

const struct command *command_nearest(const char *typed)
{
    const struct command *best = NULL;
    int distance = (int) strnlen(typed, 2 * NEAR_MAX) / 2 + 1; /* a short word of which more than half differs is another */

    for (const struct command *c = commands; c->name != NULL; c++) {
        int d = near_distance(typed, c->name);

        if (d < distance) {
            distance = d;
            best = c;
        }
    }
    return best;
}

const char *command_option(const struct command_ctx *c, const char *name)
{
    return args_option(&c->options, name);
}

const char *command_option_nth(const struct command_ctx *c, const char *name, size_t nth)
{
    return args_option_nth(&c->options, name, nth);
}

int command_unknown(const char *typed, struct err *err)
{
    const char *habit = habit_answer(typed);
    const struct command *near = command_nearest(typed);

    if (habit != NULL)
        return err_set(err, ERR_USAGE, "\"%s\" is no command here: %s", word_shown(typed).s, habit);
    if (near != NULL)
        return err_set(err, ERR_USAGE, "\"%s\" is no command; did you mean %s? All commands: help",
                       word_shown(typed).s, near->name);
    return err_set(err, ERR_USAGE, "\"%s\" is no command; all commands: help", word_shown(typed).s);
}

/* One sentence for an app that is not there and for one that is another's. */
static int app_not_found(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "app %s not found", name);
}

/* May the person do this in c->app? */
static int role_ask(struct command_ctx *c, struct err *err)
{
    enum role role = ROLE_NONE;
    int rc = access_role(c->store, &c->user, c->app.id, &role, err);

    if (rc == 0 && role == ROLE_NONE)
        rc = app_not_found(c->app.name, err);
    else if (rc == 0 && role < c->command->role)
        rc = err_set(err, ERR_DENIED, "%s needs the role %s in %s, and yours is %s; %s can give it to you",
                     c->command->name, role_name(c->command->role), c->app.name, role_name(role), c->app.owner);
    else if (rc == 0 && c->app.deleting)
        rc = err_set(err, ERR_BUSY, "%s is being destroyed", c->app.name);
    if (rc == 0)
        c->role = role;
    return rc;
}

/* The same, and forgets the app where not. */
static int role_check(struct command_ctx *c, struct err *err)
{
    int rc = role_ask(c, err);

    if (rc != 0)
        app_release(&c->app);
    return rc;
}

static int app_load(struct command_ctx *c, const char *name, struct err *err)
{
    if (app_name_check(name, err) != 0)
        return -1;
    if (apps_get(c->store, name, &c->app, err) != 0)
        return err->code == ERR_NOT_FOUND ? app_not_found(name, err) : -1;
    return role_check(c, err);
}

static int build_not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "build %lld not found", (long long) id);
}

/* The app of the build whose number was given. */
static int build_load(struct command_ctx *c, const char *number, struct err *err)
{
    struct build b;
    char *end;

    errno = 0;
    c->build_id = strtoll(number, &end, 10);
    if (errno != 0 || *end != '\0' || c->build_id <= 0)
        return err_set(err, ERR_USAGE, "a build is named by its number, not by \"%s\"; for example: %s 57",
                       word_shown(number).s, c->command->name);
    if (builds_get(c->store, c->build_id, &b, err) != 0)
        return err->code == ERR_NOT_FOUND ? build_not_found(c->build_id, err) : -1;
    if (c->app.name != NULL) { /* an app was named, too */
        int rc = b.app_id == c->app.id ? 0 : build_not_found(c->build_id, err);

        build_release(&b);
        return rc;
    }
    if (apps_get_id(c->store, b.app_id, &c->app, err) != 0) {
        build_release(&b);
        return -1;
    }
    build_release(&b);
    if (role_check(c, err) != 0)
        return err->code == ERR_NOT_FOUND ? build_not_found(c->build_id, err) : -1;
    return 0;
}

static bool is_number(const char *s)
{
    return *s >= '0' && *s <= '9';
}

/* Resolves the app or the build from -a and the first words; *ret_used: words that are used up. */
static int target_load(struct command_ctx *c, const struct vec *words, int *ret_used, struct err *err)
{
    const char *app = command_option(c, "--app");
    size_t used = 0;

    if (app == NULL && used < words->n && !((c->command->flags & CMD_BUILD) != 0 && is_number(words->v[used])))
        app = words->v[used++];
    if (app != NULL && app_load(c, app, err) != 0)
        return -1;
    if ((c->command->flags & CMD_BUILD) != 0 && used < words->n && build_load(c, words->v[used++], err) != 0)
        return -1;
    *ret_used = (int) used;
    return 0;
}

/* The first example of its help, without the indentation; "" where there is none. At most size - 1 bytes. */
static void example_get(const struct command *cmd, char *ret, size_t size)
{
    const char *p = strncmp(cmd->help, EXAMPLE_INDENT, strlen(EXAMPLE_INDENT)) == 0 ? cmd->help
                                                                                    : strstr(cmd->help, "\n" EXAMPLE_INDENT);
    size_t n;

    ret[0] = '\0';
    if (p == NULL)
        return;
    p += strspn(p, "\n ");
    n = strcspn(p, "\n");
    if (n < size) {
        memcpy(ret, p, n);
        ret[n] = '\0';
    }
}

/* Every sentence about wrong usage ends in an example; that of the command, where it has none of its own. */
static void example_add(const struct command *cmd, struct err *err)
{
    char example[EXAMPLE_MAX];
    struct err plain = *err;

    example_get(cmd, example, sizeof(example));
    if (example[0] != '\0' && strstr(plain.msg, "example") == NULL)
        (void) err_set(err, plain.code, "%s; for example: %s", plain.msg, example);
}

/* Which option it is about, where the sentence only has its value: of checks that words and options share. */
static void option_add(const struct vec *options, struct err *err)
{
    for (size_t i = 0; err->msg[0] != '-' && i + 1 < options->n; i += 2) {
        cleanup_free char *value = xasprintf("\"%s\"", word_shown(options->v[i + 1]).s);

        if (options->v[i + 1][0] != '\0' && strstr(err->msg, value) != NULL && strstr(err->msg, options->v[i]) == NULL) {
            (void) err_wrap(err, "%s", options->v[i]);
            return;
        }
    }
}

static int usage_error(const struct command *cmd, const char *what, struct err *err)
{
    return err_set(err, ERR_USAGE, "%s; usage: %s%s%s", what, cmd->name, cmd->args[0] != '\0' ? " " : "", cmd->args);
}

static int surplus_error(const struct command *cmd, const char *word, struct err *err)
{
    char what[128];

    (void) snprintf(what, sizeof(what), "too many words were given, the first of them is \"%s\"", word_shown(word).s);
    return usage_error(cmd, what, err);
}

/* Are the words that remain as many as the usage line says? */
static int words_check(const struct command_ctx *c, char *const *words, int n, struct err *err)
{
    const struct command *cmd = c->command;
    bool takes_app = (cmd->flags & (CMD_APP | CMD_BUILD)) != 0;
    char name[64], what[128];
    int needs, allows;

    if (takes_app && c->app.name == NULL && (cmd->flags & CMD_ADMIN) == 0)
        return usage_error(cmd, (cmd->flags & CMD_BUILD) != 0 ? "a build's number or an app is missing"
                                                              : "the app is missing", err);
    args_count(cmd->args, takes_app, &needs, &allows);
    if (n < needs) {
        args_word_name(cmd->args, n + takes_app, name, sizeof(name));
        (void) snprintf(what, sizeof(what), "%s is missing", name);
        return usage_error(cmd, what, err);
    }
    if (allows >= 0 && n > allows)
        return surplus_error(cmd, words[allows], err);
    if (args_missing_option(cmd->args, &c->options, name, sizeof(name))) {
        (void) snprintf(what, sizeof(what), "%s is missing", name);
        return usage_error(cmd, what, err);
    }
    return 0;
}

/* A deploy key does what it was made for; help, version and whoami tell nothing of any app. */
static int verbs_check(const struct command_ctx *c, struct err *err)
{
    if (c->verbs == NULL || command_verb_in(c->verbs, c->command->name)
        || command_verb_in("help version whoami", c->command->name))
        return 0;
    return err_set(err, ERR_DENIED, "this deploy key may not use %s; it may: %s", c->command->name, c->verbs);
}

static int admin_check(const struct command_ctx *c, struct err *err)
{
    const struct command *cmd = c->command;

    if ((cmd->flags & CMD_ADMIN) == 0 || c->user.admin || c->app.name != NULL)
        return 0;
    if ((cmd->flags & CMD_APP) != 0)
        return err_set(err, ERR_DENIED, "without an app only admins of this server may use %s", cmd->name);
    return err_set(err, ERR_DENIED, "only admins of this server may use %s", cmd->name);
}

int command_again(struct command_ctx *c, struct err *err)
{
    struct user now;

    if ((c->key != NULL && keys_still(c->store, c->key, err) != 0) || users_get_id(c->store, c->user.id, &now, err) != 0)
        return -1;
    c->user.admin = c->user.admin && now.admin;
    c->user.may_create = c->user.may_create && now.may_create;
    user_release(&now);
    if (c->app.name != NULL)
        return role_ask(c, err);
    return admin_check(c, err);
}

int command_read_all(struct command_ctx *c, struct buf *b, struct err *err)
{
    return io_read_all(c->io, b, err) == 0 ? command_again(c, err) : -1;
}

/* Shows the help of one command; `help` itself is a command like others. */
static int help_show(struct command_ctx *c, const struct command *cmd, struct err *err)
{
    char *const argv[] = { (char *) cmd->name, NULL };

    return command_find("help")->run(c, argv, 1, err);
}

static int command_do(struct command_ctx *c, const struct args *a, struct err *err)
{
    int used = 0;

    c->json = command_option(c, "--json") != NULL;
    if (command_option(c, "--help") != NULL)
        return help_show(c, c->command, err);
    if (verbs_check(c, err) != 0)
        return -1;
    if ((c->command->flags & (CMD_APP | CMD_BUILD)) != 0 && target_load(c, &a->words, &used, err) != 0)
        return -1;
    if (admin_check(c, err) != 0 || words_check(c, vec_argv(&a->words) + used, (int) a->words.n - used, err) != 0)
        return -1;
    if (c->app.name != NULL)
        log_set(LOG_APP, c->app.name);
    return c->command->run(c, vec_argv(&a->words) + used, (int) a->words.n - used, err);
}

/* The app's name for the audit row, also of an app that was not found; only a well-formed one. */
static const char *audit_app(const struct command_ctx *c, const struct args *a)
{
    const char *typed = command_option(c, "--app");

    if (c->app.name != NULL)
        return c->app.name;
    if (typed == NULL && (c->command->flags & CMD_APP) != 0 && a->words.n > 0)
        typed = a->words.v[0];
    return typed != NULL && app_name_check(typed, NULL) == 0 ? typed : "";
}

static void audit_write(struct command_ctx *c, const struct args *a, int result)
{
    struct audit_row row = {
        .user = c->user.name, .fingerprint = c->fingerprint, .address = c->address,
        .app_id = c->app.id, .app = (char *) audit_app(c, a), .verb = (char *) c->command->name, .detail = (char *) buf_str(&c->detail),
        .result = result,
    };
    struct err err = ERR_INIT;

    if (audit_add(c->store, &row, &err) != 0)
        log_error("the audit row of %s by %s was not written: %s", row.verb, row.user, err.msg);
}

static int run_parsed(struct command_ctx *c, const struct args *a, struct err *err)
{
    int code;

    c->exit_code = 0;
    code = command_do(c, a, err) == 0 ? c->exit_code : -1;
    if (code < 0)
        code = err->code != ERR_NONE ? (int) err->code : ERR_FAILED;
    store_rollback(c->store); /* a command that failed half-way left its transaction open */
    if ((c->command->flags & CMD_AUDIT) != 0)
        audit_write(c, a, code);
    return code;
}

/* The command that was typed, and what stands behind it, sorted. Dokku's client names the app in front of every
 * command; those that take none do without. */
static int typed_parse(struct command_ctx *c, char *const *argv, int argc, struct args *ret, struct err *err)
{
    cleanup_vec struct vec words = VEC_INIT;
    struct err why = ERR_INIT;
    struct args_front front;
    bool takes_app;
    const char *typed;

    if (args_front(argv, argc, &front, err) != 0)
        return -1;
    typed = front.n < argc ? argv[front.n++] : "help";
    if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0)
        typed = "help";
    else if (strcmp(typed, "--version") == 0)
        typed = "version";
    c->command = command_find(typed);
    if (c->command == NULL
        || ((c->command->flags & CMD_LOCAL) != 0 && strcmp(c->fingerprint, "local") != 0)) {
        c->command = NULL;
        return command_unknown(typed, err);
    }
    if (front.force)
        vec_add(&words, "--force");
    for (int i = front.n; i < argc; i++)
        vec_add(&words, argv[i]);
    takes_app = (c->command->flags & (CMD_APP | CMD_BUILD)) != 0;
    if (args_parse(c->command->args, takes_app ? common_app : common, takes_app ? front.app : NULL, vec_argv(&words),
                   (int) words.n, ret, &why) == 0)
        return 0;
    why.msg[120] = '\0';
    return usage_error(c->command, why.msg, err);
}

int command_run(struct command_ctx *c, char *const *argv, int argc)
{
    struct args a = ARGS_INIT;
    struct err err = ERR_INIT;
    int code = ERR_USAGE;

    buf_init(&c->detail, DETAIL_MAX);
    if (typed_parse(c, argv, argc, &a, &err) == 0) {
        c->options = a.options;
        code = run_parsed(c, &a, &err);
        c->options = (struct vec) VEC_INIT;
    }
    if (err.code == ERR_USAGE && c->command != NULL)
        option_add(&a.options, &err);
    if (err.code == ERR_USAGE && c->command != NULL)
        example_add(c->command, &err);
    if (err.code != ERR_NONE)
        (void) io_errf(c->io, " !     %s\n", err.msg);
    args_release(&a);
    app_release(&c->app);
    c->build_id = 0;
    c->role = ROLE_NONE;
    c->json = false;
    buf_release(&c->detail);
    return code;
}
