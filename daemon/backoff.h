/* When a role that ended is started again. Pure. */
#ifndef SLIPWAY_DAEMON_BACKOFF_H
#define SLIPWAY_DAEMON_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100    /* a role that fails at once must not eat a CPU */
#define BACKOFF_MAX_MS 10000    /* and must be back soon after the reason has gone */
#define BACKOFF_GOOD_MS 10000   /* after so long a life the next failure is a new one */

/* How long to wait before the next start: nothing for the first failure after a good while, then
 * twice as long each time. `last` is what the former call returned (0 at first), lived_ms how
 * long the process ran. */
uint64_t backoff_next(uint64_t last, uint64_t lived_ms);

#endif
