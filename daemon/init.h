/* `slipway init`: makes everything that a server needs before its first start. */
#ifndef SLIPWAY_DAEMON_INIT_H
#define SLIPWAY_DAEMON_INIT_H

#include "base/err.h"
#include "base/vec.h"

struct init_options {
    const char *config;        /* file; made where missing */
    const char *state;         /* NULL: what the configuration says */
    const char *admin_key;     /* file with a public key, "-": standard input; NULL: no admin is made */
    const char *admin_name;
    struct vec settings;       /* "SECTION.NAME=VALUE" for the new configuration file */
};

/* Safe to repeat: what is there is kept, modes and owners are set anew. Says on standard output what it
 * did, and on standard error why it failed. Returns the exit code. */
int init_run(const struct init_options *o);

#endif
