/* Commands: what `ssh git@host WORD …` and `slipway admin WORD …` do. A table says for each its
 * name, arguments, who may use it and what it is for; help, the man page, completion and the
 * permission test are made from it. Commands run one after the other in a process of their own,
 * so they are plain blocking code. */
#ifndef SLIPWAY_GATEWAY_COMMAND_H
#define SLIPWAY_GATEWAY_COMMAND_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"
#include "sql/model.h"
#include "sql/store.h"

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_ARGS_MAX 256          /* words of one command line */
#define COMMAND_STDIN_MAX (1024 * 1024) /* config values and keys; archives are read in pieces */

/* The person's end of a command: an SSH channel, the sideband of a push, or a terminal. */
struct command_io {
    /* Standard output and standard error. Waits while the peer's window is full. -1: the peer is gone. */
    int (*out)(struct command_io *io, const void *data, size_t n);
    int (*err)(struct command_io *io, const void *data, size_t n);
    /* Next piece of standard input: its length, 0 at the end, -1 when the peer is gone. */
    long (*read)(struct command_io *io, void *data, size_t max);
    /* Keeps the connection alive until fd (-1: none) is readable, input is there (only if want_input),
     * or timeout_ms (-1: none) passed. IO_* bits; 0: time; IO_GONE: the peer is gone. */
    int (*wait)(struct command_io *io, int fd, bool want_input, int timeout_ms);
    /* The client asked for a terminal. While it is true, a new line that is written gets its carriage return. */
    bool tty;
    int cols, rows;         /* its size; 0 where there is none. Change: IO_RESIZE from wait */
    bool color;             /* SGR colour is welcome */
    char term[41];          /* TERM at its end; "" where unknown; letters, digits and ._+- only */
};
enum { IO_FD = 1, IO_INPUT = 2, IO_RESIZE = 4, IO_GONE = 8 };

int io_outf(struct command_io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int io_errf(struct command_io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* All of standard input, at most b's maximum; more is ERR_USAGE. Commands call command_read_all. */
int io_read_all(struct command_io *io, struct buf *b, struct err *err);

struct command_ctx {
    const struct conf *conf;
    struct store *store;
    struct user user;          /* who */
    const struct key *key;     /* with which; NULL: slipway admin */
    char fingerprint[80];      /* of the key; "local" for slipway admin */
    char address[64];          /* from where; "local" */
    const char *verbs;         /* what a deploy key may do, separated by spaces; NULL: no deploy key */
    struct command_io *io;
    bool json;                 /* --json was given */
    /* Set by the dispatcher where the command takes an app, after the permission check. */
    struct app app;
    enum role role;
    int64_t build_id;          /* CMD_BUILD: the build that was named; 0: none was */
    /* What the audit row shall say; commands fill it with arguments, never with values. */
    struct buf detail;
    int64_t repack;            /* an app whose repository a command has made larger; 0: none */
    int exit_code;             /* where a command returns 0: the exit code all the same, of what it has run */
    /* The rest is the dispatcher's. */
    const struct command *command;
    struct vec options;        /* name, value, name, value, … */
};

/* An option that was given: its value, "" where it takes none; NULL where it was not given. The name is the
 * last one in the command's `args` ("[-n|--num LINES]": "--num"). Valid while the command runs. */
const char *command_option(const struct command_ctx *c, const char *name);
/* The same for an option that may be repeated: its value number nth, from 0; NULL behind the last. */
const char *command_option_nth(const struct command_ctx *c, const char *name, size_t nth);

/* Flags of a command. */
enum {
    CMD_APP = 1 << 0,          /* first argument (or -a APP) is an app in which `role` is needed */
    CMD_ADMIN = 1 << 1,        /* server admins only */
    CMD_AUDIT = 1 << 2,        /* changes something: leaves an audit row, also when refused */
    CMD_LOCAL = 1 << 3,        /* only by slipway admin */
    CMD_BUILD = 1 << 4,        /* first argument is a build's number or an app, or an app and a number; the
                                * role is needed in the build's app */
};
/* CMD_APP and CMD_ADMIN together: with an app the role is enough, without one only admins may. */

struct command {
    const char *name;          /* "config:set" */
    const char *alias;         /* other names, separated by spaces: "config config:show"; NULL */
    int flags;
    enum role role;
    /* "APP NAME=VALUE... [--no-restart]" for usage and docs; the dispatcher reads it, too: which words and options
     * there are, which may be left out ([…]), which may be repeated (…...), which options take a value. */
    const char *args;
    const char *summary;       /* one line, imperative */
    const char *help;          /* paragraphs, examples (lines that begin with "    ") */
    /* argv: the words after the name, without the app, options and --json. Returns 0, or -1 with *err, which the
     * dispatcher prints as " !     text"; its code is the exit code. */
    int (*run)(struct command_ctx *c, char *const *argv, int argc, struct err *err);
};

/* All commands, sorted by name, ended by a row whose name is NULL. */
extern const struct command commands[];

/* Splits an exec line into words as a POSIX shell would read it, but only with quotes ('…', "…", \c): no
 * expansion of any kind. ERR_USAGE on an open quote, a NUL, control characters outside quotes, or too many
 * words. Words are added to *ret. (ssh joins its arguments with spaces, so people quote twice; dokku and
 * heroku users expect config:set A="b c" to work: see docs/commands.md.) */
int command_split(const char *line, size_t n, struct vec *ret, struct err *err);

/* Finds and runs a command: parses --json, -a/--app and the app argument, checks permission (another's app is
 * ERR_NOT_FOUND), writes the audit row, prints the error. Returns the exit code. */
int command_run(struct command_ctx *c, char *const *argv, int argc);

/* Standard input may take its time: is all of it still allowed that was when the command began? The key, the role in c->app, and
 * c->user's rights on the server, which it brings up to date. Who waits for input asks before it changes something. */
int command_again(struct command_ctx *c, struct err *err);

/* All of standard input, at most b's maximum, as io_read_all; and command_again. */
int command_read_all(struct command_ctx *c, struct buf *b, struct err *err);

/* Is the word in the list, whose words are separated by spaces (NULL: empty)? */
bool command_verb_in(const char *list, const char *word);

/* The command with this name or alias, or NULL. */
const struct command *command_find(const char *name);

/* All commands as a document, docs/commands.md. */
void command_print_markdown(struct buf *out);

/* The command with the name nearest to what was typed (edit distance at most 3), or NULL. */
const struct command *command_nearest(const char *typed);

/* ERR_USAGE, always: it is no command; with what there is instead (gateway/habits.h), or else the nearest name. */
int command_unknown(const char *typed, struct err *err);

#endif
