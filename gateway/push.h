/* The first half of a push as git's client sends it (gitprotocol-pack(5), "Pushing Data To a
 * Server"): shallow lines, commands with the capabilities, push options. What follows is the pack. Pure. */
#ifndef SLIPWAY_GATEWAY_PUSH_H
#define SLIPWAY_GATEWAY_PUSH_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

#define OID_HEX 40
#define OID_ZERO "0000000000000000000000000000000000000000"

#define PUSH_REFS_MAX 5000      /* all tags of a large project; a million must not fill the memory */
#define PUSH_SHALLOW_MAX 10000  /* roots of a shallow history; a clone of depth 1 has one for each branch */
#define PUSH_OPTIONS_MAX 16     /* three are known */
#define PUSH_OPTION_MAX 4096    /* a message of some lines */
#define PUSH_REF_NAME_MAX 1024  /* above what a file system's path segments allow in practice */
#define PUSH_AGENT_MAX 120

/* One command: old is what the client believes to be there, new what it wants; all zeros: nothing. */
struct push_ref {
    char old[OID_HEX + 1], new[OID_HEX + 1];
    char *name;
    char *reason; /* why it is refused; NULL: it is not (yet) */
};

enum push_part { PUSH_COMMANDS, PUSH_OPTIONS, PUSH_COMPLETE };

struct push {
    struct push_ref *refs;
    size_t n_refs;
    struct vec shallow;  /* 40 hexadecimal digits each */
    struct vec options;
    /* quiet means "no progress of git's own", of which there is none here; git sets it without a terminal. */
    bool report_status, report_status_v2, side_band_64k, atomic, quiet, push_options;
    char agent[PUSH_AGENT_MAX + 1];
    enum push_part part;
};
#define PUSH_INIT { .part = PUSH_COMMANDS }
void push_release(struct push *p);

/* Takes packets from the front of n bytes. 1 when the first half is complete (what follows
 * *ret_used bytes is the pack), 0 when more is needed, -1 with one sentence when it is not what the
 * protocol allows or more than the limits above. A push without commands is complete and has n_refs 0. */
int push_feed(struct push *p, const char *data, size_t n, size_t *ret_used, struct err *err);

/* True where the client sends a pack: some command is not a deletion. */
bool push_has_pack(const struct push *p);

bool oid_is_zero(const char *hex);

/* Sets the reason of a ref (printf style, at most one line) if it has none. */
void push_refuse(struct push_ref *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for all refs that have none. */
void push_refuse_all(struct push *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool push_any_refused(const struct push *p);
bool push_all_refused(const struct push *p);

/* Appends the report (report-status): `unpack` is "ok" or why the pack was not taken. */
int push_report(const struct push *p, const char *unpack, struct buf *out);

#endif
