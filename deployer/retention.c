#include "config.h"

#include "deployer/retention.h"

#include "base/image_ref.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/oci.h"

#include <string.h>
#include <unistd.h>

#define RETENTION_MS 5000 /* the app's next build waits for it */
#define PLACES_MAX 2      /* build registry, release registry */

struct place {
    struct oci *oci;
    struct image_ref ref;
    bool refuses;           /* it deletes nothing */
    bool indexes_read;      /* `named` is filled */
    struct vec named;       /* what the kept indexes name */
};

struct retention {
    const struct conf *conf;
    struct store *store;
    const struct app *app;
    int lock;
    uint64_t end;
    struct place places[PLACES_MAX];
    size_t n;
    struct vec keep;
};

static bool over(void *arg)
{
    const struct retention *r = arg;

    return loop_now() >= r->end;
}

static int add_place(struct retention *r, const char *host, bool insecure, const char *ca, const char *auth, struct err *err)
{
    cleanup_free char *name = xasprintf("%s/%s", host, r->app->handle);
    struct place *p = &r->places[r->n];

    if (image_ref_parse(name, &p->ref, err) < 0)
        return -1;
    p->oci = oci_new(&(struct oci_options){ .registry = p->ref.registry, .insecure = insecure, .ca_file = ca,
                                            .auth_file = auth, .canceled = over, .canceled_arg = r }, err);
    if (p->oci == NULL)
        return -1;
    r->n++;
    return 0;
}

static int open_places(struct retention *r, struct err *err)
{
    const struct conf *c = r->conf;

    if (add_place(r, c->registry, c->registry_insecure, c->registry_ca, c->registry_auth, err) < 0)
        return -1;
    if (c->release_registry[0] == '\0' || strcmp(c->release_registry, c->registry) == 0)
        return 0;
    return add_place(r, c->release_registry, c->release_registry_insecure, c->release_registry_ca, c->release_registry_auth,
                     err);
}

/* Adds what an index names; of an image, or of what isn't there, nothing. */
static int add_named(const struct place *p, const char *digest, struct vec *ret, struct err *err)
{
    struct err why = ERR_INIT;
    struct oci_manifest m;
    size_t i;
    json_t *d;

    if (oci_manifest_get(p->oci, p->ref.repository, digest, &m, &why) < 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *err = why;
        return -1;
    }
    json_array_foreach(json_object_get(oci_is_index(m.media_type) ? m.json : NULL, "manifests"), i, d) {
        const char *named = json_str(d, "digest", "");

        if (digest_valid(named))
            vec_add(ret, named);
    }
    oci_manifest_release(&m);
    return 0;
}

/* The images that an index names go with it, unless something that is kept names them, too. 1: gone, 0: refused, -1. */
static int delete_at(const struct retention *r, struct place *p, const char *digest, struct err *err)
{
    cleanup_vec struct vec parts = VEC_INIT;
    int rc;

    if (add_named(p, digest, &parts, err) < 0)
        return -1;
    for (size_t i = 0; parts.n > 0 && !p->indexes_read && i < r->keep.n; i++)
        if (digest_valid(r->keep.v[i]) && add_named(p, r->keep.v[i], &p->named, err) < 0)
            return -1;
    p->indexes_read = p->indexes_read || parts.n > 0;
    rc = oci_manifest_delete(p->oci, p->ref.repository, digest, err);
    for (size_t i = 0; i < parts.n && rc == 1; i++)
        if (!vec_has(&r->keep, parts.v[i]) && !vec_has(&p->named, parts.v[i]))
            rc = oci_manifest_delete(p->oci, p->ref.repository, parts.v[i], err);
    return rc;
}

/* Says once for each registry that it deletes nothing: the file of the lock holds the name of the last one. */
static void refused(const struct retention *r, struct place *p)
{
    char told[IMAGE_NAME_MAX + 1] = "";
    size_t n = strlen(p->ref.registry);

    p->refuses = true;
    if (pread(r->lock, told, sizeof(told) - 1, 0) > 0 && strcmp(told, p->ref.registry) == 0)
        return;
    if (ftruncate(r->lock, 0) < 0 || pwrite(r->lock, p->ref.registry, n, 0) != (ssize_t) n)
        log_warn("cannot note which registry deletes nothing: %m");
    log_warn("registry %s doesn't let images be deleted: those of old releases stay there (revision_history). Docker's "
             "registry does with storage: delete: enabled", p->ref.registry);
}

static int delete_one(struct retention *r, const char *digest, bool *ret_gone, struct err *err)
{
    *ret_gone = true;
    for (size_t i = 0; i < r->n; i++) {
        struct place *p = &r->places[i];
        int rc = p->refuses ? 0 : delete_at(r, p, digest, err);

        if (rc < 0)
            return -1;
        if (rc == 0 && !p->refuses)
            refused(r, p);
        *ret_gone = *ret_gone && rc == 1;
    }
    return 0;
}

static int retain(struct retention *r, size_t *ret_gone, struct err *err)
{
    cleanup_vec struct vec digests = VEC_INIT;

    if (images_take(r->store, r->app->id, (int) r->conf->revision_history, &r->keep, &digests, err) < 0)
        return -1;
    if (digests.n == 0)
        return 0;
    r->end = loop_now() + RETENTION_MS;
    if (open_places(r, err) < 0)
        return -1;
    for (size_t i = 0; i < digests.n; i++) {
        bool gone = false;

        if (digest_valid(digests.v[i]) && delete_one(r, digests.v[i], &gone, err) < 0)
            return -1;
        if (images_mark(r->store, r->app->id, digests.v[i], gone, err) < 0)
            return -1;
        *ret_gone += gone;
    }
    return 0;
}

void retention_run(const struct conf *c, struct store *s, const struct app *a, int lock)
{
    struct retention r = { .conf = c, .store = s, .app = a, .lock = lock };
    struct err err = ERR_INIT;
    size_t gone = 0;

    if (retain(&r, &gone, &err) < 0)
        log_warn(a->deleting ? "images of the app stay in the registry: %s"
                             : "images of old releases stay until the next release: %s", err.msg);
    if (gone > 0)
        log_info("%zu image%s of %s removed from the registry", gone, gone == 1 ? "" : "s",
                 a->deleting ? "the app" : "old releases");
    for (size_t i = 0; i < r.n; i++) {
        oci_free(r.places[i].oci);
        vec_release(&r.places[i].named);
    }
    vec_release(&r.keep);
}
