/* Stopping and starting processes, and what is wanted against what runs. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd_ps.h"

#include <stdlib.h>
#include <string.h>

#define SEARCH_MAX 200 /* how many releases back a stop is looked for */

/* Are there processes of this type to stop or start? NULL is all types. */
static int type_check(const struct command_ctx *c, const char *type, const struct release *live, struct err *err)
{
    return type != NULL && formation_count(&live->formation, type) < 0 ? ps_type_unknown(c, type, live, err) : 0;
}

/* Releases the wanted counts and says so. */
static int scale_to(struct command_ctx *c, const struct ps_scale *how, const struct release *live,
                    const struct formation *wanted, struct err *err)
{
    struct formation now = { NULL, 0 };
    struct release_made made = { 0 };
    int rc = ps_scale_do(c, how, live, wanted, &made, &now, err);

    if (rc == 0)
        rc = ps_scale_show(c, &now, &made, true);
    free(made.url);
    formation_release(&now);
    return rc;
}

int cmd_ps_stop(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    static const struct ps_scale how = { "stop", "Stopping" };
    const char *type = argc > 0 ? argv[0] : NULL;
    struct formation wanted = { NULL, 0 };
    struct release live;
    int rc;

    if ((type != NULL && process_name_check(type, err) != 0) || ps_live_get(c, &live, err) != 0)
        return -1;
    rc = type_check(c, type, &live, err);
    if (rc == 0)
        rc = formation_get(c->store, c->app.id, &wanted, err);
    if (rc == 0) {
        (void) buf_addstr(&c->detail, type != NULL ? type : "");
        for (size_t i = 0; i < live.formation.n; i++) {
            if (type == NULL || strcmp(live.formation.v[i].process, type) == 0)
                formation_set(&wanted, live.formation.v[i].process, 0);
        }
        rc = scale_to(c, &how, &live, &wanted, err);
    }
    formation_release(&wanted);
    release_release(&live);
    return rc;
}

/* The count that a type had before it was stopped: the newest release that ran it, where the next one is a stop.
 * 0: it was not stopped but scaled, or never ran. v: newest first. */
static int count_before(const struct release *v, size_t n, const char *type)
{
    const struct release *later = NULL;

    for (size_t i = 0; i < n; i++) {
        int count = formation_count(&v[i].formation, type);

        if (v[i].state != RELEASE_LIVE && v[i].state != RELEASE_SUPERSEDED)
            continue;
        if (count > 0)
            return later != NULL && strncmp(later->description, "stop ", 5) == 0 ? count : 0;
        later = &v[i];
    }
    return 0;
}

static int start_counts(struct command_ctx *c, const char *type, const struct release *live, struct formation *wanted,
                        struct err *err)
{
    struct release *v = NULL;
    size_t n = 0;

    if (releases_list(c->store, c->app.id, SEARCH_MAX, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < live->formation.n; i++) {
        const struct formation_item *f = &live->formation.v[i];
        int count = f->count == 0 ? count_before(v, n, f->process) : 0;

        if (type != NULL && strcmp(f->process, type) != 0)
            continue;
        if (count == 0 && f->count == 0 && type != NULL)
            count = 1;
        if (count > 0)
            formation_set(wanted, f->process, count);
    }
    for (size_t i = 0; i < n; i++)
        release_release(&v[i]);
    free(v);
    return 0;
}

int cmd_ps_start(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    static const struct ps_scale how = { "start", "Starting" };
    const char *type = argc > 0 ? argv[0] : NULL;
    struct formation wanted = { NULL, 0 };
    struct release live;
    int rc;

    if ((type != NULL && process_name_check(type, err) != 0) || ps_live_get(c, &live, err) != 0)
        return -1;
    rc = type_check(c, type, &live, err);
    if (rc == 0)
        rc = formation_get(c->store, c->app.id, &wanted, err);
    if (rc == 0)
        rc = start_counts(c, type, &live, &wanted, err);
    if (rc == 0) {
        (void) buf_addstr(&c->detail, type != NULL ? type : "");
        rc = scale_to(c, &how, &live, &wanted, err);
    }
    formation_release(&wanted);
    release_release(&live);
    return rc;
}

struct tally { long long running, ready, restarts; };

static struct tally tally_of(const json_t *instances, const char *type)
{
    struct tally y = { 0, 0, 0 };
    const json_t *o;
    size_t i;

    json_array_foreach(instances, i, o) {
        if (strcmp(json_str(o, "process", ""), type) != 0)
            continue;
        y.running += strcmp(json_str(o, "state", ""), "running") == 0;
        y.ready += json_bool(o, "ready", 0) != 0;
        y.restarts += json_int(o, "restarts", 0);
    }
    return y;
}

static int report_print(struct command_ctx *c, const struct release *live, const json_t *instances)
{
    struct table t = TABLE_INIT(5);
    json_t *all = json_array();

    for (size_t i = 0; i < live->formation.n; i++) {
        const struct formation_item *f = &live->formation.v[i];
        struct tally y = tally_of(instances, f->process);

        (void) json_array_append_new(all, json_pack("{s:s, s:i, s:I, s:I, s:I}", "process", f->process, "wanted",
                                                    f->count, "running", (json_int_t) y.running, "ready",
                                                    (json_int_t) y.ready, "restarts", (json_int_t) y.restarts));
        table_addf(&t, "%s:", f->process);
        table_addf(&t, "%d wanted", f->count);
        table_addf(&t, "%lld running", y.running);
        table_addf(&t, "%lld ready", y.ready);
        table_addf(&t, "%lld restarts", y.restarts);
    }
    if (c->json) {
        (void) show_json(c, json_pack("{s:s, s:o, s:o}", "app", c->app.name, "release",
                                      live->id != 0 ? json_integer(live->version) : json_null(), "processes", all));
    } else {
        json_decref(all);
        if (live->id != 0)
            (void) io_outf(c->io, "=== %s v%lld\n", c->app.name, (long long) live->version);
        else
            (void) io_outf(c->io, "%s has no release yet; git push makes the first\n", c->app.name);
        table_print(&t, c);
    }
    table_release(&t);
    return 0;
}

int cmd_ps_report(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *instances = ps_instances(c, err);
    struct release live = { 0 };
    int rc;

    (void) argv;
    (void) argc;
    if (instances == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    if (c->app.live_release_id != 0 && releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    rc = report_print(c, &live, instances);
    release_release(&live);
    return rc;
}
