/* What a session knows once its peer is known. Internal to the gateway. */
#ifndef SLIPWAY_GATEWAY_SESSION_H
#define SLIPWAY_GATEWAY_SESSION_H

#include "base/conf.h"
#include "gateway/command.h"
#include "gateway/connection.h"
#include "sql/model.h"
#include "sql/store.h"

struct session {
    const struct conf *conf;
    struct store *store;
    struct connection *conn;
    const struct user *user;
    const struct key *key;
    char address[64];        /* of the peer, without port */
    int64_t repack;          /* app whose repository has grown; 0: none */
};

/* The person's end as commands see it: standard streams over the channel. */
struct channel_io {
    struct command_io io;    /* first */
    struct connection *conn;
};
void channel_io_init(struct channel_io *io, struct connection *conn);

/* Serve git-receive-pack and git-upload-pack; return the exit code of the channel. */
int receive_serve(struct session *s, const char *app);
int upload_serve(struct session *s, const char *app);

/* The app by that name if the user has the role in it; the same ERR_NOT_FOUND for one that does not exist
 * and one that the user has nothing to do with, ERR_DENIED for too small a role, or where
 * the key that the user came with is none any more. */
int session_app(struct session *s, const char *name, enum role need, struct app *ret, struct err *err);

/* 0 where the user may create apps, as the database knows it now; ERR_DENIED where not, or not any more. */
int session_may_create(struct session *s, struct err *err);

#endif
