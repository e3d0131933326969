/* Who is at the other end: public keys only, and a key counts only when its signature was verified. */
#ifndef SLIPWAY_GATEWAY_AUTH_H
#define SLIPWAY_GATEWAY_AUTH_H

#include "base/conf.h"
#include "base/err.h"
#include "sql/model.h"
#include "sql/store.h"

#include <libssh/libssh.h>
#include <stdbool.h>
#include <stdint.h>

/* The name in git@host: people are told apart by their keys, never by this. */
#define AUTH_USER_NAME "git"
#define AUTH_USER_DOKKU "dokku"   /* the name that Dokku's client and its remotes have */

/* Keys that are refused before the connection ends; OpenSSH's MaxAuthTries. */
#define AUTH_ATTEMPTS_MAX 6

struct auth {
    const struct conf *conf;
    struct store *store;     /* opened at the first key */
    bool done;               /* user and key are set, and signed for */
    bool refused;            /* too many attempts, or the database is down: end it */
    int attempts;
    struct user user;
    struct key key;
    char address[64];        /* of the peer; a deploy key may be bound to it */
};

void auth_init(struct auth *a, const struct conf *conf);
void auth_release(struct auth *a);

/* Opens the database ahead of the first key. */
int auth_prepare(struct auth *a, struct err *err);

/* libssh's callbacks (RFC 4252 §5.2, §7); userdata is the struct auth. A key that is only asked about
 * is answered as it would be when signed for, and binds nobody. Unknown keys, unknown users and wrong
 * user names take the same steps and get the same answer. */
int auth_none(ssh_session ssh, const char *user, struct auth *a);
int auth_pubkey(ssh_session ssh, const char *user, ssh_key pubkey, char signature_state, struct auth *a);

#endif
