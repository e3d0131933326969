/* cron:list, cron:run, cron:suspend, cron:resume: the scheduled tasks of app.json. */
#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "gateway/cmd.h"
#include "sql/app_json.h"

#include <string.h>

/* The tasks of the live release; none where nothing is live. */
static int tasks_read(struct command_ctx *c, struct app_json *ret, struct err *err)
{
    struct release live;
    int rc;

    memset(ret, 0, sizeof(*ret));
    if (c->app.live_release_id == 0)
        return 0;
    if (releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    rc = app_json_of(live.app_json, ret, err);
    release_release(&live);
    return rc;
}

static void task_show(struct command_ctx *c, struct table *t, json_t *all, const struct app_json_cron *task,
                      bool suspended)
{
    int64_t next = suspended ? 0 : cron_next(&task->when, store_now() / 1000) * 1000;

    if (c->json) {
        (void) json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", task->id, "schedule",
                                                    task->schedule, "command", task->command, "suspended",
                                                    (int) suspended, "next_at", show_json_time(next)));
        return;
    }
    table_add(t, task->id);
    table_add(t, task->schedule);
    if (suspended)
        table_add(t, "suspended");
    else
        table_addf(t, "next %s", show_time(next).s);
    table_add(t, task->command);
}

int cmd_cron_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_vec struct vec suspended = VEC_INIT;
    struct table t = TABLE_INIT(4);
    json_auto_t *all = json_array();
    struct app_json a;

    (void) argv, (void) argc;
    if (cron_suspended(c->store, c->app.id, &suspended, err) != 0 || tasks_read(c, &a, err) != 0)
        return -1;
    for (size_t i = 0; i < a.n_cron; i++)
        task_show(c, &t, all, &a.cron[i], vec_has(&suspended, a.cron[i].id));
    if (c->json)
        (void) show_json(c, json_incref(all));
    else if (a.n_cron == 0)
        (void) io_outf(c->io, "%s has no scheduled tasks; they stand in app.json as \"cron\"\n", c->app.name);
    else
        table_print(&t, c);
    table_release(&t);
    app_json_release(&a);
    return 0;
}

/* The command line of the task that is named; NULL and err where there is none. The caller frees it. */
static char *task_find(struct command_ctx *c, const char *id, struct err *err)
{
    const struct app_json_cron *task;
    char *command = NULL;
    struct app_json a;

    if (strlen(id) != CRON_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != CRON_ID_SIZE - 1) {
        (void) err_set(err, ERR_USAGE, "a task is named by its id, not by \"%s\"; for example: %s %s 1a2b3c4d; all ids: "
                       "cron:list %s", word_shown(id).s, c->command->name, c->app.name, c->app.name);
        return NULL;
    }
    (void) buf_addstr(&c->detail, id);
    if (tasks_read(c, &a, err) != 0)
        return NULL;
    task = app_json_cron_find(&a, id);
    if (task != NULL)
        command = xstrdup(task->command);
    else
        (void) err_set(err, ERR_NOT_FOUND, "the live release of %s has no task %s; see: cron:list %s", c->app.name, id,
                       c->app.name);
    app_json_release(&a);
    return command;
}

int cmd_cron_run(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *command = task_find(c, argv[0], err);

    (void) argc;
    return command != NULL ? run_line(c, command, command_option(c, "--detach") != NULL, err) : -1;
}

static int task_change(struct command_ctx *c, const char *id, bool suspend, struct err *err)
{
    cleanup_free char *command = task_find(c, id, err), *description = NULL, *doing = NULL;
    cleanup_vec struct vec suspended = VEC_INIT;
    struct release_ask ask = { .kept = "that stays recorded and counts from the next release on" };
    struct release_made made = { 0 };

    if (command == NULL || store_begin(c->store, err) != 0
        || cron_suspended(c->store, c->app.id, &suspended, err) != 0
        || cron_suspend(c->store, c->app.id, id, suspend, err) != 0)
        return -1;
    description = xasprintf("%s cron task %s", suspend ? "suspend" : "resume", id);
    doing = xasprintf("%s cron task %s of %s", suspend ? "Suspending" : "Resuming", id, c->app.name);
    ask.description = description;
    ask.doing = doing;
    ask.restart = vec_has(&suspended, id) != suspend;
    if (release_ask(c, &ask, &made, err) != 0)
        return -1;
    free(made.url);
    if (c->json)
        return show_json(c, json_pack("{s:s, s:s, s:b, s:o}", "app", c->app.name, "id", id, "suspended", (int) suspend,
                                      "release", made.version != 0 ? json_integer(made.version) : json_null()));
    if (made.id == 0)
        (void) io_outf(c->io, "Nothing to do: cron task %s of %s is %s already\n", id, c->app.name,
                       suspend ? "suspended" : "active");
    return 0;
}

int cmd_cron_suspend(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    return task_change(c, argv[0], true, err);
}

int cmd_cron_resume(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argc;
    return task_change(c, argv[0], false, err);
}
