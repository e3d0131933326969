/* Commands as a person types them, on a real database; the deployer's part is played by the fixture. */
#ifndef SLIPWAY_TESTS_COMMAND_FIXTURE_H
#define SLIPWAY_TESTS_COMMAND_FIXTURE_H

#include "gateway/command.h"
#include "tests/unit/sql_fixture.h"

#include <sys/types.h>

struct desk {
    struct fixture *f;
    struct conf conf;
    struct command_io io;     /* its functions find the desk through `here` */
    struct buf out, err;      /* what the last command printed */
    const char *input;        /* standard input of the next command; NULL: none */
    size_t input_len;
    const char *fail_with;    /* releases fail with this reason; NULL: they become live */
    const char *report;       /* what the builder answers to storage:report */
    const char *builder_fails; /* why the builder can't do what is asked for; NULL: it does it */
    bool fail_down;           /* because a part did not answer */
    const char *verbs;        /* the person comes with a deploy key that may do these */
    int64_t bound_app;        /* of this app; 0: with a key of their own */
    void (*meanwhile)(struct desk *d); /* happens while standard input is read; NULL: nothing */
    bool gone;                /* the person went away */
    bool removes;             /* what apps leave on a target goes when somebody waits for it */
    pid_t deployer;           /* answers on run/deployer.sock; 0: nobody does */
};

int desk_setup(void **state);     /* *state: struct desk */
int desk_teardown(void **state);

/* Types a line as this user; its exit code. */
int desk_type(struct desk *d, const char *user, const char *line);
/* The same, and the code must be `code` and what was printed hold `text` (NULL: anything). */
void desk_expect(struct desk *d, const char *user, const char *line, int code, const char *text);

/* Makes a user with this role in the app (ROLE_NONE: none). */
void desk_user(struct desk *d, const char *name, enum role role);

/* Starts the process that answers like the deployer's streams. */
void desk_deployer(struct desk *d);

#endif
