#include "config.h"

#include "builder/storage.h"

#include "base/image_ref.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/oci.h"
#include "base/path.h"
#include "builder/volume.h"
#include "sql/tables.h"

#include <string.h>

#define REGISTRY_MS 30000 /* that all questions to the registry may take: the person waits */

struct report {
    const struct conf *conf;
    struct store *store;
    json_t *df;              /* of the engine; NULL: it doesn't answer */
    struct oci *oci;         /* NULL: not asked any more */
    uint64_t end;
};

static bool over(void *arg)
{
    return loop_now() >= ((struct report *) arg)->end;
}

/* --- the engine */

static json_t *size_json(int64_t n)
{
    return n >= 0 ? json_integer(n) : json_null();
}

/* Bytes of the volumes whose names begin so. */
static int64_t volumes_size(const json_t *df, const char *prefix)
{
    int64_t sum = 0;
    size_t i;
    json_t *v;

    json_array_foreach(json_object_get(df, "Volumes"), i, v) {
        int64_t n = json_int(v, "UsageData.Size", 0);

        if (strncmp(json_str(v, "Name", ""), prefix, strlen(prefix)) == 0 && n > 0)
            sum += n;
    }
    return sum;
}

static bool names(const json_t *image, const char *key, const char *repository)
{
    size_t i, n = strlen(repository);
    json_t *name;

    json_array_foreach(json_object_get(image, key), i, name) {
        const char *s = json_string_value(name);

        if (s != NULL && strncmp(s, repository, n) == 0 && (s[n] == '@' || s[n] == ':'))
            return true;
    }
    return false;
}

/* What the engine would have more room without the repository's images: layers of others' don't count. */
static int64_t images_size(const json_t *df, const char *repository)
{
    int64_t sum = 0;
    size_t i;
    json_t *image;

    json_array_foreach(json_object_get(df, "Images"), i, image) {
        int64_t shared = json_int(image, "SharedSize", 0);

        if (names(image, "RepoDigests", repository) || names(image, "RepoTags", repository))
            sum += json_int(image, "Size", 0) - (shared > 0 ? shared : 0);
    }
    return sum;
}

json_t *storage_engine(const json_t *df, const char *root)
{
    int64_t room = -1, size = -1;

    if (path_room(root, &room, &size, NULL) < 0)
        room = size = -1;
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "root", json_string(root), "free",
                     size_json(room), "size", size_json(size), "images", json_int(df, "LayersSize", 0), "caches",
                     (json_int_t) volumes_size(df, VOLUME_PREFIX), "volumes", (json_int_t) volumes_size(df, ""));
}

/* --- the registry */

/* Adds what the manifest names and was not counted yet; an index's images, too. */
static int manifest_size(struct report *r, const char *repository, const char *digest, struct vec *seen, int64_t *sum,
                         struct err *err)
{
    static const char *const lists[] = { "layers", "manifests" };
    struct oci_manifest m;
    json_t *d, *list;
    size_t i;
    int rc = 0;

    if (vec_has(seen, digest))
        return 0;
    vec_add(seen, digest);
    if (oci_manifest_get(r->oci, repository, digest, &m, err) < 0)
        return -1;
    *sum += (int64_t) m.len;
    for (size_t k = 0; k < countof(lists); k++) {
        list = json_object_get(m.json, lists[k]);
        json_array_foreach(list, i, d) {
            const char *one = json_str(d, "digest", "");

            if (rc != 0 || !digest_valid(one) || vec_has(seen, one))
                continue;
            if (k == 1) {
                /* No index names another: what names itself would not end. */
                rc = oci_is_index(json_str(d, "mediaType", "")) ? 0 : manifest_size(r, repository, one, seen, sum, err);
                continue;
            }
            vec_add(seen, one);
            *sum += json_int(d, "size", 0);
        }
    }
    *sum += json_int(m.json, "config.size", 0);
    oci_manifest_release(&m);
    return rc;
}

/* Bytes of the app's images in the build registry, each layer once; -1: not known. */
static int64_t registry_size(struct report *r, const struct app *a)
{
    cleanup_free char *name = xasprintf("%s/%s", r->conf->registry, a->handle);
    cleanup_vec struct vec digests = VEC_INIT, seen = VEC_INIT;
    struct err err = ERR_INIT;
    struct image_ref ref;
    int64_t sum = 0;

    if (r->oci == NULL || image_ref_parse(name, &ref, NULL) < 0 || images_of(r->store, a->id, &digests, &err) < 0)
        return -1;
    for (size_t i = 0; i < digests.n; i++) {
        err_clear(&err);
        if (!digest_valid(digests.v[i])
            || manifest_size(r, ref.repository, digests.v[i], &seen, &sum, &err) == 0 || err.code == ERR_NOT_FOUND)
            continue;
        log_info("what the registry holds is not known: %s", err.msg);
        oci_free(r->oci);
        r->oci = NULL;
        return -1;
    }
    return sum;
}

static void open_registry(struct report *r)
{
    struct image_ref ref;
    cleanup_free char *name = xasprintf("%s/x", r->conf->registry);

    r->end = loop_now() + REGISTRY_MS;
    if (image_ref_parse(name, &ref, NULL) < 0)
        return;
    r->oci = oci_new(&(struct oci_options) { .registry = ref.registry, .insecure = r->conf->registry_insecure,
                                             .ca_file = r->conf->registry_ca, .auth_file = r->conf->registry_auth,
                                             .canceled = over, .canceled_arg = r }, NULL);
}

static json_t *app_json(struct report *r, const struct app *a)
{
    const char *host = r->conf->release_registry[0] != '\0' ? r->conf->release_registry : r->conf->registry;
    cleanup_free char *repository = xasprintf("%s/%s", host, a->handle), *volume = volume_of(r->conf, a->id);
    bool known = r->df != NULL;

    return json_pack("{s:o, s:o, s:o}", "cache", size_json(!known ? -1 : volume != NULL ? volumes_size(r->df, volume) : 0),
                     "images", size_json(known ? images_size(r->df, repository) : -1), "registry",
                     size_json(registry_size(r, a)));
}

static int apps_json(struct report *r, int64_t app_id, json_t *ret, struct err *err)
{
    struct app *v;
    size_t n;

    if (apps_list(r->store, 0, &v, &n, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *id = xasprintf("%lld", (long long) v[i].id);

        if (app_id == 0 || v[i].id == app_id)
            (void) json_object_set_new(ret, id, app_json(r, &v[i]));
        app_release(&v[i]);
    }
    free(v);
    return 0;
}

int storage_report(const struct conf *c, struct store *s, int64_t app_id, json_t **ret, struct err *err)
{
    cleanup_free char *spool = conf_state_path(c, "spool"), *root = NULL;
    struct report r = { .conf = c, .store = s };
    struct docker *d = docker_new(c->docker_socket, err);
    json_t *apps = json_object();
    struct err why = ERR_INIT;
    int64_t bytes = 0;
    int rc;

    if (d != NULL && docker_usage(d, &root, &r.df, &why) < 0)
        log_info("what the Docker engine holds is not known: %s", why.msg);
    docker_free(d);
    (void) path_size(spool, &bytes, NULL);
    open_registry(&r);
    rc = apps_json(&r, app_id, apps, err);
    if (rc == 0)
        *ret = json_pack("{s:I, s:o, s:o, s:O}", "spool", (json_int_t) bytes, "docker",
                         r.df != NULL ? storage_engine(r.df, root) : json_null(), "docker_error",
                         r.df == NULL ? json_string(why.msg) : json_null(), "apps", apps);
    json_decref(apps);
    json_decref(r.df);
    oci_free(r.oci);
    return rc;
}
