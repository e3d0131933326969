#include "config.h"

#include "builder/work.h"

#include "base/log.h"
#include "base/mem.h"
#include "builder/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIGEST_SHOWN 15 /* "sha256:" and eight digits */

static int make_release(struct work *w, const char *digest, const char *processes, int64_t reused_from,
                        struct err *err)
{
    int64_t release = 0;

    if (!work_goes_on(w))
        return err_set(err, ERR_FAILED, "canceled");
    if (w->hash[0] == '\0') /* pack may have fetched the builder only now */
        (void) cache_hash(w->conf, w->docker, w->build.tree, &w->vars, w->hash, NULL);
    progress_step(&w->log, "Published %s@%.*s", w->image, DIGEST_SHOWN, digest);
    if (builds_built(w->store, &w->lease, w->build.id, w->image, digest, processes,
                     w->hash[0] != '\0' ? w->hash : NULL, reused_from, &release, err) != 0)
        return -1;
    w->built = true;
    (void) close(steal_fd(w->images));
    log_info("built %s@%s%s", w->image, digest, reused_from != 0 ? " (reused)" : "");
    return 0;
}

int work_publish(struct work *w, const char *digest, struct err *err)
{
    cleanup_vec struct vec warnings = VEC_INIT;
    cleanup_free char *text = NULL;
    struct processes processes = { NULL, 0 };
    char found[DIGEST_SIZE];
    json_t *config = NULL;
    int rc;

    /* By the tag, which only this build's export writes: so a line that the app's own code printed
     * finds nothing, or an image that is not the one it names. */
    if (oci_image_config(w->oci, w->repository, w->tag, &config, found, err) != 0)
        return -1;
    if (digest[0] != '\0' && strcmp(digest, found) != 0) {
        json_decref(config);
        return err_set(err, ERR_NOT_FOUND, "%s:%s is another image than the one that was printed", w->image,
                       w->tag);
    }
    rc = image_processes(config, &w->procfile, &processes, &warnings, err);
    json_decref(config);
    if (rc != 0)
        return -1;
    for (size_t i = 0; i < warnings.n; i++)
        progress_warn(&w->log, "%s", warnings.v[i]);
    text = processes_json(&processes);
    processes_release(&processes);
    return make_release(w, found, text, 0, err);
}

int work_reuse(struct work *w, struct err *err)
{
    struct err why = ERR_INIT;
    struct build earlier;
    int rc;

    if (w->hash[0] == '\0' || w->build.no_cache)
        return 0;
    if (builds_find_input(w->store, w->hash, &earlier, &why) != 0) {
        if (why.code == ERR_NOT_FOUND)
            return 0;
        *err = why;
        return -1;
    }
    rc = cache_take(w->oci, &earlier, w->repository, w->tag, err);
    if (rc == 1) {
        progress_step(&w->log, "Reusing the image of build %lld (same tree, builder and build config)",
                      (long long) earlier.id);
        rc = make_release(w, earlier.digest, earlier.processes_json, earlier.id, err) == 0 ? 1 : -1;
    }
    build_release(&earlier);
    return rc;
}
