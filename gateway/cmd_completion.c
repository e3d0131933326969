/* Completion for contrib/slipway: a script for a shell, made from the table of commands. */
#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "gateway/args.h"
#include "gateway/cmd.h"

#include <string.h>

#define SCRIPT_MAX (256 * 1024) /* a hundred commands with their options are 40 KiB */

/* Words that a command takes from a short list, and teams: NULL, or what stands before their names. */
struct choice { const char *command, *words, *teams; };
static const struct choice choices[] = {
    { "access:grant", "view deploy operate own", "@" },
    { "access:revoke", "", "@" },
    { "completion", "bash zsh fish", NULL },
    { "teams:add", "", "" },
    { "teams:destroy", "", "" },
    { "teams:info", "", "" },
    { "teams:remove", "", "" },
    { "users:set", "user create admin", NULL },
};

static const struct choice *choice_of(const struct command *cmd)
{
    for (size_t i = 0; i < countof(choices); i++) {
        if (strcmp(choices[i].command, cmd->name) == 0)
            return &choices[i];
    }
    return NULL;
}

/* bash's and zsh's; fish has one of its own. */
static const char teams_function[] =
    "_slipway_teams()\n{\n"
    "    slipway teams:list 2>/dev/null | sed -n \"s/^\\([a-z][a-z0-9._-]*\\) .*/$1\\1/p\"\n"
    "}\n";

static bool takes_app(const struct command *cmd)
{
    return (cmd->flags & (CMD_APP | CMD_BUILD)) != 0;
}

static bool shown(const struct command *cmd)
{
    return (cmd->flags & CMD_LOCAL) == 0;
}

/* "--no-restart --app --json --help" */
static void options_add(struct buf *b, const struct command *cmd)
{
    char name[64];
    bool value;

    for (int i = 0; args_option_at(cmd->args, i, name, sizeof(name), &value); i++)
        (void) buf_addf(b, "%s ", name);
    (void) buf_addf(b, "%s--json --help", takes_app(cmd) ? "--app " : "");
}

/* All names, separated by spaces. */
static void names_add(struct buf *b)
{
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        if (shown(cmd))
            (void) buf_addf(b, "%s%s", cmd == commands ? "" : " ", cmd->name);
    }
}

/* "config:list|config|config:show": a pattern of case, and with spaces fish's list. */
static void pattern_add(struct buf *b, const struct command *cmd, char between)
{
    (void) buf_addstr(b, cmd->name);
    for (const char *p = cmd->alias; p != NULL && *p != '\0'; p++) {
        if (p == cmd->alias)
            (void) buf_addch(b, between);
        (void) buf_addch(b, *p == ' ' ? between : *p);
    }
}

/* The branches of a case that says which words a command takes. */
static void branches_add(struct buf *b, const char *indent, const char *open, const char *close)
{
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        const struct choice *choice = choice_of(cmd);

        if (!shown(cmd))
            continue;
        (void) buf_addf(b, "%s(", indent);
        pattern_add(b, cmd, '|');
        (void) buf_addf(b, ") options%s", open);
        options_add(b, cmd);
        (void) buf_addf(b, "%s", close);
        if (choice != NULL && choice->teams != NULL)
            (void) buf_addf(b, " choices%s%s $(_slipway_teams '%s')%s", open, choice->words, choice->teams, close);
        else if (choice != NULL)
            (void) buf_addf(b, " choices%s%s%s", open, choice->words, close);
        else if (strcmp(cmd->name, "help") == 0)
            (void) buf_addf(b, " choices%s", strcmp(open, "=(") == 0 ? "=($names)" : "=$names");
        (void) buf_addstr(b, " ;;\n");
    }
}

static void bash_add(struct buf *b)
{
    (void) buf_addstr(b,
        "# bash completion for slipway, made from the server's commands. To use it:\n"
        "#     slipway completion bash > ~/.local/share/bash-completion/completions/slipway\n");
    (void) buf_addstr(b, teams_function);
    (void) buf_addstr(b,
        "_slipway()\n{\n"
        "    local line=${COMP_LINE:0:COMP_POINT} cur= prev= verb= skip= options= choices= w i n words names=\"");
    names_add(b);
    (void) buf_addstr(b, "\"\n"
        "    # Words as blanks part them: bash itself also cuts at colons.\n"
        "    read -ra words <<< \"$line\"\n"
        "    n=${#words[@]}\n"
        "    if [[ $line != *[[:blank:]] ]]; then n=$((n - 1)) cur=${words[n]}; fi\n"
        "    prev=${words[n - 1]}\n"
        "    for ((i = 1; i < n; i++)); do\n"
        "        w=${words[i]}\n"
        "        if [[ $skip ]]; then skip=; continue; fi\n"
        "        case $w in\n"
        "        (-a|--app|-r|--remote) skip=1 ;;\n"
        "        (-*) ;;\n"
        "        (*) verb=$w; break ;;\n"
        "        esac\n"
        "    done\n"
        "    case $prev in\n"
        "    (-a|--app) choices=$(slipway apps:list 2>/dev/null | sed -n 's/^\\([a-z][a-z0-9-]*\\) .*/\\1/p') ;;\n"
        "    (-r|--remote) choices=$(git remote 2>/dev/null) ;;\n"
        "    (*)\n"
        "        case $verb in\n"
        "        ('') options='--app --remote --no-tty --help' choices=$names ;;\n");
    branches_add(b, "        ", "=\"", "\"");
    (void) buf_addstr(b,
        "        esac ;;\n"
        "    esac\n"
        "    if [[ $cur == -* ]]; then choices=$options; fi\n"
        "    COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
        "    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
        "        COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*:}\"}\"}\")\n"
        "    fi\n"
        "    if [[ $cur == @* && $COMP_WORDBREAKS == *@* ]]; then COMPREPLY=(\"${COMPREPLY[@]#@}\"); fi\n"
        "}\n"
        "complete -o default -F _slipway slipway\n");
}

static void zsh_add(struct buf *b)
{
    (void) buf_addstr(b,
        "#compdef slipway\n"
        "# zsh completion for slipway, made from the server's commands. To use it:\n"
        "#     slipway completion zsh > DIRECTORY-OF-FPATH/_slipway\n");
    (void) buf_addstr(b, teams_function);
    (void) buf_addstr(b,
        "_slipway()\n{\n"
        "    local verb='' i=2\n"
        "    local -a options choices names described\n"
        "    names=(");
    names_add(b);
    (void) buf_addstr(b, ")\n"
        "    while (( i < CURRENT )); do\n"
        "        case $words[i] in\n"
        "        (-a|--app|-r|--remote) (( i++ )) ;;\n"
        "        (-*) ;;\n"
        "        (*) verb=$words[i]; break ;;\n"
        "        esac\n"
        "        (( i++ ))\n"
        "    done\n"
        "    case $words[CURRENT-1] in\n"
        "    (-a|--app)\n"
        "        choices=(${(f)\"$(slipway apps:list 2>/dev/null | sed -n 's/^\\([a-z][a-z0-9-]*\\) .*/\\1/p')\"})\n"
        "        compadd -- $choices; return ;;\n"
        "    (-r|--remote) choices=(${(f)\"$(git remote 2>/dev/null)\"}); compadd -- $choices; return ;;\n"
        "    esac\n"
        "    if [[ -z $verb ]]; then\n"
        "        described=(\n");
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        if (!shown(cmd))
            continue;
        (void) buf_addstr(b, "            \"");
        for (const char *p = cmd->name; *p != '\0'; p++)
            (void) buf_addf(b, "%s%c", *p == ':' ? "\\\\" : "", *p);
        (void) buf_addf(b, ":%s\"\n", cmd->summary);
    }
    (void) buf_addstr(b, "        )\n"
        "        _describe command described\n"
        "        return\n"
        "    fi\n"
        "    case $verb in\n");
    branches_add(b, "    ", "=(", ")");
    (void) buf_addstr(b,
        "    esac\n"
        "    compadd -- $options $choices\n"
        "}\n"
        "if [[ $funcstack[1] == _slipway ]]; then _slipway \"$@\"; else compdef _slipway slipway; fi\n");
}

static void fish_options_add(struct buf *b, const struct command *cmd)
{
    char name[64];
    bool value;

    for (int i = 0; args_option_at(cmd->args, i, name, sizeof(name), &value); i++) {
        if (strncmp(name, "--", 2) != 0)
            continue;
        (void) buf_addstr(b, "complete -c slipway -n '__slipway_verb_is ");
        pattern_add(b, cmd, ' ');
        (void) buf_addf(b, "' -l %s%s\n", name + 2, value ? " -r" : "");
    }
}

static void fish_add(struct buf *b)
{
    (void) buf_addstr(b,
        "# fish completion for slipway, made from the server's commands. To use it:\n"
        "#     slipway completion fish > ~/.config/fish/completions/slipway.fish\n"
        "function __slipway_verb\n"
        "    set -l skip 0\n"
        "    set -l typed (commandline -opc)\n"
        "    for w in $typed[2..-1]\n"
        "        if test $skip = 1\n"
        "            set skip 0\n"
        "            continue\n"
        "        end\n"
        "        switch $w\n"
        "            case -a --app -r --remote\n"
        "                set skip 1\n"
        "            case '-*'\n"
        "            case '*'\n"
        "                echo $w\n"
        "                return 0\n"
        "        end\n"
        "    end\n"
        "    return 1\n"
        "end\n"
        "function __slipway_verb_is\n"
        "    set -l verb (__slipway_verb)\n"
        "    and contains -- $verb $argv\n"
        "end\n"
        "function __slipway_apps\n"
        "    slipway apps:list 2>/dev/null | string match -r '^[a-z][a-z0-9-]*(?= )'\n"
        "end\n"
        "function __slipway_teams\n"
        "    slipway teams:list 2>/dev/null | string match -r '^[a-z][a-z0-9._-]*(?= )' | string replace -r '^' \"$argv[1]\"\n"
        "end\n"
        "complete -c slipway -f\n"
        "complete -c slipway -s a -l app -x -a '(__slipway_apps)'\n"
        "complete -c slipway -n 'not __slipway_verb >/dev/null' -s r -l remote -x -a '(git remote 2>/dev/null)'\n"
        "complete -c slipway -n 'not __slipway_verb >/dev/null' -l no-tty\n"
        "complete -c slipway -l help\n"
        "complete -c slipway -n '__slipway_verb >/dev/null' -l json\n");
    for (const struct command *cmd = commands; cmd->name != NULL; cmd++) {
        const struct choice *choice = choice_of(cmd);

        if (!shown(cmd))
            continue;
        (void) buf_addf(b, "complete -c slipway -n 'not __slipway_verb >/dev/null' -a %s -d \"%s\"\n", cmd->name,
                        cmd->summary);
        fish_options_add(b, cmd);
        if (choice != NULL)
            (void) buf_addf(b, "complete -c slipway -n '__slipway_verb_is %s' -a '%s%s%s%s'\n", cmd->name, choice->words,
                            choice->teams != NULL ? " (__slipway_teams \"" : "", choice->teams != NULL ? choice->teams : "",
                            choice->teams != NULL ? "\")" : "");
    }
    (void) buf_addstr(b, "complete -c slipway -n '__slipway_verb_is help' -a '");
    names_add(b);
    (void) buf_addstr(b, "'\n");
}

static const struct { const char *name; void (*add)(struct buf *b); } shells[] = {
    { "bash", bash_add }, { "zsh", zsh_add }, { "fish", fish_add },
};

int cmd_completion(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_buf struct buf b = { 0 };
    size_t i = 0;

    (void) argc;
    while (i < countof(shells) && strcmp(shells[i].name, argv[0]) != 0)
        i++;
    if (i == countof(shells))
        return err_set(err, ERR_USAGE, "SHELL is bash, zsh or fish, not \"%s\"; for example: completion bash",
                       word_shown(argv[0]).s);
    buf_init(&b, SCRIPT_MAX);
    shells[i].add(&b);
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s}", "shell", shells[i].name, "script", buf_str(&b)));
    (void) c->io->out(c->io, buf_str(&b), buf_len(&b));
    return 0;
}
