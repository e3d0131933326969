/* What the Docker engine sends: a stream of frames or lines (the first byte says which) in pieces, each line of it read
 * as a container of a list, as one that was inspected, as an error, and as a route. */
#include "config.h"

#include "base/json.h"
#include "deployer/docker/container.h"
#include "deployer/docker/demux.h"
#include "deployer/docker/engine.h"
#include "deployer/docker/quantity.h"
#include "deployer/docker/router.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512
#define PIECE 7 /* shorter than a header */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_line(void *arg, int stream, const char *line, size_t n)
{
    size_t *total = arg;
    json_auto_t *doc = json_parse(line, n, "a line", NULL);
    struct container_status status;
    struct containers all;
    struct err err = ERR_INIT;
    struct route route;
    int64_t amount;

    if (stream < 0 || stream >= DEMUX_STREAMS || n > LINE_MAX_BYTES)
        abort();
    *total += n;
    (void) engine_refused(409, line, n, &err);
    (void) quantity_bytes(line, &amount, NULL);
    if (doc == NULL)
        return;
    container_status_read(doc, &status);
    container_status_release(&status);
    containers_read(doc, "/s", &all);
    for (size_t i = 0; i < all.n; i++) {
        char *name = container_renamed(all.v[i].name, 8);

        free(name);
    }
    containers_release(&all);
    if (route_read(doc, &route, NULL) == 0)
        route_release(&route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct demux d;
    size_t total = 0;

    if (n == 0)
        return 0;
    json_init();
    demux_init(&d, data[0] % 2 == 0 ? DEMUX_LINES : DEMUX_FRAMES, LINE_MAX_BYTES, on_line, &total);
    for (size_t i = 1; i < n; i += PIECE)
        if (demux_feed(&d, (const char *) data + i, n - i < PIECE ? n - i : PIECE, NULL) < 0)
            break;
    demux_end(&d);
    if (total >= n)
        abort(); /* lines are parts of what came */
    demux_release(&d);
    return 0;
}
