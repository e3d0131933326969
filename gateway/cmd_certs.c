/* certs:add, certs:info, certs:remove: an app's own certificate. As with domains a live app gets a release, which starts nothing
 * anew. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/certificate.h"
#include "gateway/cmd.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (128 * 1024) /* chains have some KiB */

int certs_possible(const struct command_ctx *c, const char *target, struct err *err)
{
    if (strcmp(target, "kubernetes") == 0 && strcmp(c->conf->expose, "ingress") != 0)
        return err_set(err, ERR_FAILED, "on this server an app on kubernetes has no certificate of its own: it needs an Ingress, "
                       "[kubernetes] expose = ingress; nothing was changed");
    if (strcmp(target, "docker") == 0 && !c->conf->router_tls)
        return err_set(err, ERR_FAILED, "on this server apps on docker are not served with HTTPS: that needs [docker] tls = yes; "
                       "nothing was changed");
    return 0;
}

/* The app's host names: its first, and its domains. */
static void hosts_get(const struct command_ctx *c, const char *target, struct vec *ret)
{
    const char *below = strcmp(target, "kubernetes") == 0 ? c->conf->domain : c->conf->router_domain;

    vec_addf(ret, "%s.%s", c->app.name, below);
    for (size_t i = 0; i < c->app.domains.n; i++)
        vec_add(ret, c->app.domains.v[i]);
}

static json_t *certificate_json(const struct command_ctx *c, const struct certificate *v, int64_t version)
{
    return json_pack("{s:s, s:o, s:s?, s:s?, s:s?, s:o, s:o, s:o}", "app", c->app.name, "names", json_list(&v->names),
                     "subject", v->subject, "issuer", v->issuer, "fingerprint", v->fingerprint, "not_before",
                     show_json_time(v->not_before), "not_after", show_json_time(v->not_after), "release",
                     version != 0 ? json_integer(version) : json_null());
}

/* Some of the app's names, at least, are the certificate's; which are not, is said. */
static int cover_check(struct command_ctx *c, const struct certificate *v, struct err *err)
{
    cleanup_vec struct vec hosts = VEC_INIT, without = VEC_INIT;
    cleanup_free char *words = NULL, *names = show_words(&v->names, 5);

    hosts_get(c, app_target(c, &c->app), &hosts);
    for (size_t i = 0; i < hosts.n; i++)
        if (!certificate_covers(v, hosts.v[i]))
            vec_add(&without, hosts.v[i]);
    words = show_words(&without, 5);
    if (without.n == hosts.n)
        return err_set(err, ERR_FAILED, "the certificate is for %s, and %s has only %s; give it the name first: domains:add %s "
                       "NAME", names, c->app.name, words, c->app.name);
    if (without.n > 0 && !c->json)
        (void) io_outf(c->io, " !     The certificate isn't for %s: there it changes nothing.\n", words);
    return 0;
}

static int release_make(struct command_ctx *c, const char *description, const char *doing, int64_t *ret_version,
                        struct err *err)
{
    const struct release_ask ask = { .description = description, .doing = doing, .restart = true,
                                     .kept = "that stays recorded and counts from the next release on" };
    struct release_made made = { 0 };

    if (release_ask(c, &ask, &made, err) != 0)
        return -1;
    free(made.url);
    if (made.id == 0 && !c->json)
        (void) io_outf(c->io, "%s... done\n", doing);
    *ret_version = made.version;
    return 0;
}

static int add(struct command_ctx *c, const struct certificate *v, struct err *err)
{
    cleanup_free char *doing = xasprintf("Adding the certificate to %s", c->app.name);
    int64_t version;

    (void) buf_addf(&c->detail, "%.64s", v->fingerprint);
    if (cover_check(c, v, err) != 0 || store_begin(c->store, err) != 0
        || certificates_put(c->store, c->app.id, v, err) != 0
        || release_make(c, "add certificate", doing, &version, err) != 0)
        return -1;
    return c->json ? show_json(c, certificate_json(c, v, version)) : 0;
}

int cmd_certs_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct certificate v;
    struct buf input;
    int rc;

    (void) argv, (void) argc;
    if (certs_possible(c, app_target(c, &c->app), err) != 0)
        return -1;
    buf_init(&input, INPUT_MAX);
    rc = command_read_all(c, &input, err);
    if (rc == 0 && certificate_read(buf_str(&input), buf_len(&input), store_now(), &v, err) != 0)
        rc = err_wrap(err, "nothing was changed: certificates and private key come on standard input, as PEM");
    if (input.data != NULL)
        sodium_memzero(input.data, input.cap);
    buf_release(&input);
    if (rc != 0)
        return -1;
    rc = add(c, &v, err);
    certificate_release(&v);
    return rc;
}

static void end_say(struct command_ctx *c, int64_t not_after)
{
    cleanup_free char *end = certificate_end_text(not_after);

    if (end != NULL)
        (void) io_outf(c->io, " !     It %s. Put a new one in its place: certs:add %s\n", end, c->app.name);
}

int cmd_certs_info(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct table t = TABLE_INIT(2);
    struct certificate v = { .chain = NULL };

    (void) argv, (void) argc;
    if (c->app.certificate != NULL && certificates_get(c->store, c->app.id, &v, err) != 0)
        return -1;
    if (c->json) {
        (void) show_json(c, certificate_json(c, &v, c->app.live_version));
    } else if (v.chain == NULL) {
        (void) io_outf(c->io, "%s has no certificate of its own\n", c->app.name);
    } else {
        cleanup_free char *names = show_words(&v.names, v.names.n);

        table_add(&t, "Names:");
        table_add(&t, names);
        table_add(&t, "Valid:");
        table_addf(&t, "%s to %s", show_time(v.not_before).s, show_time(v.not_after).s);
        table_add(&t, "Subject:");
        table_add(&t, v.subject);
        table_add(&t, "Issuer:");
        table_add(&t, v.issuer);
        table_add(&t, "Fingerprint:");
        table_addf(&t, "SHA-256 %s", v.fingerprint);
        table_print(&t, c);
        end_say(c, v.not_after);
    }
    table_release(&t);
    certificate_release(&v);
    return 0;
}

int cmd_certs_remove(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *doing = xasprintf("Removing the certificate of %s", c->app.name);
    struct certificate v;
    int64_t version = 0;

    (void) argv, (void) argc;
    if (c->app.certificate == NULL) {
        if (!c->json)
            (void) io_outf(c->io, "Nothing to do: %s has no certificate of its own\n", c->app.name);
    } else {
        if (store_begin(c->store, err) != 0 || certificates_get(c->store, c->app.id, &v, err) != 0)
            return -1;
        (void) buf_addf(&c->detail, "%.64s", v.fingerprint);
        certificate_release(&v);
        if (certificates_remove(c->store, c->app.id, err) != 0
            || release_make(c, "remove certificate", doing, &version, err) != 0)
            return -1;
    }
    return c->json ? show_json(c, json_pack("{s:s, s:o}", "app", c->app.name, "release",
                                            version != 0 ? json_integer(version) : json_null())) : 0;
}
