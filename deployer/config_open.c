#include "config.h"

#include "deployer/config_open.h"

#include "base/mem.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <inttypes.h>
#include <string.h>

static int open_once(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err)
{
    struct config_set all = { NULL, 0 }, run = { NULL, 0 };
    int rc = config_get(s, app_id, version, &all, err);

    for (size_t i = 0; rc == 0 && i < all.n; i++) {
        struct config_var *v = &all.v[i];

        if (!v->run)
            continue;
        rc = seal_open(s->state, SEAL_RUN, app_id, v->name, v->sealed_run, v->sealed_run_len, &v->value,
                       &v->value_len, err);
        if (rc < 0)
            break;
        run.v = xrealloc_n(run.v, run.n + 1, sizeof(*run.v));
        run.v[run.n++] = *v;
        memset(v, 0, sizeof(*v));
    }
    config_set_release(&all);
    if (rc < 0) {
        config_set_release(&run);
        return err_wrap(err, "config version %" PRId64, version);
    }
    *ret = run;
    return 0;
}

int config_open_run(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err)
{
    struct err first = ERR_INIT;

    /* A rotation may have destroyed the key between the reading of a row and its opening. */
    return open_once(s, app_id, version, ret, &first) == 0 ? 0 : open_once(s, app_id, version, ret, err);
}
