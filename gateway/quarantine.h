/* Where a push's objects are until they have been checked: a folder inside the repository's objects
 * folder, so that taking them in is a rename. git's own plumbing reads the pack, within limits. */
#ifndef SLIPWAY_GATEWAY_QUARANTINE_H
#define SLIPWAY_GATEWAY_QUARANTINE_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/vec.h"
#include "gateway/command.h"
#include "gateway/push.h"
#include "gateway/sideband.h"

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

struct quarantine {
    const struct conf *conf;
    char *repo;              /* folder of the repository, without a slash at its end */
    char *dir;               /* repo/objects/incoming-… */
    int lock;                /* on dir: the session that uses it lives */
    char *shallow_file;      /* for git's --shallow-file; "" where the client's history is whole */
    uint64_t bytes;          /* of the pack */
    uint32_t objects;
    char pack[OID_HEX + 1];  /* its name; "" where it was empty */
};

/* Makes the folder; the shallow file too, from the client's lines and the repository's own list.
 * quarantine_release removes all that was not taken in. */
int quarantine_init(struct quarantine *q, const struct conf *conf, git_repository *repo,
                    const struct vec *client_shallow, struct err *err);
void quarantine_release(struct quarantine *q);
/* The repository has been renamed, and the folder with it; takes over repo. */
void quarantine_moved(struct quarantine *q, char *repo);

/* Reads the pack from the connection (what of it is in `first` already comes first) into git index-pack, with
 * keepalives through io. -1 with the reason for the pusher; ERR_DOWN: the peer is gone. */
int quarantine_receive(struct quarantine *q, struct connection *c, struct sideband_io *io, struct buf *first,
                       struct err *err);

/* git rev-list over everything that the new commits reach and that the complete ones (have) do not. */
int quarantine_connected(struct quarantine *q, const struct vec *new_oids, const struct vec *have,
                         struct sideband_io *io, struct err *err);

/* Moves the pack into the repository and brings its shallow list up to date; the caller holds refs_lock.
 * *ret_cut: the client's history is still cut. */
int quarantine_migrate(struct quarantine *q, git_repository *repo, const struct vec *client_shallow,
                       bool *ret_cut, struct err *err);

/* Joins packs where there are many: each push brings one, and git looks through all. Old builds' refs go
 * first. Slow; for when nobody waits any more. Errors are logged. */
void quarantine_repack(const struct conf *c, int64_t app_id);

/* The same however many packs there are, for a person who waits and is told how far it is. It goes on where they go away.
 * Pushes are not disturbed. ERR_BUSY where another process is at it. */
struct repo_size { int64_t bytes; int packs; };
int quarantine_gc(const struct conf *c, int64_t app_id, struct command_io *io, struct repo_size *ret_before,
                  struct repo_size *ret_after, struct err *err);

/* Removes what sessions that died have left, in all repositories. Errors are logged. */
void quarantine_sweep(const struct conf *c);

#endif
