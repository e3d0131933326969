/* domains:add, domains:list, domains:remove, domains:clear. A live app gets a release, which changes its address and nothing else:
 * so the target holds them, and a release of later or of before does not lose them. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

const char *app_target(const struct command_ctx *c, const struct app *a)
{
    return a->target[0] != '\0' ? a->target : conf_target(c->conf);
}

int domains_possible(const struct command_ctx *c, const char *target, struct err *err)
{
    if (strcmp(target, "kubernetes") != 0 || strcmp(c->conf->expose, "ingress") == 0)
        return 0;
    return err_set(err, ERR_FAILED, "on this server an app on kubernetes has no host names of its own: they need an Ingress, "
                   "[kubernetes] expose = ingress; nothing was changed");
}

/* APP.DOMAIN is what the app of that name has, now or later. */
static int reserved_check(const char *domain, const char *below, struct err *err)
{
    size_t n = strlen(domain), m = strlen(below), label = strcspn(domain, ".");

    if (m == 0 || n != label + 1 + m || strcmp(domain + label + 1, below) != 0)
        return 0;
    return err_set(err, ERR_FAILED, "names below %s are those of apps: an app named %.*s has %s; nothing was changed", below,
                   (int) label, domain, domain);
}

int domain_free_check(const struct command_ctx *c, const char *domain, struct err *err)
{
    return reserved_check(domain, c->conf->router_domain, err) == 0 ? reserved_check(domain, c->conf->domain, err) : -1;
}

static void detail(struct command_ctx *c, const struct vec *domains)
{
    for (size_t i = 0; i < domains->n; i++)
        (void) buf_addf(&c->detail, "%s%s", i > 0 ? " " : "", domains->v[i]);
}

static int domains_read(struct command_ctx *c, char *const *argv, int argc, struct vec *ret, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        cleanup_free char *domain = domain_parse(argv[i], err);

        if (domain == NULL)
            return -1;
        if (!vec_has(ret, domain))
            vec_add(ret, domain);
    }
    detail(c, ret);
    return 0;
}

static int show(struct command_ctx *c, int64_t version, struct err *err)
{
    struct app now;

    if (apps_get_id(c->store, c->app.id, &now, err) != 0)
        return -1;
    (void) show_json(c, json_pack("{s:s, s:o, s:o}", "app", now.name, "domains", json_list(&now.domains), "release",
                                  version != 0 ? json_integer(version) : json_null()));
    app_release(&now);
    return 0;
}

static int each(struct command_ctx *c, const struct vec *domains, bool add, bool *ret_changed, struct err *err)
{
    *ret_changed = false;
    for (size_t i = 0; i < domains->n; i++) {
        bool changed = true;

        if ((add ? domains_add(c->store, c->app.id, domains->v[i], &changed, err)
                 : domains_remove(c->store, c->app.id, domains->v[i], err)) != 0)
            return -1;
        *ret_changed = *ret_changed || changed;
    }
    return 0;
}

/* All of them and the release, or nothing. */
static int change(struct command_ctx *c, const struct vec *domains, bool add, struct err *err)
{
    cleanup_free char *names = show_words(domains, 3), *description = NULL, *doing = NULL;
    struct release_ask ask = { .kept = "that stays recorded and counts from the next release on" };
    struct release_made made = { 0 };

    if (store_begin(c->store, err) != 0 || each(c, domains, add, &ask.restart, err) != 0)
        return -1;
    description = xasprintf("%s %s", add ? "add domain" : "remove domain", names);
    doing = xasprintf("%s %s %s %s", add ? "Adding" : "Removing", names, add ? "to" : "from", c->app.name);
    ask.description = description;
    ask.doing = doing;
    if (release_ask(c, &ask, &made, err) != 0)
        return -1;
    free(made.url);
    if (c->json)
        return show(c, made.version, err);
    if (!ask.restart)
        (void) io_outf(c->io, "Nothing to do: %s has that already\n", c->app.name);
    else if (add && made.id != 0 && c->app.certificate == NULL && c->conf->router_tls && strcmp(c->app.target, "docker") == 0)
        (void) io_outf(c->io, "Caddy now asks for a certificate; how that goes: certs:auto %s\n", c->app.name);
    else if (made.id == 0)
        (void) io_outf(c->io, "%s... done\n", doing);
    return 0;
}

int cmd_domains_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_vec struct vec domains = VEC_INIT;

    if (domains_read(c, argv, argc, &domains, err) != 0 || domains_possible(c, app_target(c, &c->app), err) != 0)
        return -1;
    for (size_t i = 0; i < domains.n; i++)
        if (domain_free_check(c, domains.v[i], err) != 0)
            return -1;
    return change(c, &domains, true, err);
}

int cmd_domains_remove(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_vec struct vec domains = VEC_INIT;

    return domains_read(c, argv, argc, &domains, err) == 0 ? change(c, &domains, false, err) : -1;
}

int cmd_domains_clear(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv, (void) argc;
    if (c->app.domains.n > 0) {
        detail(c, &c->app.domains);
        return change(c, &c->app.domains, false, err);
    }
    if (c->json)
        return show(c, 0, err);
    (void) io_outf(c->io, "Nothing to do: %s has no domains of its own\n", c->app.name);
    return 0;
}

int cmd_domains_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    (void) argv, (void) argc;
    if (c->json)
        return show(c, c->app.live_version, err);
    for (size_t i = 0; i < c->app.domains.n; i++)
        (void) io_outf(c->io, "%s\n", c->app.domains.v[i]);
    if (c->app.domains.n == 0)
        (void) io_outf(c->io, "%s has no domains of its own; its address is in: apps:info %s\n", c->app.name, c->app.name);
    return 0;
}
