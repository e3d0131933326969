#include "config.h"

#include "base/image_ref.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/word.h"
#include "gateway/archive_import.h"
#include "gateway/cmd.h"
#include "gateway/deploy.h"
#include "gateway/image_load.h"
#include "gateway/refs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* --- git:from-archive */

static int queue(struct command_ctx *c, struct command_io *io, git_repository *repo, const struct archive_import *a,
                 int64_t *ret_id, struct err *err)
{
    struct build_new b = {
        .app_id = c->app.id, .user_id = c->user.id, .user = c->user.name, .branch = c->app.deploy_branch,
        .old_commit = c->app.live_commit, .commit = a->commit, .tree = a->policy.tree, .message = ARCHIVE_MESSAGE,
        .shallow = a->cut,
    };

    if (deploy_queue(c->store, io, &b, &a->policy.app_json, ret_id, err) < 0)
        return -1;
    return refs_keep_build(repo, *ret_id, a->commit, a->cut, err);
}

static int show_live(struct command_ctx *c, const struct build *b, struct err *err)
{
    struct release r;

    if (!c->json)
        return 0;
    if (releases_get(c->store, b->release_id, &r, err) < 0)
        return -1;
    (void) show_json(c, json_pack("{s:s, s:I, s:s, s:I, s:o}", "app", c->app.name, "build", (json_int_t) b->id,
                                  "commit", b->commit, "release", (json_int_t) r.version, "url",
                                  show_json_text(r.url)));
    release_release(&r);
    return 0;
}

static int import_and_queue(struct command_ctx *c, struct command_io *io, int64_t *ret_id, struct err *err)
{
    git_repository *repo = NULL;
    struct archive_import a;
    int rc;

    if (refs_init(err) < 0 || refs_open(c->conf, c->app.id, &repo, err) < 0)
        return -1;
    rc = archive_import(c, repo, &a, err);
    if (rc == 0) {
        (void) io_outf(io, "-----> Received an archive as %.7s (%" PRIu64 " file%s, %s)\n", a.commit, a.policy.files,
                       a.policy.files == 1 ? "" : "s", show_size(a.policy.bytes).s);
        (void) buf_addf(&c->detail, "%.12s", a.commit);
        c->repack = c->app.id;
        rc = queue(c, io, repo, &a, ret_id, err);
        policy_result_release(&a.policy);
    }
    git_repository_free(repo);
    return rc;
}

int cmd_git_from_archive(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    struct progress_io p;
    struct command_io *io = progress_io_init(&p, c);
    struct build b;
    int64_t id = 0;
    int rc;

    if (argc > 0 && strcmp(argv[0], "-") != 0)
        return err_set(err, ERR_USAGE, "an archive comes from standard input, which is -, not from \"%s\"; for example: curl -sSL "
                       "URL | ssh HOST git:from-archive %s -", word_shown(argv[0]).s, c->app.name);
    if (deploy_check(c, err) < 0 || import_and_queue(c, io, &id, err) < 0)
        return -1;
    (void) buf_addf(&c->detail, " build %" PRId64, id);
    log_info("queued build %" PRId64 " of an archive", id);
    rc = deploy_follow(c, io, id, &b, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    deploy_project(c->conf, c->store, c->app.id);
    rc = show_live(c, &b, err);
    build_release(&b);
    return rc;
}

/* --- git:from-image */

/* One name for one registry, so that no other way of writing it gets around image_allowed. */
static void registry_normalize(char *registry)
{
    static const char *const hub[] = { "index.docker.io", "registry-1.docker.io" };
    size_t n;

    for (char *p = registry; *p != '\0'; p++)
        *p = (char) (*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    n = strlen(registry);
    if (n > 4 && strcmp(registry + n - 4, ":443") == 0)
        registry[n - 4] = '\0';
    for (size_t i = 0; i < countof(hub); i++)
        if (strcmp(registry, hub[i]) == 0)
            (void) snprintf(registry, IMAGE_NAME_MAX + 1, "docker.io");
}

/* The part of a name that follows the HOST[:PORT][/PREFIX] of a registry's setting; NULL where it isn't below it. */
static const char *below(const char *setting, const char *name)
{
    size_t host = setting != NULL ? strcspn(setting, "/") : 0, n;
    char registry[IMAGE_NAME_MAX + 1];
    cleanup_free char *prefix = NULL;

    if (host == 0 || host > IMAGE_NAME_MAX)
        return NULL;
    (void) snprintf(registry, sizeof(registry), "%.*s", (int) host, setting);
    registry_normalize(registry);
    prefix = xasprintf("%s%s/", registry, setting + host);
    n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n : NULL;
}

int image_allowed(struct command_ctx *c, struct image_ref ref, struct err *err)
{
    cleanup_free char *name = NULL;
    const char *of;
    enum role role = ROLE_NONE;
    struct app other;
    bool may;

    registry_normalize(ref.registry);
    name = xasprintf("%s/%s", ref.registry, ref.repository);
    of = below(c->conf->registry, name);
    if (of == NULL)
        of = below(c->conf->release_registry, name);
    if (of == NULL || strcmp(of, c->app.handle) == 0)
        return 0;
    may = app_name_check(of, NULL) == 0 && apps_get_handle(c->store, of, &other, NULL) == 0;
    if (may) {
        may = access_role(c->store, &c->user, other.id, &role, NULL) == 0 && role >= ROLE_DEPLOY;
        app_release(&other);
    }
    return may ? 0 : err_set(err, ERR_NOT_FOUND, "%s is no image of an app in which you have the role deploy", name);
}

int cmd_git_from_image(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    cleanup_free char *name = NULL, *description = NULL, *doing = xasprintf("Releasing an image as %s", c->app.name);
    struct release_made made = { 0 };
    struct image_ref ref;
    struct release_ask ask;

    (void) argc;
    if (image_ref_parse(argv[0], &ref, err) < 0)
        return err_wrap(err, "the image \"%s\"", word_shown(argv[0]).s);
    if (ref.digest[0] == '\0' && ref.tag[0] == '\0')
        return err_set(err, ERR_USAGE, "the image needs a tag or a digest; for example: %s:1.2", argv[0]);
    name = xasprintf("%s/%s", ref.registry, ref.repository);
    (void) buf_addf(&c->detail, "%s", argv[0]);
    if (image_allowed(c, ref, err) < 0 || deploy_check(c, err) < 0)
        return -1;
    description = ref.digest[0] != '\0' ? xasprintf("image %s@%.19s", name, ref.digest)
                                        : xasprintf("image %s:%s", name, ref.tag);
    ask = (struct release_ask){
        .description = description, .doing = doing, .source_image = name,
        .image_ref = ref.digest[0] != '\0' ? ref.digest : ref.tag, .run_release_command = true, .restart = true,
    };
    if (store_begin(c->store, err) != 0 || release_ask(c, &ask, &made, err) != 0)
        return -1;
    if (c->json)
        (void) show_json(c, json_pack("{s:s, s:s, s:I, s:o}", "app", c->app.name, "image", argv[0], "release",
                                      (json_int_t) made.version, "url", show_json_text(made.url)));
    free(made.url);
    return 0;
}

/* --- git:load-image */

/* In the words of images; "" where unknown. */
static const char *own_architecture(void)
{
    static const char *const names[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "riscv64", "riscv64" },
                                            { "s390x", "s390x" }, { "ppc64le", "ppc64le" } };
    struct utsname u;

    for (size_t i = 0; uname(&u) == 0 && i < countof(names); i++)
        if (strcmp(u.machine, names[i][0]) == 0)
            return names[i][1];
    return "";
}

static void say_received(struct command_ctx *c, const char *name, const struct image_load *l)
{
    const char *own = own_architecture(), *theirs = l->architecture;
    bool known = process_name_check(theirs, NULL) == 0; /* nothing that a terminal would take for more than text */
    struct progress_io p;
    struct command_io *io = progress_io_init(&p, c);

    (void) io_outf(io, "-----> Received %s, %.19s (linux/%s, %zu layer%s, %s)\n", name, l->digest, known ? theirs : "?", l->layers,
                   l->layers == 1 ? "" : "s", show_size((uint64_t) l->bytes).s);
    if (own[0] != '\0' && known && strcmp(own, theirs) != 0)
        (void) io_outf(io, " !     The image is for %s, and this server is %s: it starts only on machines that are %s\n", theirs,
                       own, theirs);
    for (size_t i = 0; i < l->warnings.n; i++)
        (void) io_outf(io, " !     %s\n", l->warnings.v[i]);
}

static int release_loaded(struct command_ctx *c, struct image_load *l, const char *name, struct release_made *made, struct err *err)
{
    const char *registry = c->conf->release_registry;
    cleanup_free char *description = xasprintf("image %s", name), *doing = xasprintf("Releasing an image as %s", c->app.name);
    cleanup_free char *source = xasprintf("%s/%s", registry != NULL && registry[0] != '\0' ? registry : c->conf->registry, c->app.handle);
    cleanup_free char *file = NULL;

    if (store_begin(c->store, err) != 0)
        return -1;
    if (image_load_keep(l, &file, err) < 0) {
        store_rollback(c->store);
        return -1;
    }
    return release_ask(c, &(struct release_ask) {
        .description = description, .doing = doing, .source_image = source, .image_ref = l->digest, .image_file = file,
        .processes = &l->processes, .run_release_command = true, .restart = true }, made, err);
}

int cmd_git_load_image(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *wanted = argc > 0 && strcmp(argv[0], "-") != 0 ? argv[0] : NULL;
    struct release_made made = { 0 };
    struct image_load l;
    struct image_ref ref;
    const char *name;
    int rc;

    if (wanted != NULL && image_ref_parse(wanted, &ref, err) < 0)
        return err_wrap(err, "the image \"%s\"", word_shown(wanted).s);
    if (wanted != NULL && ref.digest[0] != '\0')
        return err_set(err, ERR_USAGE, "the image \"%s\" has a digest; those in an archive have names and tags, for example: "
                       "git:load-image %s my/app:1.2", word_shown(wanted).s, c->app.name);
    if (deploy_check(c, err) < 0 || image_load(c, wanted, &l, err) < 0)
        return -1;
    name = wanted != NULL ? wanted : l.name[0] != '\0' ? l.name : "without a name";
    (void) buf_addf(&c->detail, "%s %.19s", name, l.digest);
    say_received(c, name, &l);
    rc = release_loaded(c, &l, name, &made, err);
    if (rc == 0 && c->json)
        (void) show_json(c, json_pack("{s:s, s:s, s:s, s:I, s:o}", "app", c->app.name, "image", name, "digest", l.digest,
                                      "release", (json_int_t) made.version, "url", show_json_text(made.url)));
    free(made.url);
    image_load_release(&l);
    return rc;
}
