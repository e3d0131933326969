#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/word.h"
#include "gateway/cmd_ps.h"
#include "gateway/live.h"

#include <stdlib.h>
#include <string.h>

static void instance_row(struct table *t, const json_t *o)
{
    long long release = json_int(o, "release", 0), restarts = json_int(o, "restarts", 0);
    int64_t started = json_int(o, "started_at", 0);

    table_add(t, json_str(o, "name", "?"));
    table_add(t, json_str(o, "state", "?"));
    if (release != 0)
        table_addf(t, "v%lld", release);
    else
        table_add(t, "-");
    table_addf(t, "up %s", show_age(started).s);
    table_addf(t, "%lld restarts", restarts);
    table_add(t, json_str(o, "reason", ""));
}

static json_t *instance_json(const json_t *o)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:o}", "name", show_json_text(json_str(o, "name", NULL)),
                     "id", show_json_text(json_str(o, "id", NULL)), "process",
                     show_json_text(json_str(o, "process", NULL)), "state", show_json_text(json_str(o, "state", NULL)),
                     "reason", show_json_text(json_str(o, "reason", NULL)), "release",
                     (json_int_t) json_int(o, "release", 0), "restarts", (json_int_t) json_int(o, "restarts", 0),
                     "ready", json_bool(o, "ready", 0) != 0, "started_at",
                     show_json_time(json_int(o, "started_at", 0)));
}

/* What runs, as the deployer says; nothing does before the first release. */
json_t *ps_instances(struct command_ctx *c, struct err *err)
{
    json_auto_t *q = json_pack("{s:s, s:I}", "op", "list", "app_id", (json_int_t) c->app.id);

    return c->app.live_release_id != 0 ? live_document(c, q, err) : json_array();
}

int cmd_ps(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *doc = ps_instances(c, err);
    struct table t = TABLE_INIT(6);
    json_t *all, *o;
    size_t i;

    (void) argv;
    (void) argc;
    if (doc == NULL)
        return err->code == ERR_NONE ? 0 : -1;
    if (!json_is_array(doc))
        return err_set(err, ERR_FAILED, "the deployer's answer is no list of processes");
    all = json_array();
    json_array_foreach(doc, i, o) {
        (void) json_array_append_new(all, instance_json(o));
        instance_row(&t, o);
    }
    if (t.cells.n == 0 && !c->json)
        (void) io_outf(c->io, c->app.live_release_id != 0 ? "No process of %s runs; counts by type: ps:report %s\n"
                                                          : "%s has no release yet; git push makes the first\n",
                       c->app.name, c->app.name);
    return show_list(c, all, &t);
}

static int restart_line(void *arg, const char *data, size_t n)
{
    struct command_ctx *c = arg;
    const char *end = data + n;
    struct buf out;
    int rc;

    buf_init(&out, 2 * n + 64);
    while (data < end) {
        const char *nl = memchr(data, '\n', (size_t) (end - data)), *stop = nl != NULL ? nl : end;

        (void) text_clean_line(&out, data, (size_t) (stop - data), c->io->color);
        data = stop + 1;
    }
    rc = c->json ? c->io->err(c->io, buf_str(&out), buf_len(&out)) : c->io->out(c->io, buf_str(&out), buf_len(&out));
    buf_release(&out);
    return rc;
}

int ps_live_get(struct command_ctx *c, struct release *ret, struct err *err)
{
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s has no live release yet; push first", c->app.name);
    return releases_get(c->store, c->app.live_release_id, ret, err);
}

int ps_type_unknown(const struct command_ctx *c, const char *type, const struct release *live, struct err *err)
{
    cleanup_vec struct vec types = VEC_INIT;
    cleanup_free char *list = NULL;

    for (size_t i = 0; i < live->processes.n; i++) {
        if (strcmp(live->processes.v[i].type, "release") != 0)
            vec_add(&types, live->processes.v[i].type);
    }
    list = show_words(&types, 20);
    return err_set(err, ERR_USAGE, "%s has no process type %s; it has: %s", c->app.name, type, list);
}

int cmd_ps_restart(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *type = argc > 0 ? argv[0] : NULL;
    json_auto_t *q = NULL;
    struct release live;

    if (type != NULL && process_name_check(type, err) != 0)
        return -1;
    (void) buf_addstr(&c->detail, type != NULL ? type : "");
    if (ps_live_get(c, &live, err) != 0)
        return -1;
    if (type != NULL && formation_count(&live.formation, type) < 0) {
        (void) ps_type_unknown(c, type, &live, err);
        release_release(&live);
        return -1;
    }
    release_release(&live);
    q = json_pack("{s:s, s:I, s:o}", "op", "restart", "app_id", (json_int_t) c->app.id, "process",
                  show_json_text(type));
    if (live_request(c, q, restart_line, c, err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:o}", "app", c->app.name, "process", show_json_text(type)));
    (void) io_outf(c->io, "Restarting %s%s%s... done\n", type != NULL ? type : "all processes", " of ", c->app.name);
    return 0;
}

/* "web=2", "web+1", "web-1": its parts. */
static int scale_parse(const char *word, char *type, size_t size, char *op, long long *ret_n, struct err *err)
{
    const char *at = strpbrk(word, "=+");

    if (at == NULL)
        at = strrchr(word, '-');
    if (at == NULL || at == word || (size_t) (at - word) >= size)
        return err_set(err, ERR_USAGE, "a scale is TYPE=COUNT, TYPE+COUNT or TYPE-COUNT, not \"%s\"; for example: web=2 worker+1",
                       word_shown(word).s);
    memcpy(type, word, (size_t) (at - word));
    type[at - word] = '\0';
    *op = *at;
    if (process_name_check(type, err) != 0)
        return -1;
    if (strchr(at + 1, ':') != NULL)
        return err_set(err, ERR_USAGE, "\"%s\": processes have no sizes here, only counts; for example: %s=2",
                       word_shown(word).s, type);
    if (show_number(at + 1, type, 0, PROCESS_COUNT_MAX, ret_n, NULL) != 0)
        return err_set(err, ERR_USAGE, "the count of %s must be a number from 0 to %d, not \"%s\"; for example: %s=2", type,
                       PROCESS_COUNT_MAX, word_shown(at + 1).s, type);
    return 0;
}

/* Applies one word to the wanted formation. live may be empty (no release yet). */
static int scale_word(const struct command_ctx *c, const char *word, const struct release *live, struct formation *f,
                      struct err *err)
{
    char type[PROCESS_NAME_MAX + 1], op = '=';
    long long n = 0, now;

    if (scale_parse(word, type, sizeof(type), &op, &n, err) != 0)
        return -1;
    if (strcmp(type, "release") == 0)
        return err_set(err, ERR_USAGE, "release is the release command; it runs once a release and has no count");
    if (live->id != 0 && formation_count(&live->formation, type) < 0)
        return ps_type_unknown(c, type, live, err);
    now = formation_count(f, type);
    if (now < 0)
        now = live->id != 0 ? formation_count(&live->formation, type) : strcmp(type, "web") == 0;
    n = op == '+' ? now + n : op == '-' ? now - n : n;
    if (n < 0 || n > PROCESS_COUNT_MAX)
        return err_set(err, ERR_USAGE, "\"%s\": %s would be at %lld, and a count is 0 to %d; for example: %s=2",
                       word_shown(word).s, type, n, PROCESS_COUNT_MAX, type);
    formation_set(f, type, (int) n);
    return 0;
}

static json_t *formation_object(const struct formation *f)
{
    json_t *o = json_object();

    for (size_t i = 0; i < f->n; i++)
        (void) json_object_set_new(o, f->v[i].process, json_integer(f->v[i].count));
    return o;
}

/* "web=2 worker=1", or "web at 2, worker at 1". */
static char *formation_text(const struct formation *f, const char *is, const char *between)
{
    struct buf b;

    buf_init(&b, 16384);
    for (size_t i = 0; i < f->n; i++)
        (void) buf_addf(&b, "%s%s%s%d", i > 0 ? between : "", f->v[i].process, is, f->v[i].count);
    return buf_steal(&b);
}

static bool formation_same(const struct formation *a, const struct formation *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = formation_count(b, a->v[i].process) == a->v[i].count;
    return same;
}

int ps_scale_do(struct command_ctx *c, const struct ps_scale *how, const struct release *live,
                const struct formation *wanted, struct release_made *made, struct formation *ret_now, struct err *err)
{
    cleanup_free char *description = NULL, *doing = xasprintf("%s %s", how->doing, c->app.name), *text = NULL;
    struct release_ask ask = {
        .doing = doing, .restart = true,
        .kept = "the new counts stay recorded and are used from the next release on",
    };

    if (live->id != 0) {
        formation_fit(wanted, &live->processes, ret_now);
        ask.restart = !formation_same(ret_now, &live->formation);
    } else {
        for (size_t i = 0; i < wanted->n; i++)
            formation_set(ret_now, wanted->v[i].process, wanted->v[i].count);
    }
    text = formation_text(ret_now, "=", " ");
    description = xasprintf("%s %s", how->verb, text);
    ask.description = description;
    if (store_begin(c->store, err) != 0 || formation_put(c->store, c->app.id, wanted, err) != 0)
        return -1;
    return release_ask(c, &ask, made, err);
}

int ps_scale_show(struct command_ctx *c, const struct formation *now, const struct release_made *made, bool asked)
{
    cleanup_free char *text = formation_text(now, asked ? " at " : "=", asked ? ", " : " ");

    if (c->json)
        return show_json(c, json_pack("{s:s, s:o, s:o}", "app", c->app.name, "formation", formation_object(now),
                                      "release", made->version != 0 ? json_integer(made->version) : json_null()));
    if (!asked && now->n == 0)
        (void) io_outf(c->io, "%s has no release yet; the first will run web=1\n", c->app.name);
    else if (!asked)
        (void) io_outf(c->io, "%s\n", text);
    else if (made->id != 0)
        (void) io_outf(c->io, "Now running %s\n", text);
    else if (c->app.live_release_id != 0)
        (void) io_outf(c->io, "Nothing to do: %s is at that scale already (%s)\n", c->app.name, text);
    else
        (void) io_outf(c->io, "Scaling %s... done; the first release will run %s\n", c->app.name, text);
    return 0;
}

int cmd_ps_scale(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    static const struct ps_scale how = { "scale", "Scaling" };
    struct formation wanted = { NULL, 0 }, now = { NULL, 0 };
    struct release_made made = { 0 };
    struct release live = { 0 };
    int rc = 0;

    if (c->app.live_release_id != 0)
        rc = releases_get(c->store, c->app.live_release_id, &live, err);
    if (rc == 0)
        rc = formation_get(c->store, c->app.id, &wanted, err);
    for (int i = 0; i < argc && rc == 0; i++) {
        rc = scale_word(c, argv[i], &live, &wanted, err);
        if (rc == 0)
            (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", argv[i]);
    }
    if (rc == 0 && argc > 0)
        rc = ps_scale_do(c, &how, &live, &wanted, &made, &now, err);
    if (rc == 0)
        rc = ps_scale_show(c, argc > 0 ? &now : live.id != 0 ? &live.formation : &wanted, &made, argc > 0);
    free(made.url);
    formation_release(&wanted);
    formation_release(&now);
    release_release(&live);
    return rc;
}
