/* A target that keeps what it holds in a file and fails where a test wants it to. It outlives the process that
 * calls it, as a cluster does. */
#ifndef SLIPWAY_TESTS_FAKE_TARGET_H
#define SLIPWAY_TESTS_FAKE_TARGET_H

#include "deployer/publish.h"
#include "deployer/target.h"

#include <stdbool.h>

enum fake_fault {
    FAKE_FAIL,        /* ERR_FAILED, nothing done */
    FAKE_FAIL_AFTER,  /* the same, but its effect is there */
    FAKE_DOWN,        /* ERR_DOWN */
    FAKE_KILL,        /* the process is killed before the effect */
    FAKE_KILL_AFTER,  /* and after it */
    FAKE_HOOK,        /* fake.hook is called before it */
};

extern struct fake {
    char *folder;     /* calls.txt and holds.txt are in it */
    int at;           /* the call that goes wrong, from 1; 0: none */
    const char *op;   /* or each call of this operation; NULL: none */
    enum fake_fault fault;
    int calls;        /* of this process so far */
    void (*hook)(void *arg, const struct target_call *c); /* where prune begins: with the call that is attended to */
    void *hook_arg;
} fake;

/* "docker" and "kubernetes"; the calls of the second begin with "kubernetes: ", and what it holds is in
 * holds-kubernetes.txt. */
target_find_fn fake_find;
int fake_publish(const struct publish *p, char **ret_image, struct err *err);

/* All calls so far, of all processes, a line each: "apply v2 web=1 worker=0 restore". The caller frees. */
char *fake_read(const char *name);
void fake_forget(void);

#endif
