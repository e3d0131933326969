/* What an app's repository and its build cache take: making it less. */
#include "config.h"

#include "base/mem.h"
#include "gateway/cmd.h"
#include "gateway/errand.h"
#include "gateway/quarantine.h"

int cmd_repo_gc(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct repo_size before, after;
    struct progress_io p;

    (void) argv, (void) argc;
    if (quarantine_gc(c->conf, c->app.id, progress_io_init(&p, c), &before, &after, err) < 0)
        return -1;
    if (c->json)
        (void) show_json(c, json_pack("{s:s, s:I, s:I, s:i, s:i}", "app", c->app.name, "bytes_before",
                                      (json_int_t) before.bytes, "bytes", (json_int_t) after.bytes, "packs_before",
                                      before.packs, "packs", after.packs));
    else
        (void) io_outf(c->io, "The repository of %s has %s in %d pack%s; before: %s in %d\n", c->app.name,
                       show_size((uint64_t) after.bytes).s, after.packs, after.packs == 1 ? "" : "s",
                       show_size((uint64_t) before.bytes).s, before.packs);
    return 0;
}

int cmd_repo_purge_cache(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *what = xasprintf("the build cache of %s", c->app.name);
    struct progress_io p;
    int rc;

    (void) argv, (void) argc;
    (void) io_outf(progress_io_init(&p, c), "-----> Removing the build cache of %s\n", c->app.name);
    rc = errand_run(c, ERRAND_PURGE_CACHE, c->app.id, what, NULL, err);
    if (rc < 0)
        return -1;
    if (rc == 0 && c->json)
        (void) show_json(c, json_pack("{s:s, s:b}", "app", c->app.name, "purged", 1));
    else if (rc == 0)
        (void) io_outf(c->io, "It is removed; the next build begins from nothing\n");
    return 0;
}
