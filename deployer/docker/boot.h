/* Whether the containers of a release have come up. A state machine: it is fed what the engine and the checks say
 * and tells what that means. Pure. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_BOOT_H
#define SLIPWAY_DEPLOYER_DOCKER_BOOT_H

#include "base/buf.h"
#include "deployer/docker/container.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_LIMIT_MS 60000  /* until web listens on $PORT; Heroku's R10 is the same */
#define SETTLE_MS 1000       /* a process without a port has come up when it has run for so long */

struct boot_instance {
    char *id, *process, *address;
    int number;
    bool web;
    struct container_status status;
    bool known;              /* a status has come */
    bool gone, oom;
    bool answered;           /* web: the port accepts connections, and its healthchecks passed */
    bool checked;            /* a healthcheck says how long starting may take */
    char *failed;            /* why a healthcheck gave up; NULL: none did; owned */
    int exit_code;           /* of the last end that was heard of */
    int64_t running_since;   /* ms, monotonic; -1: does not run */
};

struct boot {
    struct boot_instance *v;
    size_t n;
    int max_crashes;
    const char *memory_limit; /* as the setting has it, for messages */
};

void boot_init(struct boot *b, int max_crashes, const char *memory_limit);
void boot_release(struct boot *b);

/* Waits for this container too. address: of web; "" for others. */
void boot_expect(struct boot *b, const char *id, const char *process, int number, const char *address);
/* NULL: not one that is waited for. */
struct boot_instance *boot_find(struct boot *b, const char *id);

/* What is heard of one. now: ms of a monotonic clock. boot_status takes the status. */
void boot_status(struct boot_instance *i, struct container_status *status, int64_t now);
void boot_died(struct boot_instance *i, int exit_code);

enum boot_verdict { BOOT_GOING, BOOT_DONE, BOOT_FAILED };

struct boot_failure {
    char *why;               /* one sentence that begins with the process: "web crashed 2 times (exit 1)"; owned */
    const struct boot_instance *of; /* whose log tells more; NULL: none */
};

/* What it all means now. *ret_again_ms: time after which the answer may be another without news, -1: none. */
enum boot_verdict boot_judge(const struct boot *b, int64_t now, int *ret_again_ms, struct boot_failure *ret);

/* Fills *ret where the time is over. */
void boot_overdue(const struct boot *b, int64_t now, int64_t seconds, struct boot_failure *ret);

/* "web 1/2 ready, worker 1/1 ready": appended to out. */
void boot_progress(const struct boot *b, int64_t now, struct buf *out);

#endif
