/* The router's configuration as a document. */
#include "config.h"

#include "deployer/docker/router.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/docker/certificates.h"
#include "deployer/docker/requests.h"
#include "sql/tables.h"

#include <stdlib.h>
#include <string.h>

/* A request whose upstream can't be reached is sent to another, or again: long enough for a container that
 * crashed to come back, and short enough for a person who waits. */
#define TRY_DURATION "10s"
#define TRY_INTERVAL "20ms"
#define DIAL_TIMEOUT "500ms"      /* a container on this machine answers within a millisecond, or is gone */
#define FAIL_DURATION "2s"        /* so long one of several that can't be reached is passed over */

#define PAGE_NOT_RUNNING "This app is not running.\n"
#define PAGE_MAINTENANCE "This app is under maintenance. Please come back in a moment.\n"
#define RETRY_AFTER "60"          /* seconds; RFC 9110 section 10.2.3: about when it is worth to ask again */
#define PAGE_NO_APP "There is no app at this address.\n"

void route_release(struct route *r)
{
    free(r->app);
    free(r->name);
    free(r->certificate);
    vec_release(&r->domains);
    memset(r, 0, sizeof(*r));
}

struct app route_names(const struct route *r)
{
    return (struct app) { .name = r->name, .domains = r->domains, .certificate = r->certificate };
}

void route_names_set(struct route *r, const struct app *a)
{
    free(r->name);
    free(r->certificate);
    vec_release(&r->domains);
    r->domains = (struct vec) VEC_INIT;
    r->name = xstrdup(a->name);
    r->certificate = a->certificate != NULL ? xstrdup(a->certificate) : NULL;
    for (size_t i = 0; i < a->domains.n; i++)
        vec_add(&r->domains, a->domains.v[i]);
}

bool route_names_are(const struct route *r, const struct app *a)
{
    const char *have = r->certificate != NULL ? r->certificate : "", *want = a->certificate != NULL ? a->certificate : "";

    if (strcmp(r->name, a->name) != 0 || strcmp(have, want) != 0 || r->domains.n != a->domains.n)
        return false;
    for (size_t i = 0; i < a->domains.n; i++)
        if (strcmp(r->domains.v[i], a->domains.v[i]) != 0)
            return false;
    return true;
}

json_t *route_json(const struct route *r)
{
    cleanup_free char *subnet = subnet_text(&r->subnet);
    json_t *counts = json_array();

    for (int s = 0; s < SETS; s++)
        json_array_append_new(counts, json_integer(r->counts[s]));
    return json_pack("{s:s, s:s, s:o, s:s?, s:s, s:o}", "app", r->app, "name", r->name, "domains", json_list(&r->domains),
                     "certificate", r->certificate, "subnet", subnet, "counts", counts);
}

/* Absent in files of before. */
static int domains_read(const json_t *list, struct vec *ret, struct err *err)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v) {
        cleanup_free char *domain = domain_parse(json_is_string(v) ? json_string_value(v) : "", err);

        if (domain == NULL)
            return -1;
        vec_add(ret, domain);
    }
    return 0;
}

int route_read(const json_t *doc, struct route *ret, struct err *err)
{
    const char *app = json_str(doc, "app", ""), *name = json_str(doc, "name", app); /* older files have none */
    const char *certificate = json_str(doc, "certificate", NULL);
    const json_t *counts = json_object_get(doc, "counts");
    struct route r = { 0 };

    if (app_name_check(app, err) < 0 || app_name_check(name, err) < 0 ||
        subnet_parse(json_str(doc, "subnet", ""), &r.subnet, err) < 0)
        return -1;
    for (int s = 0; s < SETS; s++) {
        json_int_t n = json_integer_value(json_array_get(counts, (size_t) s));

        if (n < 0 || n > SET_SIZE)
            return err_set(err, ERR_FAILED, "the route of %s has a set of %lld containers", app, (long long) n);
        r.counts[s] = (int) n;
    }
    if (certificate != NULL && strspn(certificate, "0123456789abcdef") != strlen(certificate))
        return err_set(err, ERR_FAILED, "the route of %s names no certificate", app);
    if (domains_read(json_object_get(doc, "domains"), &r.domains, err) < 0) {
        vec_release(&r.domains);
        return -1;
    }
    r.certificate = certificate != NULL ? xstrdup(certificate) : NULL;
    r.app = xstrdup(app);
    r.name = xstrdup(name);
    *ret = r;
    return 0;
}

static json_t *static_page(int status, const char *text)
{
    return json_pack("{s:s, s:i, s:{s:[s]}, s:s}", "handler", "static_response", "status_code", status, "headers",
                     "Content-Type", "text/plain; charset=utf-8", "body", text);
}

static json_t *proxy(const struct route *r, int set)
{
    json_t *upstreams = json_array(), *h;

    if (r->counts[set] == 0) {
        json_decref(upstreams);
        return static_page(503, PAGE_NOT_RUNNING);
    }
    for (int number = 1; number <= r->counts[set]; number++) {
        cleanup_free char *address = subnet_web_address(&r->subnet, set, number);

        json_array_append_new(upstreams, json_pack("{s:o}", "dial", json_sprintf("%s:%d", address, WEB_PORT)));
    }
    h = json_pack("{s:s, s:o, s:{s:s, s:s, s:{s:s}}, s:{s:s, s:s}}", "handler", "reverse_proxy", "upstreams",
                  upstreams, "load_balancing", "try_duration", TRY_DURATION, "try_interval", TRY_INTERVAL,
                  "selection_policy", "policy", r->counts[set] > 1 ? "least_conn" : "first", "transport", "protocol",
                  "http", "dial_timeout", DIAL_TIMEOUT);
    /* One alone is never passed over: there is nobody else. */
    if (r->counts[set] > 1)
        json_object_set_new(h, "health_checks", json_pack("{s:{s:s, s:i}}", "passive", "fail_duration",
                                                          FAIL_DURATION, "max_fails", 2));
    return h;
}

/* RFC 9110 section 15.6.4. */
static json_t *maintenance_route(const struct conf *c, const struct route *r)
{
    cleanup_free char *folder = conf_state_path(c, "run/docker/maintenance");
    json_t *page = static_page(503, PAGE_MAINTENANCE);

    json_object_set_new(json_object_get(page, "headers"), "Retry-After", json_pack("[s]", RETRY_AFTER));
    return json_pack("{s:[{s:{s:s, s:[o]}}], s:[o], s:b}", "match", "file", "root", folder, "try_files",
                     json_sprintf("/%s", r->app), "handle", page, "terminal", 1);
}

void router_hosts_of(const struct conf *c, const char *name, const struct vec *domains, struct vec *ret)
{
    vec_addf(ret, "%s.%s", name, c->router_domain);
    for (size_t i = 0; i < domains->n; i++)
        vec_add(ret, domains->v[i]);
}

/* The sets from the highest on: the first whose file is there is taken, and set 0 without one. */
static json_t *app_route(const struct conf *c, const struct route *r)
{
    cleanup_free char *folder = conf_state_path(c, "run/docker/sets");
    cleanup_vec struct vec hosts = VEC_INIT;
    json_t *sets = json_array();

    router_hosts_of(c, r->name, &r->domains, &hosts);
    json_array_append_new(sets, maintenance_route(c, r));
    for (int s = SETS - 1; s >= 0; s--) {
        json_t *route = json_pack("{s:[o], s:b}", "handle", proxy(r, s), "terminal", 1);

        if (s > 0)
            json_object_set_new(route, "match", json_pack("[{s:{s:s, s:[o]}}]", "file", "root", folder, "try_files",
                                                          json_sprintf("/%s.%d", r->app, s)));
        json_array_append_new(sets, route);
    }
    return json_pack("{s:[{s:o}], s:[{s:s, s:o}], s:b}", "match", "host", json_list(&hosts), "handle", "handler", "subroute",
                     "routes", sets, "terminal", 1);
}

/* "[::1]:8080"; an empty address is all. */
static json_t *listen_address(const struct conf *c, long long port)
{
    return json_sprintf(strchr(c->router_address, ':') != NULL ? "[%s]:%lld" : "%s:%lld", c->router_address, port);
}

/* Caddy's own authority alone can vouch for them. */
static bool is_below_localhost(const char *host)
{
    static const char end[] = ".localhost";
    size_t n = strlen(host), m = strlen(end);

    return n > m && strcmp(host + n - m, end) == 0;
}

/* All names that an ACME server can be asked for. Caddy asks of itself for no private one ("shop.internal"), but who has a
 * server of one's own has it for these. */
static json_t *acme_subjects(const struct conf *c, const struct route *v, size_t n)
{
    cleanup_vec struct vec hosts = VEC_INIT;
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        router_hosts_of(c, v[i].name, &v[i].domains, &hosts);
    for (size_t i = 0; i < hosts.n; i++)
        if (!is_below_localhost(hosts.v[i]))
            json_array_append_new(all, json_string(hosts.v[i]));
    return all;
}

/* Where from Caddy gets certificates; NULL: where it does by itself. */
static json_t *acme_automation(const struct conf *c, const struct route *v, size_t n)
{
    json_t *issuer, *subjects;

    if (c->acme_directory[0] == '\0' && c->acme_email[0] == '\0')
        return NULL;
    issuer = json_pack("{s:s}", "module", "acme");
    if (c->acme_directory[0] != '\0')
        json_object_set_new(issuer, "ca", json_string(c->acme_directory));
    if (c->acme_ca[0] != '\0')
        json_object_set_new(issuer, "trusted_roots_pem_files", json_pack("[s]", c->acme_ca));
    if (c->acme_email[0] != '\0')
        json_object_set_new(issuer, "email", json_string(c->acme_email));
    subjects = acme_subjects(c, v, n);
    if (json_array_size(subjects) > 0)
        return json_pack("{s:[{s:o, s:[o]}]}", "policies", "subjects", subjects, "issuers", issuer);
    json_decref(subjects);
    json_decref(issuer);
    return NULL;
}

/* Names that one of these is for are no matter of Caddy's; for all others it gets certificates by itself: from an ACME
 * server, or, for those below localhost, from an authority of its own, which stays out of this machine's list of trusted ones
 * (caddyserver.com/docs/automatic-https, caddyserver.com/docs/json/apps/tls/automation). */
static void tls_add(const struct conf *c, const struct route *v, size_t n, json_t *apps)
{
    json_t *files = json_array(), *automation = acme_automation(c, v, n), *tls = json_object();

    for (size_t i = 0; i < n; i++) {
        cleanup_free char *path = NULL;

        if (v[i].certificate == NULL)
            continue;
        path = conf_state_path(c, "run/docker/certs/%s.%s", v[i].app, v[i].certificate);
        json_array_append_new(files, json_pack("{s:s, s:s}", "certificate", path, "key", path));
    }
    if (json_array_size(files) > 0)
        json_object_set_new(tls, "certificates", json_pack("{s:O}", "load_files", files));
    if (automation != NULL)
        json_object_set_new(tls, "automation", automation);
    if (json_object_size(tls) > 0)
        json_object_set(apps, "tls", tls);
    json_object_set_new(apps, "pki", json_pack("{s:{s:{s:b}}}", "certificate_authorities", "local", "install_trust", 0));
    json_decref(files);
    json_decref(tls);
}

/* Caddy's own redirects leave the port out: it takes for granted that others reach it at 443. */
static json_t *redirect_server(const struct conf *c)
{
    cleanup_free char *port = c->https_port != 443 ? xasprintf(":%lld", c->https_port) : xstrdup("");

    return json_pack("{s:[o], s:{s:b}, s:[{s:[{s:s, s:i, s:{s:[o]}}]}]}", "listen", listen_address(c, c->http_port),
                     "automatic_https", "disable", 1, "routes", "handle", "handler", "static_response", "status_code", 308,
                     "headers", "Location", json_sprintf("https://{http.request.host}%s{http.request.uri}", port));
}

json_t *router_render(const struct conf *c, const struct route *v, size_t n)
{
    cleanup_free char *admin = conf_state_path(c, "run/docker/admin.sock");
    cleanup_free char *data = conf_state_path(c, "run/docker/caddy");
    json_t *routes = json_array(), *server, *http, *apps, *doc;

    for (size_t i = 0; i < n; i++)
        json_array_append_new(routes, app_route(c, &v[i]));
    /* What asks for no app is in no app's log; the member has another name before Caddy 2.8. */
    json_array_append_new(routes, json_pack("{s:[{s:s, s:b, s:b}, o]}", "handle", "handler", "vars", "log_skip", 1,
                                            "skip_log", 1, static_page(404, PAGE_NO_APP)));
    server = json_pack("{s:{}, s:[o], s:o}", "logs", "listen",
                       listen_address(c, c->router_tls ? c->https_port : c->http_port), "routes", routes);
    json_object_set_new(server, "automatic_https", json_pack("{s:b}", c->router_tls ? "disable_redirects" : "disable", 1));
    http = json_pack("{s:I, s:I, s:{s:o}}", "http_port", (json_int_t) c->http_port, "https_port",
                     (json_int_t) c->https_port, "servers", "apps", server);
    apps = json_pack("{s:o}", "http", http);
    if (c->router_tls) {
        json_object_set_new(json_object_get(http, "servers"), "redirect", redirect_server(c));
        tls_add(c, v, n, apps);
    }
    doc = json_pack("{s:{s:o, s:[s], s:{s:b}}, s:{s:{s:{s:s, s:[s]}, s:o}}, s:{s:s, s:s}, s:o}", "admin", "listen",
                     json_sprintf("unix/%s", admin), "origins", "localhost", "config", "persist", 0, "logging", "logs",
                     "default", "level", "WARN", "exclude", "http.log.access", "requests", requests_log(c), "storage",
                     "module", "file_system", "root", data, "apps", apps);
    if (c->router_tls)
        json_object_set_new(json_at(doc, "logging.logs"), "issuance", issuance_log(c));
    return doc;
}

char *router_url(const struct conf *c, const char *name)
{
    long long port = c->router_tls ? c->https_port : c->http_port, usual = c->router_tls ? 443 : 80;
    const char *scheme = c->router_tls ? "https" : "http";

    if (port == usual)
        return xasprintf("%s://%s.%s", scheme, name, c->router_domain);
    return xasprintf("%s://%s.%s:%lld", scheme, name, c->router_domain, port);
}
