/* A state folder with a real database for one test, removed afterwards. */
#ifndef SLIPWAY_TESTS_SQL_FIXTURE_H
#define SLIPWAY_TESTS_SQL_FIXTURE_H

#include "sql/tables.h"

struct fixture {
    char *state;
    struct store *store;
    int64_t anna, bert;      /* users: an admin, and somebody */
    int64_t shop;            /* an app of bert's */
    struct lease me;         /* this process */
};

/* For cmocka_unit_test_setup_teardown: *state is the struct fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Queues a build of the app; its id. */
int64_t fixture_queue(struct fixture *f, int64_t app_id);
/* Queue, lease, built: the release's id. */
int64_t fixture_built(struct fixture *f, int64_t app_id);
/* The same with an image of this digest. */
int64_t fixture_built_image(struct fixture *f, int64_t app_id, const char *digest);
/* The same and live; the release's id. */
int64_t fixture_live(struct fixture *f, int64_t app_id);
int64_t fixture_live_image(struct fixture *f, int64_t app_id, const char *digest);

extern const char fixture_processes[]; /* web, worker and release */

/* Fails the test with err's message where rc is negative; GOT's value is rc. */
void fixture_ok(int rc, const struct err *err);
#define GOT(call) ({ struct err err = ERR_INIT; int rc_ = (call); fixture_ok(rc_, &err); rc_; })
#define OK(call) ((void) GOT(call))
/* The call must fail with this code, and its message hold this text. */
void fixture_refused(int rc, const struct err *err, enum err_code code, const char *text);
#define REFUSED(code, text, call) do { struct err err = ERR_INIT; \
    fixture_refused((call), &err, (code), (text)); } while (0)

#endif
