/* What `slipway init` asks on a terminal: three questions at most, each of them only where neither an option nor what is
 * there already answers it. */
#ifndef SLIPWAY_DAEMON_ASK_H
#define SLIPWAY_DAEMON_ASK_H

#include "base/conf.h"
#include "daemon/init.h"

#include <stdbool.h>

/* Are standard input and output a terminal? */
bool ask_possible(void);

/* Asks for what a new configuration needs and puts it into c: [server] host, under which the apps answer, too, and
 * [registry] host, which is asked whether it is there. Changes nothing else. ERR_FAILED where the input ends. */
int ask_settings(struct conf *c, const struct init_options *o, struct err *err);

/* Asks for the first admin's key: a file, or the line itself. *ret is the key's line, which the caller frees. */
int ask_key(char **ret, struct err *err);

/* A name under which others may reach this server (RFC 1123, section 2.1: labels of letters, digits and -). An address is
 * none: apps answer under names below it. Pure. */
int host_name_check(const char *name, struct err *err);

/* Is it a registry ("HOST[:PORT][/PREFIX]") on this machine's loopback? Docker speaks plain HTTP with those. Pure. */
bool registry_is_local(const char *registry);

#endif
