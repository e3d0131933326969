#include "config.h"

#include "deployer/publish.h"

#include "base/image_file.h"
#include "base/image_ref.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "deployer/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MANIFESTS_MAX 64   /* of one index: platforms and attestations; more is no sane image */
#define BLOBS_MAX 2000     /* overlay file systems end at 128 layers an image */
#define PROGRESS_MS 2000   /* between two lines of progress */

struct work {
    const struct publish *p;
    struct image_ref from, to;
    struct oci *source, *target;
    struct oci_manifest manifests[MANIFESTS_MAX]; /* those that are named before those that name them */
    size_t n_manifests;
    struct blob *blobs;
    size_t n_blobs;
    uint64_t said_at;
    size_t said_done;
};

/* Whose settings hold for a registry. */
enum settings { OF_BUILD, OF_RELEASE, OF_OTHERS };

static struct oci *open_registry(const struct publish *p, enum settings of, const char *registry, struct oci *share,
                                 struct err *err)
{
    const struct conf *c = p->conf;

    return oci_new(&(struct oci_options){
                       .registry = registry,
                       .insecure = of == OF_RELEASE ? c->release_registry_insecure
                                                    : of == OF_BUILD && c->registry_insecure,
                       .ca_file = of == OF_RELEASE ? c->release_registry_ca : of == OF_BUILD ? c->registry_ca : NULL,
                       .auth_file = of == OF_RELEASE ? c->release_registry_auth : c->registry_auth,
                       .auth_name = of == OF_RELEASE ? "[release-registry] auth" : "[registry] auth",
                       .share = share,
                       .canceled = p->call->canceled,
                       .canceled_arg = p->call->canceled_arg,
                       .wake_fd = p->call->wake_fd,
                   }, err);
}

/* Is `registry` the one of this setting, HOST[:PORT][/PREFIX]? */
static bool is_of(const char *setting, const char *registry)
{
    size_t n = setting != NULL ? strcspn(setting, "/") : 0;

    return n > 0 && strlen(registry) == n && memcmp(setting, registry, n) == 0;
}

static enum settings settings_of(const struct publish *p, const char *registry)
{
    if (!p->foreign || is_of(p->conf->registry, registry))
        return OF_BUILD;
    return is_of(p->conf->release_registry, registry) ? OF_RELEASE : OF_OTHERS;
}

static int add_blob(struct work *w, const json_t *descriptor, struct err *err)
{
    const char *digest = json_str(descriptor, "digest", "");
    int64_t size = json_int(descriptor, "size", -1);

    /* What is fetched from elsewhere by who pulls (OCI image specification, layer.md, "Non-Distributable Layers"). */
    if (json_array_size(json_at(descriptor, "urls")) > 0)
        return 0;
    if (!digest_valid(digest) || size < 0)
        return err_set(err, ERR_FAILED, "the image's manifest names a layer without a sha256 digest or a size");
    for (size_t i = 0; i < w->n_blobs; i++) {
        if (strcmp(w->blobs[i].digest, digest) == 0)
            return 0;
    }
    if (w->n_blobs == BLOBS_MAX)
        return err_set(err, ERR_FAILED, "the image has more than %d layers", BLOBS_MAX);
    w->blobs = xrealloc_n(w->blobs, w->n_blobs + 1, sizeof(*w->blobs));
    (void) snprintf(w->blobs[w->n_blobs].digest, DIGEST_SIZE, "%s", digest);
    w->blobs[w->n_blobs++].size = size;
    return 0;
}

/* Gets a manifest and all that it names; an index may name images, but no other index. */
static int collect(struct work *w, const char *digest, bool top, struct err *err)
{
    struct oci_manifest m;
    size_t i;
    json_t *d;
    int rc = 0;

    if (!digest_valid(digest))
        return err_set(err, ERR_FAILED, "the image's index names an image without a sha256 digest");
    if (oci_manifest_get(w->source, w->from.repository, digest, &m, err) < 0)
        return -1;
    if (oci_is_index(m.media_type)) {
        if (!top)
            rc = err_set(err, ERR_FAILED, "the image is an index of indexes, which isn't supported");
        json_array_foreach(json_object_get(m.json, "manifests"), i, d) {
            if (rc == 0)
                rc = collect(w, json_str(d, "digest", ""), false, err);
        }
    } else {
        rc = add_blob(w, json_object_get(m.json, "config"), err);
        json_array_foreach(json_object_get(m.json, "layers"), i, d) {
            if (rc == 0)
                rc = add_blob(w, d, err);
        }
    }
    if (rc == 0 && w->n_manifests == MANIFESTS_MAX)
        rc = err_set(err, ERR_FAILED, "the image's index names more than %d images", MANIFESTS_MAX - 1);
    if (rc == 0)
        w->manifests[w->n_manifests++] = m;
    else
        oci_manifest_release(&m);
    return rc;
}

static void say_progress(void *arg, size_t done, int64_t copied)
{
    struct work *w = arg;
    cleanup_free char *line = NULL;
    uint64_t now = loop_now();

    if (copied == 0 || (done == w->n_blobs ? w->said_done == done : now - w->said_at < PROGRESS_MS))
        return;
    w->said_at = now;
    w->said_done = done;
    line = xasprintf("       publish: %zu of %zu layers, %.1f MiB", done, w->n_blobs, (double) copied / (1024 * 1024));
    w->p->call->say(w->p->call->say_arg, line);
}

static void add_file_blobs(struct work *w, const struct image_file *f)
{
    w->blobs = xcalloc(f->n + 1, sizeof(*w->blobs));
    for (size_t i = 0; i < f->n; i++) {
        struct blob *b = &w->blobs[w->n_blobs++];

        *b = (struct blob) { .size = f->v[i].size, .offset = f->v[i].offset };
        memcpy(b->digest, f->v[i].digest, DIGEST_SIZE);
    }
}

static int file_manifest(struct work *w, const struct image_file *f, struct err *err)
{
    cleanup_buf struct buf text;

    buf_init(&text, f->manifest_len);
    (void) buf_add(&text, f->manifest, f->manifest_len);
    if (oci_manifest_read("of this server", w->p->digest, NULL, &text, &w->manifests[0], err) < 0)
        return -1;
    w->n_manifests = 1;
    return 0;
}

static int copy_file(struct work *w, const char *tag, struct err *err)
{
    struct blob_copy c = { .to = w->target, .to_repository = w->to.repository, .progress = say_progress, .progress_arg = w };
    cleanup_close int fd = open(w->p->image_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct image_file f;
    int rc;

    if (fd < 0)
        return errno == ENOENT ? err_set(err, ERR_FAILED, "the file of the image is gone from this server; send it again")
                               : err_errno(err, "the file of the image can't be opened");
    if (image_file_read(fd, &f, err) < 0)
        return -1;
    rc = file_manifest(w, &f, err);
    if (rc == 0) {
        add_file_blobs(w, &f);
        c.file = fd;
        c.v = w->blobs;
        c.n = w->n_blobs;
        w->said_at = loop_now();
        rc = blob_copy_all(&c, err);
    }
    image_file_release(&f);
    return rc == 0 ? oci_manifest_put(w->target, w->to.repository, tag, &w->manifests[0], err) : -1;
}

/* True where the release registry is the build registry, so that the image is there already. */
static bool same_place(const struct work *w)
{
    return strcmp(w->from.registry, w->to.registry) == 0 && strcmp(w->from.repository, w->to.repository) == 0;
}

static int copy_missing(struct work *w, struct err *err)
{
    struct blob_copy c = {
        .from = w->source, .to = w->target,
        .from_repository = w->from.repository, .to_repository = w->to.repository,
        .mount = strcmp(w->from.registry, w->to.registry) == 0,
        .progress = say_progress, .progress_arg = w,
    };

    c.v = w->blobs;
    c.n = w->n_blobs;
    w->said_at = loop_now();
    if (blob_copy_all(&c, err) < 0)
        return -1;
    /* The last one is the image itself, and gets its tag. */
    for (size_t i = 0; i + 1 < w->n_manifests; i++) {
        if (oci_manifest_put(w->target, w->to.repository, w->manifests[i].digest, &w->manifests[i], err) < 0)
            return -1;
    }
    return 0;
}

static int publish(struct work *w, struct err *err)
{
    cleanup_free char *tag = xasprintf("v%lld", (long long) w->p->version);
    struct err why = ERR_INIT;
    int there = 0;

    if (same_place(w) && w->p->image_file == NULL)
        return oci_tag(w->target, w->to.repository, w->p->digest, tag, err);
    /* An image that a registry has is whole there: it refuses manifests whose blobs are missing. */
    there = oci_manifest_head(w->target, w->to.repository, w->p->digest, NULL, &why);
    if (there < 0 && why.code != ERR_NOT_FOUND) {
        if (err != NULL)
            *err = why;
        return -1;
    }
    if (there == 0)
        return oci_tag(w->target, w->to.repository, w->p->digest, tag, err);
    if (w->p->image_file != NULL)
        return copy_file(w, tag, err);
    if (collect(w, w->p->digest, true, err) < 0 || copy_missing(w, err) < 0)
        return -1;
    return oci_manifest_put(w->target, w->to.repository, tag, &w->manifests[w->n_manifests - 1], err);
}

/* The release registry is another one than the build registry. */
static bool has_other(const struct publish *p)
{
    return p->conf->release_registry != NULL && p->conf->release_registry[0] != '\0';
}

static int place_read(const struct publish *p, struct image_ref *ret, struct err *err)
{
    cleanup_free char *name = has_other(p) ? xasprintf("%s/%s", p->conf->release_registry, p->app)
                            : p->foreign ? xasprintf("%s/%s", p->conf->registry, p->app) : xstrdup(p->source_image);

    return image_ref_parse(name, ret, err);
}

static char *image_text(const struct image_ref *to, const struct publish *p)
{
    return xasprintf("%s/%s@%s", to->registry, to->repository, p->digest);
}

int publish_name(const struct publish *p, char **ret_image, struct err *err)
{
    struct image_ref to;

    if (place_read(p, &to, err) < 0)
        return -1;
    *ret_image = image_text(&to, p);
    return 0;
}

static int open_both(struct work *w, struct err *err)
{
    const struct publish *p = w->p;
    bool other = has_other(p);

    if (image_ref_parse(p->source_image, &w->from, err) < 0 || place_read(p, &w->to, err) < 0)
        return -1;
    w->target = open_registry(p, other ? OF_RELEASE : OF_BUILD, w->to.registry, NULL, err);
    if (w->target == NULL)
        return -1;
    if (same_place(w))
        return 0;
    w->source = open_registry(p, settings_of(p, w->from.registry), w->from.registry, w->target, err);
    return w->source != NULL ? 0 : -1;
}

int publish_image(const struct publish *p, char **ret_image, struct err *err)
{
    struct work *w = xcalloc(1, sizeof(*w));
    int rc;

    w->p = p;
    rc = open_both(w, err);
    if (rc == 0)
        rc = publish(w, err);
    if (rc == 0)
        *ret_image = image_text(&w->to, p);
    for (size_t i = 0; i < w->n_manifests; i++)
        oci_manifest_release(&w->manifests[i]);
    free(w->blobs);
    oci_free(w->source);
    oci_free(w->target);
    free(w);
    return rc;
}

int publish_resolve(const struct publish *p, const char *ref, char ret_digest[DIGEST_SIZE], json_t **ret_config,
                    struct err *err)
{
    struct image_ref from;
    struct oci *o;
    int rc;

    if (image_ref_parse(p->source_image, &from, err) < 0)
        return -1;
    o = open_registry(p, settings_of(p, from.registry), from.registry, NULL, err);
    if (o == NULL)
        return -1;
    rc = oci_image_config(o, from.repository, ref, ret_config, ret_digest, err);
    oci_free(o);
    return rc;
}
