/* An attached command begins when somebody really listens. A container's runtime gives an attached client the
 * output from some moment on, and nothing says when that moment was; so a shell waits in the command's place: it
 * answers each line "?" on its outputs, until an answer arrives, and goes on at the line "go"; at "none", the command
 * has no standard input. What comes before the mark that it prints then is not the command's. Pure. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_GATE_H
#define SLIPWAY_DEPLOYER_KUBERNETES_GATE_H

#include "base/buf.h"
#include "deployer/kubernetes/channels.h"

#include <stdbool.h>
#include <stddef.h>

#define GATE_PREFIX "slipway-gate-" /* of the lines that it prints: logs hold them, too */
#define GATE_TOKEN_SIZE (sizeof(GATE_PREFIX) + 16)

#define GATE_ASK "?\n"
#define GATE_GO "go\n"
#define GATE_NONE "none\n"
#define GATE_EXIT 125               /* nobody attached */

struct gate {
    char token[GATE_TOKEN_SIZE];
    bool tty;                       /* one output instead of two */
    struct gate_output {
        struct buf seen;            /* before it was open */
        bool answered, open;
    } out, err;
};

/* Makes a token. Release it. */
void gate_init(struct gate *g, bool tty);
void gate_release(struct gate *g);

/* The statements that wait, for run_command's `first`; cols and rows: the terminal's size, 0: unknown. The caller's. */
char *gate_script(const struct gate *g, int cols, int rows);

/* Takes output of the container; true where *ret_data is the command's (it points into data, or into g until the
 * next call). */
bool gate_take(struct gate *g, enum channel channel, const char *data, size_t n, const char **ret_data,
               size_t *ret_n);

/* True once every output has answered: the command may go. */
bool gate_answered(const struct gate *g);

/* True for a line of a log that the gate has printed. */
bool gate_is_line(const char *line, size_t n);

#endif
