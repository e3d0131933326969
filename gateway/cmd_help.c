#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

/* The exit codes, for the document. */
static const char exit_codes[] =
    "| code | meaning |\n|---|---|\n"
    "| 0 | done |\n"
    "| 1 | refused, or tried and failed |\n"
    "| 2 | wrong usage |\n"
    "| 3 | not allowed |\n"
    "| 4 | not found (also: not yours) |\n"
    "| 5 | busy: locked, or occupied; try again |\n"
    "| 6 | a part (database, Docker, registry, cluster) is down; the command can be repeated |\n";

static void help_line(struct table *t, const struct command *cmd)
{
    table_addf(t, "  %s %s", cmd->name, cmd->args);
    table_add(t, cmd->summary);
}

/* Those whose family ("config") it is, or all. */
static int help_list(struct command_ctx *c, const char *family)
{
    struct table t = TABLE_INIT(2);
    size_t n = family != NULL ? strlen(family) : 0;

    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        if (family == NULL || (strncmp(cmd->name, family, n) == 0 && (cmd->name[n] == ':' || cmd->name[n] == '\0')))
            help_line(&t, cmd);
    }
    if (t.cells.n == 0)
        return 0;
    (void) io_outf(c->io, "Usage: ssh git@%s COMMAND ...\n\n", c->conf->host);
    table_print(&t, c);
    (void) io_outf(c->io, "\nhelp COMMAND says more. An app is the first word, or -a APP. --json: for programs.\n");
    table_release(&t);
    return 1;
}

/* What its first word names, or -a. */
static const char *takes(const struct command *cmd)
{
    return (cmd->flags & CMD_BUILD) != 0 ? "build" : (cmd->flags & CMD_APP) != 0 ? "app" : NULL;
}

static json_t *help_json(const struct command *cmd)
{
    json_t *aliases = json_array();

    for (const char *p = cmd->alias; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, " ");

        (void) json_array_append_new(aliases, json_stringn(p, n));
        p += n + strspn(p + n, " ");
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:b, s:b, s:b}", "name", cmd->name, "aliases", aliases, "usage",
                     cmd->args, "summary", cmd->summary, "role",
                     (cmd->flags & CMD_ADMIN) != 0 && (cmd->flags & CMD_APP) == 0 ? "admin" : role_name(cmd->role),
                     "takes", show_json_text(takes(cmd)), "admin", (cmd->flags & CMD_ADMIN) != 0, "local",
                     (cmd->flags & CMD_LOCAL) != 0, "changes", (cmd->flags & CMD_AUDIT) != 0);
}

static int help_json_all(struct command_ctx *c)
{
    json_t *all = json_array();

    for (const struct command *cmd = commands; cmd->name != NULL; cmd++)
        (void) json_array_append_new(all, help_json(cmd));
    return show_json(c, all);
}

/* Who may use it, as a sentence. */
static const char *help_who(const struct command *cmd, char *out, size_t size)
{
    if ((cmd->flags & CMD_LOCAL) != 0)
        return "Only on the server: slipway admin.";
    if ((cmd->flags & CMD_ADMIN) != 0 && (cmd->flags & CMD_APP) == 0)
        return "For admins of the server.";
    if ((cmd->flags & (CMD_APP | CMD_BUILD)) == 0)
        return "For everybody.";
    (void) snprintf(out, size, "Needs the role %s in the app%s.", role_name(cmd->role),
                    (cmd->flags & CMD_ADMIN) != 0 ? "; without an app, for admins of the server" : "");
    return out;
}

int cmd_help(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const struct command *cmd;
    char who[128];

    if (argc == 0 && c->json)
        return help_json_all(c);
    if (argc == 0)
        return help_list(c, NULL) >= 0 ? 0 : -1;
    cmd = command_find(argv[0]);
    if (cmd == NULL || (strchr(cmd->name, ':') != NULL && strchr(argv[0], ':') == NULL)) {
        if (help_list(c, argv[0]) == 1)
            return 0;
    }
    if (cmd == NULL)
        return command_unknown(argv[0], err);
    if (c->json)
        return show_json(c, help_json(cmd));
    (void) io_outf(c->io, "Usage: %s %s\n\n%s.\n\n%s\n\n%s\n", cmd->name, cmd->args, cmd->summary, cmd->help,
                   help_who(cmd, who, sizeof(who)));
    if (cmd->alias != NULL)
        (void) io_outf(c->io, "Also: %s\n", cmd->alias);
    return 0;
}

void command_print_markdown(struct buf *out)
{
    char who[128];

    (void) buf_addstr(out, "# Commands\n\n"
        "`ssh git@HOST COMMAND …`, and on the server `slipway admin COMMAND …`. This page is made from the table in\n"
        "`gateway/commands.c`; `help` says the same on a server.\n\n"
        "- An app is the first word (`config:set shop A=1`) or an option (`config:set -a shop A=1`).\n"
        "- `--json` prints one JSON document with stable names instead of text. Times are UTC.\n"
        "- ssh gives the server one line: your shell takes one layer of quotes away, and the server reads the rest as\n"
        "  a shell would. A value with spaces is quoted twice, `ssh git@HOST config:set shop 'A=\"b c\"'`, or comes\n"
        "  from standard input: `printf %s \"$A\" | ssh git@HOST config:set shop A=@-`.\n"
        "- Words behind `--` are never options.\n"
        "- Another user's app is \"not found\".\n\n"
        "Exit codes:\n\n");
    (void) buf_addstr(out, exit_codes);
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        (void) buf_addf(out, "\n## %s\n\n    %s%s%s\n\n%s. %s", cmd->name, cmd->name, cmd->args[0] != '\0' ? " " : "",
                        cmd->args, cmd->summary, help_who(cmd, who, sizeof(who)));
        if (cmd->alias != NULL)
            (void) buf_addf(out, " Also: `%s`.", cmd->alias);
        (void) buf_addf(out, "\n\n%s\n", cmd->help);
    }
}

int cmd_version(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv;
    (void) argc;
    (void) err;
    if (c->json)
        return show_json(c, json_pack("{s:s}", "version", PACKAGE_VERSION));
    (void) io_outf(c->io, "slipway %s\n", PACKAGE_VERSION);
    return 0;
}

int cmd_whoami(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_vec struct vec teams = VEC_INIT;
    struct team *v = NULL;
    size_t n = 0;

    (void) argv;
    (void) argc;
    /* A deploy key is for one app and tells nothing else; slipway admin is nobody. */
    if (c->user.bound_app == 0 && strcmp(c->fingerprint, "local") != 0 && teams_list(c->store, c->user.id, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        vec_add(&teams, v[i].name);
        team_release(&v[i]);
    }
    free(v);
    if (c->json)
        return show_json(c, json_pack("{s:s, s:b, s:b, s:o, s:s, s:s}", "name", c->user.name, "admin", (int) c->user.admin,
                                      "may_create", (int) (c->user.may_create || c->user.admin), "teams",
                                      json_list(&teams), "fingerprint", c->fingerprint, "address", c->address));
    (void) io_outf(c->io, "%s%s\n", c->user.name, c->user.admin ? " (admin)" : "");
    for (size_t i = 0; i < teams.n; i++)
        (void) io_outf(c->io, "%s%s%s", i == 0 ? "teams " : ", ", teams.v[i], i + 1 == teams.n ? "\n" : "");
    (void) io_outf(c->io, "key %s, from %s\n", c->fingerprint, c->address);
    return 0;
}
