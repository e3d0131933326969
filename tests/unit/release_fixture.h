/* Releases against a target that is played (tests/fakes/fake_target.h); the database is real. */
#ifndef SLIPWAY_TESTS_RELEASE_FIXTURE_H
#define SLIPWAY_TESTS_RELEASE_FIXTURE_H

#include "base/conf.h"
#include "tests/fakes/fake_target.h"
#include "tests/unit/sql_fixture.h"

#define CALLS_MAX 30 /* no release makes more calls than this */

extern struct conf conf; /* of the test that runs */

int release_setup(void **state);    /* *state: struct fixture */
int release_teardown(void **state);

/* Leases the next release and runs it in this process. Returns what release_run did, 2 where there was none. */
int work(struct store *s, const char *owner);
/* The same in a process that may be killed. True where it was. */
bool work_killed(struct fixture *f);
/* Three such processes, one after the other, each killed when it calls op. */
void work_killed_thrice(struct fixture *f, const char *op);
/* A first release that is live. */
int64_t live(struct fixture *f);
/* A value in run scope, and one in build scope. */
void set_config(struct fixture *f);

/* The release's log; the caller frees it. */
char *log_text(struct fixture *f, int64_t id);
void has(struct fixture *f, int64_t id, const char *text);
/* What the target was called with since fake_forget, and what it holds. */
void calls_are(const char *expected);
void holds(const char *expected);
/* *ret_reason (may be NULL) is the caller's. */
enum release_state state_of(struct fixture *f, int64_t id, char **ret_reason);
void state_is(struct fixture *f, int64_t id, enum release_state want, const char *reason);
int64_t live_version(struct fixture *f);

#endif
