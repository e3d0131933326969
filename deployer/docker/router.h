/* Caddy as the one way in. Its configuration holds, for each app, the addresses of all sets of web containers
 * (plan.h); which set is live is told by a file that Caddy looks for at each request. So a rollout
 * changes no configuration: a change would close idle connections under their clients.
 *
 *   STATE/run/docker/caddy.json     the configuration; Caddy is started with it
 *   STATE/run/docker/admin.sock     Caddy's admin API
 *   STATE/run/docker/caddy.lock     locked by Caddy as long as it runs; holds its process id
 *   STATE/run/docker/routes/APP     one app's part (struct route as JSON)
 *   STATE/run/docker/sets/APP.N     where it is there, set N is live; the highest counts; none: set 0
 *   STATE/run/docker/certs/APP.HASH  its own certificate, with the private key
 *   STATE/run/docker/requests/      what came to the apps' addresses (requests.h)
 *   STATE/run/docker/issuance/      why certificates don't come (certificates.h)
 *   STATE/run/docker/maintenance/APP  where it is there, the app's address shows the maintenance page
 *
 * Source: caddyserver.com/docs/json, "http.handlers.reverse_proxy", "http.matchers.file", caddyserver.com/docs/api. */
#ifndef SLIPWAY_DEPLOYER_DOCKER_ROUTER_H
#define SLIPWAY_DEPLOYER_DOCKER_ROUTER_H

#include "base/conf.h"
#include "base/err.h"
#include "deployer/docker/plan.h"
#include "deployer/docker/subnet.h"
#include "sql/model.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct route {
    char *app;               /* its handle */
    char *name;              /* the first part of its host name */
    struct vec domains;      /* more host names, sorted */
    char *certificate;       /* hash of the app's own; NULL: none */
    struct subnet subnet;
    int counts[SETS];        /* web containers of each set; 0: the set is not used */
};
void route_release(struct route *r);
/* Makes its host names and certificate the app's of now. */
void route_names_set(struct route *r, const struct app *a);
/* True where they are. */
bool route_names_are(const struct route *r, const struct app *a);
/* They as an app's; all is borrowed. */
struct app route_names(const struct route *r);
/* The file's document, both ways. */
json_t *route_json(const struct route *r);
int route_read(const json_t *doc, struct route *ret, struct err *err);

/* The whole configuration. Pure; routes must be sorted by app. The caller decrefs. */
json_t *router_render(const struct conf *c, const struct route *v, size_t n);

/* "http://shop.localhost:8080"; the caller frees it. */
char *router_url(const struct conf *c, const char *name);

/* The set that is live; 0 where nothing says otherwise. */
int router_live_set(const struct conf *c, const char *app);

/* Makes a set live, at once for all requests that come from now on. */
int router_switch(const struct conf *c, const char *app, int set, struct err *err);

/* Shows the maintenance page, or the app, to all requests that come from now on. */
int router_maintenance(const struct conf *c, const char *app, bool on, struct err *err);

/* Writes the app's certificate where Caddy finds it; a route names it. */
int router_certificate_put(const struct conf *c, const char *app, const struct certificate *v, struct err *err);

/* The app's route. ERR_NOT_FOUND where it has none. */
int router_route_get(const struct conf *c, const char *app, struct route *ret, struct err *err);

/* Has Caddy take the app's route, and writes it; nothing is done where it is so already. ERR_DOWN where Caddy does not
 * answer. */
int router_route_put(const struct conf *c, const struct route *r, struct err *err);

/* The app is gone. Missing things are fine. */
int router_route_remove(const struct conf *c, const char *app, struct err *err);

/* The host names of one app, added to *ret: NAME.router_domain, and its domains. */
void router_hosts_of(const struct conf *c, const char *name, const struct vec *domains, struct vec *ret);

/* All host names of the apps that have a route, added to *ret. */
int router_hosts(const struct conf *c, struct vec *ret, struct err *err);

/* Writes the configuration out of the routes and the settings, for Caddy's start. */
int router_prepare(const struct conf *c, struct err *err);

/* Has Caddy take the configuration that is written. */
int router_load(const struct conf *c, struct err *err);

/* Can this process's user read [docker] acme_ca, where it is of use? Where it can't be read, Caddy would refuse all of its
 * configuration in words of its own. */
int router_acme_check(const struct conf *c, struct err *err);

/* Role "router" (caddy.c): becomes Caddy. Where one of before still runs, because the supervisor was killed, it waits
 * until that has ended, and ends it on SIGTERM. Returns only where that fails: the exit code. */
int router_main(const struct conf *c);

#endif
