/* The command line of slipway(1). */
#include "config.h"

#include "base/conf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/path.h"
#include "daemon/admin.h"
#include "daemon/check.h"
#include "daemon/init.h"
#include "daemon/roles.h"
#include "daemon/supervisor.h"
#include "daemon/unseal.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_CONFIG = 'c', OPT_STATE = 0x100, OPT_ADMIN_KEY, OPT_ADMIN_NAME, OPT_MAN, OPT_NEW_KEY };

/* What all subcommands share. */
struct options {
    const char *config;
    struct init_options init;
    bool man, new_key;
    char **words;       /* of admin and role: what follows the options */
    int n_words;
};

struct subcommand {
    const char *name;
    const char *args;   /* for --help */
    const char *doc;    /* NULL: hidden */
    const struct argp_option *options;
    bool words;         /* takes words behind the options */
    int (*run)(const struct options *o);
};

#define CONFIG_OPTION { "config", OPT_CONFIG, "FILE", 0, "Configuration file (default: " CONFIG_DEFAULT ")", 0 }

static const struct argp_option config_only[] = { CONFIG_OPTION, { 0 } };
static const struct argp_option none[] = { { 0 } };
static const struct argp_option config_options[] = {
    CONFIG_OPTION,
    { "man", OPT_MAN, NULL, 0, "Print the settings as the body of slipway.conf(5)", 0 },
    { 0 },
};
static const struct argp_option init_options[] = {
    CONFIG_OPTION,
    { "state", OPT_STATE, "DIR", 0, "State folder (default: what the configuration says)", 0 },
    { "admin-key", OPT_ADMIN_KEY, "FILE", 0, "Public key of the first admin; - is standard input", 0 },
    { "admin-name", OPT_ADMIN_NAME, "NAME", 0, "Name of the first admin (default: admin)", 0 },
    { 0 },
};

static const struct argp_option unseal_options[] = {
    { "new-key", OPT_NEW_KEY, NULL, 0, "Make a key in a new file, and print what values are sealed to", 0 },
    { 0 },
};

static int run_init(const struct options *o)
{
    return init_run(&o->init);
}

static int run_serve(const struct options *o)
{
    struct err err = ERR_INIT;
    struct conf c;
    int code;

    if (conf_load(&c, o->config, &err) < 0) {
        (void) fprintf(stderr, "slipway serve: %s\n", err.msg);
        return (int) err.code;
    }
    code = supervisor_run(&c);
    conf_release(&c);
    return code;
}

static int run_check(const struct options *o)
{
    return check_run(o->config);
}

static int run_config(const struct options *o)
{
    struct err err = ERR_INIT;
    struct conf c;

    if (o->man) {
        conf_print_man(stdout);
        return 0;
    }
    /* Without a file the defaults are printed, which is how a person begins one. */
    if (conf_load(&c, strcmp(o->config, CONFIG_DEFAULT) == 0 && !path_exists(o->config) ? NULL : o->config, &err) < 0) {
        (void) fprintf(stderr, "slipway config: %s\n", err.msg);
        return (int) err.code;
    }
    conf_print(&c, stdout);
    conf_release(&c);
    return 0;
}

static int run_admin(const struct options *o)
{
    return admin_run(o->config, o->words, o->n_words);
}

static int run_unseal(const struct options *o)
{
    if (o->n_words == 1)
        return o->new_key ? unseal_new_key(o->words[0]) : unseal_run(o->words[0]);
    (void) fprintf(stderr, "slipway unseal: one key file is needed; usage: slipway unseal [--new-key] KEYFILE\n");
    return ERR_USAGE;
}

static int run_version(const struct options *o)
{
    (void) o;
    (void) puts("slipway " PACKAGE_VERSION);
    return 0;
}

static const struct subcommand subcommands[] = {
    { "init", "[SECTION.NAME=VALUE...]", "Make state folder, keys, database, first admin and configuration",
      init_options, true, run_init },
    { "serve", "", "Run the server", config_only, false, run_serve },
    { "check", "", "Say of each part that the server needs: ok, or what to do", config_only, false, run_check },
    { "config", "", "Print all settings with value, default and meaning", config_options, false, run_config },
    { "admin", "COMMAND [ARGUMENT...]", "Run a command of `ssh git@host` on this machine", config_only, true,
      run_admin },
    { "unseal", "KEYFILE", "Open the sealed values of apps:export, from standard input to standard output", unseal_options, true,
      run_unseal },
    { "version", "", "Print the version", none, false, run_version },
    { NULL, NULL, NULL, NULL, false, NULL },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case OPT_CONFIG:
        o->config = arg;
        return 0;
    case OPT_STATE:
        o->init.state = arg;
        return 0;
    case OPT_ADMIN_KEY:
        o->init.admin_key = arg;
        return 0;
    case OPT_ADMIN_NAME:
        o->init.admin_name = arg;
        return 0;
    case OPT_NEW_KEY:
        o->new_key = true;
        return 0;
    case OPT_MAN:
        o->man = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* init's settings may stand between its options; an admin command's words begin with the first. */
static error_t parse_init(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    if (key != ARGP_KEY_ARG)
        return parse_option(key, arg, state);
    vec_add(&o->init.settings, arg);
    return 0;
}

static error_t parse_admin(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    if (key != ARGP_KEY_ARG)
        return parse_option(key, arg, state);
    o->words = state->argv + state->next - 1;
    o->n_words = state->argc - state->next + 1;
    state->next = state->argc;
    return 0;
}

static int subcommand_run(const struct subcommand *s, int argc, char **argv)
{
    cleanup_free char *name = xasprintf("slipway %s", s->name);
    struct argp argp = { s->options, parse_option, s->args, s->doc, NULL, NULL, NULL };
    struct options o = { .config = CONFIG_DEFAULT, .init = { .admin_name = "admin" } };
    int code;

    if (s->run == run_init)
        argp.parser = parse_init;
    else if (s->words)
        argp.parser = parse_admin;
    argv[0] = name; /* stands in front of argp's messages */
    argp_err_exit_status = ERR_USAGE;
    if (argp_parse(&argp, argc, argv, s->run == run_admin ? ARGP_IN_ORDER : 0, NULL, &o) != 0)
        return ERR_USAGE;
    o.init.config = o.config;
    code = s->run(&o);
    vec_release(&o.init.settings);
    if (fflush(stdout) != 0)
        return code != 0 ? code : ERR_FAILED;
    return code;
}

static void help(FILE *out)
{
    (void) fputs("Usage: slipway COMMAND [OPTION...]\n\n", out);
    for (const struct subcommand *s = subcommands; s->name != NULL; s++)
        (void) fprintf(out, "  %-8s  %s\n", s->name, s->doc);
    (void) fputs("\n`slipway COMMAND --help` explains one. See also slipway(1) and slipway.conf(5).\n", out);
}

static const struct subcommand *subcommand_find(const char *name)
{
    const struct subcommand *nearest = NULL;
    int least = NEAR_MAX + 1;

    for (const struct subcommand *s = subcommands; s->name != NULL; s++) {
        int d = near_distance(name, s->name);

        if (d == 0)
            return s;
        if (d < least) {
            least = d;
            nearest = s;
        }
    }
    (void) fprintf(stderr, "slipway: there is no command %s; ", name);
    if (nearest != NULL)
        (void) fprintf(stderr, "the nearest is: slipway %s\n", nearest->name);
    else
        (void) fprintf(stderr, "see: slipway --help\n");
    return NULL;
}

/* slipway role NAME [--config FILE]: how the roles start one another (base/role.h); not for people. */
static int role_start(int argc, char **argv)
{
    if (argc == 3)
        return role_main(argv[2], NULL);
    if (argc == 5 && strcmp(argv[3], "--config") == 0)
        return role_main(argv[2], argv[4]);
    log_error("a role is started by the server; see: slipway serve --help");
    return ERR_USAGE;
}

int main(int argc, char **argv)
{
    const struct subcommand *s;

    if (argc >= 2 && strcmp(argv[1], "role") == 0)
        return role_start(argc, argv);
    json_init();
    if (argc < 2) {
        help(stderr);
        return ERR_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return 0;
    }
    s = subcommand_find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    if (s == NULL)
        return ERR_USAGE;
    return subcommand_run(s, argc - 1, argv + 1);
}
