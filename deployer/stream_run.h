/* One-off commands and shells in processes, as requests of a session:
 *   {"op": "run", "app_id": N, "argv": ["rake", …], "shell": bool, "process": "worker" | null,
 *    "env": {"A": "1"}, "user": "anna", "text": "rake db:migrate", "ttl": seconds,
 *    "tty": bool, "cols", "rows", "term", "detached": bool}
 *       then frames both ways (base/ipc.h); detached: one JSON object {"name": "run.48213"}
 *   {"op": "exec", "app_id": N, "instance": "web.1", "argv", "shell", "tty", "cols", "rows", "term"}
 *   {"op": "run-list", "app_id": N}      one JSON array, an object per command (target_one_off's members)
 *   {"op": "run-logs", "app_id": N, "name": "run.48213", "follow": bool}   what it has printed
 *   {"op": "run-stop", "app_id": N, "name": "run.48213"}
 * IPC_RESULT has the command's exit code as "exit". */
#ifndef SLIPWAY_DEPLOYER_STREAM_RUN_H
#define SLIPWAY_DEPLOYER_STREAM_RUN_H

#include "base/vec.h"
#include "deployer/stream.h"
#include "deployer/target.h"

/* The rest of such a request, checked; texts are borrowed from its document. */
struct stream_run {
    enum stream_op op;
    struct vec argv;
    struct target_run run;
    struct target_exec exec;
    const char *name;        /* of run-logs, run-stop */
    bool follow;
};
int stream_run_read(const struct stream_request *r, struct stream_run *ret, struct err *err);
void stream_run_release(struct stream_run *r);

/* ERR_FAILED where the target can't run commands. */
int stream_run_possible(const struct target_ops *ops, struct err *err);

/* The operation "run"; *ret_answer: a document for the session, the caller's; NULL: none. */
int stream_run_start(const struct target_ops *ops, struct target *t, const struct target_release *release,
                     const struct stream_run *r, int fd, json_t **ret_answer, int *ret_exit, struct err *err);
/* The others. */
int stream_run_serve(const struct target_ops *ops, struct target *t, const struct app *app,
                     const struct stream_run *r, int fd, json_t **ret_answer, int *ret_exit, struct err *err);

#endif
