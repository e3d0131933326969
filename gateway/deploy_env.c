/* What app.json says about an app's config and its first processes. */
#include "config.h"

#include "gateway/deploy.h"

#include "base/mem.h"
#include "sql/tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES 32      /* printed as 64 hex digits, as Heroku's generator does */
#define SECRET_SIZE (2 * SECRET_BYTES + 1)
#define NAMED_MAX 8          /* names that a refusal lists */

static bool is_set(const struct config_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->v[i].name, name) == 0)
            return true;
    return false;
}

/* The newest config of the app; of one that does not exist yet, nothing. */
static int config_read(struct store *s, int64_t app_id, int64_t version, struct config_set *ret, struct err *err)
{
    *ret = (struct config_set) { NULL, 0 };
    return app_id != 0 ? config_get(s, app_id, version, ret, err) : 0;
}

int deploy_env_check(struct store *s, const struct app *app, const struct app_json *a, struct err *err)
{
    cleanup_buf struct buf names, words;
    struct config_set set;
    size_t n = 0;

    if (config_read(s, app->id, app->config_version, &set, err) < 0)
        return -1;
    buf_init(&names, ERR_MSG_MAX);
    buf_init(&words, ERR_MSG_MAX);
    for (size_t i = 0; i < a->n_env; i++) {
        const struct app_json_env *e = &a->env[i];

        if (!e->required || is_set(&set, e->name) || n++ >= NAMED_MAX)
            continue;
        (void) buf_addf(&names, "%senv.%s (line %zu)", n > 1 ? ", " : "", e->name, e->line);
        (void) buf_addf(&words, " %s=...", e->name);
    }
    config_set_release(&set);
    if (n == 0)
        return 0;
    return err_set(err, ERR_FAILED, "app.json requires %s%s, which %s not set; first: %s%s%sconfig:set %s%s",
                   buf_str(&names), n > NAMED_MAX ? " and more" : "", n > 1 ? "are" : "is",
                   app->id == 0 ? "apps:create " : "", app->id == 0 ? app->name : "",
                   app->id == 0 ? ", then " : "", app->name, buf_str(&words));
}

static void secret_make(char ret[SECRET_SIZE])
{
    unsigned char bytes[SECRET_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    (void) sodium_bin2hex(ret, SECRET_SIZE, bytes, sizeof(bytes));
    sodium_memzero(bytes, sizeof(bytes));
}

/* All that has a value or a generator and is not set. */
static int env_set(struct store *s, int64_t app_id, const struct app_json *a, int64_t version, struct vec *said, struct err *err)
{
    cleanup_free struct config_change *v = xcalloc(a->n_env + 1, sizeof(*v));
    char (*secrets)[SECRET_SIZE] = xcalloc(a->n_env + 1, sizeof(*secrets));
    cleanup_buf struct buf names;
    struct config_set set;
    size_t n = 0;
    int rc = config_read(s, app_id, version, &set, err);

    buf_init(&names, 64 * 1024);
    for (size_t i = 0; i < a->n_env && rc == 0; i++) {
        const struct app_json_env *e = &a->env[i];

        if ((e->value == NULL && !e->secret) || is_set(&set, e->name))
            continue;
        if (e->secret)
            secret_make(secrets[n]);
        v[n] = (struct config_change) { .name = e->name, .value = e->secret ? secrets[n] : e->value, .run = true };
        v[n].value_len = strlen(v[n].value);
        (void) buf_addf(&names, "%s%s%s", n > 0 ? ", " : "", e->name, e->secret ? " (generated)" : "");
        n++;
    }
    if (rc == 0 && n > 0)
        rc = config_change(s, app_id, v, n, &version, err);
    if (rc == 0 && n > 0)
        vec_addf(said, "-----> Setting config of app.json: %.400s", buf_str(&names));
    sodium_memzero(secrets, (a->n_env + 1) * sizeof(*secrets));
    free(secrets);
    config_set_release(&set);
    return rc < 0 ? err_wrap(err, "the config of app.json") : 0;
}

/* Counts of types that nobody has scaled yet. */
static int formation_fill(struct store *s, int64_t app_id, const struct app_json *a, struct err *err)
{
    const struct formation *wanted = &a->formation;
    struct formation f = { NULL, 0 };
    int rc = formation_get(s, app_id, &f, err);

    for (size_t i = 0; i < wanted->n && rc == 0; i++)
        if (formation_count(&f, wanted->v[i].process) < 0)
            formation_set(&f, wanted->v[i].process, wanted->v[i].count);
    if (rc == 0 && wanted->n > 0)
        rc = formation_put(s, app_id, &f, err);
    formation_release(&f);
    return rc;
}

int deploy_app_json(struct store *s, int64_t app_id, const struct app_json *a, struct vec *ret_said, struct err *err)
{
    const struct vec *warnings = &a->warnings;
    struct app now;
    int rc = 0;

    if (apps_get_id(s, app_id, &now, err) < 0)
        return -1;
    for (size_t i = 0; i < warnings->n; i++)
        vec_addf(ret_said, " !     %s", warnings->v[i]);
    if (now.live_release_id == 0)
        rc = env_set(s, app_id, a, now.config_version, ret_said, err) < 0 || formation_fill(s, app_id, a, err) < 0 ? -1 : 0;
    app_release(&now);
    return rc;
}
