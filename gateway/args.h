/* The line that says how a command is used, "APP [TYPE] [-n|--num LINES] [-t|--tail]", read as a grammar, and a
 * command line read by it. Words in capitals are values; what stands in brackets may be left out; "..."
 * says that there may be more, also of an option: "[-e|--env NAME=VALUE]...". With "[--]" before the last words,
 * "APP [--no-tty] [--] COMMAND...", options end there by themselves: `ls -l` is COMMAND. Pure. */
#ifndef SLIPWAY_GATEWAY_ARGS_H
#define SLIPWAY_GATEWAY_ARGS_H

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>

/* Options that many commands have stand outside their lines: the caller gives a second line for them. */
struct args {
    struct vec words;      /* everything that is no option */
    struct vec options;    /* name (the last of its names), value, name, value, … */
};
#define ARGS_INIT { VEC_INIT, VEC_INIT }
void args_release(struct args *a);

/* What stood in front of a command, as Dokku's client sends it: `--app shop config:set A=1`. */
struct args_front {
    const char *app;       /* of --app or -a, within argv; NULL: none. For commands that take an app */
    bool force;            /* --force, which is the command's own */
    int n;                 /* words that are used up; argv[n] is the command, if there is one */
};
/* Takes what may stand in front of a command: --app APP, --app=APP, -a APP, --force, and --quiet and --trace, which
 * change only how Dokku prints. It ends at --help, -h and --version. ERR_USAGE for another option. */
int args_front(char *const *argv, int argc, struct args_front *ret, struct err *err);

/* Sorts argv into words and options; ERR_USAGE for an option that the lines do not have, a value that is missing
 * or not wanted. "--" ends the options; "-" is a word. app (NULL: none) is the value of --app where argv does not
 * have that option. Nothing of argv is kept. */
int args_parse(const char *usage, const char *common, const char *app, char *const *argv, int argc, struct args *ret,
               struct err *err);

/* The value of an option, "" where it takes none, NULL where it was not given. */
const char *args_option(const struct vec *options, const char *name);

/* The same for an option that may be repeated: its value number nth, from 0. */
const char *args_option_nth(const struct vec *options, const char *name, size_t nth);

/* How many words the line needs and allows (allows -1: any number), its first `skip` not counted. */
void args_count(const char *usage, int skip, int *ret_needs, int *ret_allows);

/* The name of the line's word number i ("NAME=VALUE"), into at most size bytes. */
void args_word_name(const char *usage, int i, char *ret, size_t size);

/* The last of the names of the line's option number i ("--num"), and whether it takes a value; false behind the
 * last. The mark "[--]" is none. */
bool args_option_at(const char *usage, int i, char *ret, size_t size, bool *ret_takes_value);

/* The first option that the line needs (not in brackets) and that was not given, or false. */
bool args_missing_option(const char *usage, const struct vec *options, char *ret, size_t size);

#endif
