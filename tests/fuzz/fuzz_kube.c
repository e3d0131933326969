/* What the API server sends: lines of watches, fed to all that reads them. A line whose object
 * is no Deployment and no Pod is taken for a Status. Each line is also taken for one of a log. */
#include "config.h"

#include "base/text.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/rollout.h"
#include "deployer/rfc3339.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void feed(struct rollout *r, struct instances *all, const char *line, size_t n, int64_t now)
{
    struct err err = ERR_INIT;
    enum kube_event event;
    json_t *object = NULL;
    struct rollout_failure failure;
    struct instance *i;
    struct buf b;
    int again;

    if (kube_watch_parse(line, n, &event, &object, &err) == 1) {
        rollout_deployment(r, event, object);
        rollout_pod(r, event, object, now);
        (void) kube_status_error(object, 409, &err);
        i = instances_take(all, object);
        if (i != NULL) {
            (void) pod_state(&i->pod);
            free(pod_reason(&i->pod));
            if (event == KUBE_DELETED)
                instances_drop(all, i);
        }
        instances_number(all);
    }
    json_decref(object);
    buf_init(&b, 4096);
    rollout_progress(r, &b);
    (void) text_clean(&b, line, n, true);
    buf_release(&b);
    if (rollout_judge(r, now, &again, &failure) == ROLLOUT_FAILED)
        rollout_failure_release(&failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *) data;
    struct rollout *r = rollout_new(2, BOOT_LIMIT_S);
    struct rollout_failure failure;
    struct instances all = { 0 };
    int64_t now = 0, ns;

    rollout_expect(r, "web", 1);
    rollout_expect(r, "worker", 2);
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t len = end != NULL ? (size_t) (end - p) : n;

        (void) rfc3339_parse(p, len, &ns);
        feed(r, &all, p, len, now += 5000);
        p += len + (end != NULL);
        n -= len + (end != NULL);
    }
    rollout_overdue(r, 300, &failure);
    rollout_failure_release(&failure);
    instances_release(&all);
    rollout_free(r);
    return 0;
}
