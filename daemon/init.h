/* `slipway init`: makes everything that a server needs before its first start. */
#ifndef SLIPWAY_DAEMON_INIT_H
#define SLIPWAY_DAEMON_INIT_H

#include "base/err.h"
#include "base/vec.h"

#define CONFIG_DEFAULT SLIPWAY_SYSCONFDIR "/slipway.conf"

struct init_options {
    const char *config;        /* file; made where missing */
    const char *state;         /* NULL: what the configuration says */
    const char *admin_key;     /* file with a public key, "-": standard input; NULL: asked for on a terminal, where nobody has a
                                * key; else no admin is made */
    const char *admin_name;
    struct vec settings;       /* "SECTION.NAME=VALUE" for the new configuration file */
};

/* On a terminal it asks for what is not given (daemon/ask.h), before it makes anything. Safe to repeat: what is there is kept, modes and owners are set anew. Says on standard output what it
 * did, and on standard error why it failed. Returns the exit code. */
int init_run(const struct init_options *o);

#endif
