#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/app_document.h"
#include "gateway/app_document_seal.h"
#include "gateway/cmd_config.h"

#include <stdlib.h>

#define UNOPENED_SAID 50

static int config_add(struct command_ctx *c, json_t *doc, struct err *err)
{
    struct config_set set;
    json_t *config;

    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    config = json_object();
    for (size_t i = 0; i < set.n; i++)
        (void) json_object_set_new(config, set.v[i].name,
                                   json_pack("{s:o}", "scopes", show_json_scopes(set.v[i].run, set.v[i].build)));
    config_set_release(&set);
    return json_object_set_new(doc, "config", config);
}

static int access_add(struct command_ctx *c, json_t *doc, struct err *err)
{
    struct access_row *v = NULL;
    json_t *access;
    size_t n = 0;

    if (access_list(c->store, c->app.id, false, &v, &n, err) != 0)
        return -1;
    access = json_object();
    for (size_t i = 0; i < n; i++)
        (void) json_object_set_new(access, v[i].who, json_string(role_name(v[i].role)));
    access_rows_free(v, n);
    return json_object_set_new(doc, "access", access);
}

static int formation_add(struct command_ctx *c, json_t *doc, struct err *err)
{
    struct formation f;
    json_t *formation;

    if (formation_get(c->store, c->app.id, &f, err) != 0)
        return -1;
    formation = json_object();
    for (size_t i = 0; i < f.n; i++)
        (void) json_object_set_new(formation, f.v[i].process, json_integer(f.v[i].count));
    formation_release(&f);
    return json_object_set_new(doc, "formation", formation);
}

/* "registry/shop@sha256:…" of the live release; null where nothing is live. */
static int image_add(struct command_ctx *c, json_t *doc, struct err *err)
{
    struct release live;
    json_t *image;

    if (c->app.live_release_id == 0)
        return json_object_set_new(doc, "image", json_null());
    if (releases_get(c->store, c->app.live_release_id, &live, err) != 0)
        return -1;
    image = live.image != NULL ? json_string(live.image) : json_sprintf("%s@%s", live.source_image, live.digest);
    release_release(&live);
    return json_object_set_new(doc, "image", image);
}

/* What only builds can open stays out, and is said. */
static int unopened_say(struct command_ctx *c, struct err *err)
{
    cleanup_vec struct vec names = VEC_INIT;
    cleanup_free char *words = NULL;
    struct config_set set;

    if (config_get(c->store, c->app.id, c->app.config_version, &set, err) != 0)
        return -1;
    for (size_t i = 0; i < set.n; i++)
        if (!set.v[i].run)
            vec_add(&names, set.v[i].name);
    config_set_release(&set);
    words = show_words(&names, UNOPENED_SAID);
    if (names.n > 0)
        (void) io_errf(c->io, " !     In build scope alone, and so without a value in the document: %s\n", words);
    return 0;
}

/* 1: the person went away. */
static int sealed_add(struct command_ctx *c, json_t *doc, const char *to, struct err *err)
{
    unsigned char key[crypto_box_PUBLICKEYBYTES];
    json_auto_t *values = NULL;

    if (app_key_parse(to, "--with-config", key, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "--with-config %s", to);
    values = config_values(c, c->app.config_version, NULL, err);
    if (values == NULL)
        return err->code == ERR_NONE ? 1 : -1;
    return app_document_seal(doc, key, values, err) == 0 ? unopened_say(c, err) : -1;
}

int cmd_apps_export(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *doc = json_pack("{s:i, s:s, s:s, s:s, s:o}", "slipway", APP_DOCUMENT_VERSION, "name", c->app.name,
                                 "deploy_branch", c->app.deploy_branch, "on_disconnect", c->app.on_disconnect, "target",
                                 show_json_text(c->app.target[0] != '\0' ? c->app.target : NULL));
    const char *to = command_option(c, "--with-config");
    char *text;
    int rc;

    (void) argv, (void) argc;
    if (image_add(c, doc, err) != 0 || formation_add(c, doc, err) != 0 || config_add(c, doc, err) != 0
        || json_object_set_new(doc, "domains", json_list(&c->app.domains)) != 0 || access_add(c, doc, err) != 0)
        return -1;
    rc = to != NULL ? sealed_add(c, doc, to, err) : 0;
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (c->json)
        return show_json(c, json_incref(doc));
    /* For people and for git: a member a line. */
    text = json_dumps(doc, JSON_INDENT(2));
    (void) io_outf(c->io, "%s\n", text);
    free(text);
    return 0;
}
