#include "config.h"

#include "builder/pack.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pack trusts this name whatever it is told, and unlike Docker Hub's it has no second spelling. */
#define ALWAYS_TRUSTED "gcr.io/buildpacks/builder:google-22"

bool pack_trusts(const struct conf *c)
{
    if (c->trust_builder)
        return true;
    for (size_t i = 0; i < c->trusted_builders.n; i++) {
        if (strcmp(c->trusted_builders.v[i], c->builder) == 0)
            return true;
    }
    return false;
}

/* docker's rule: the first component is a registry where it has a dot or a colon, or is localhost. */
static bool names_registry(const char *image)
{
    size_t n = strcspn(image, "/");

    if (image[n] == '\0')
        return false;
    return memchr(image, '.', n) != NULL || memchr(image, ':', n) != NULL
           || (n == 9 && strncmp(image, "localhost", 9) == 0);
}

static int add_builder(const struct conf *c, struct vec *ret, struct err *err)
{
    vec_add(ret, "--builder");
    if (pack_trusts(c)) {
        vec_add(ret, c->builder);
        vec_add(ret, "--trust-builder");
        return 0;
    }
    if (strcmp(c->builder, ALWAYS_TRUSTED) == 0)
        return err_set(err, ERR_FAILED, "pack runs %s in one container always: set trust_builder = yes "
                       "in [build], or name the builder by its digest", c->builder);
    /* pack trusts some short names by itself; the full name is the same image and is not on its list. */
    vec_addf(ret, "%s%s", names_registry(c->builder) ? "" : "docker.io/", c->builder);
    return 0;
}

/* Where pack 0.36 speaks plain http by itself (go-containerregistry, name/registry.go): loopback,
 * *.local and the private networks of RFC 1918. */
static bool plain_by_itself(const char *host)
{
    size_t n = strcspn(host, ":/");
    int a, b;

    if ((n == 9 && strncmp(host, "localhost", 9) == 0)
        || (n > 6 && strncmp(host + n - 6, ".local", 6) == 0)
        || (n > 10 && strncmp(host + n - 10, ".localhost", 10) == 0))
        return true;
    if (sscanf(host, "%d.%d.%*d.%*d", &a, &b) != 2) /* numbers only steer a flag */
        return false;
    return a == 127 || a == 10 || (a == 192 && b == 168) || (a == 172 && b >= 16 && b <= 31);
}

int pack_argv(const struct conf *c, const struct pack_job *job, struct vec *ret, struct err *err)
{
    vec_addl(ret, c->pack, "build", job->image, "--path", job->path, "--publish", "--no-color", NULL);
    vec_add(ret, "--tag");
    vec_addf(ret, "%s:%s", job->image, job->tag);
    if (add_builder(c, ret, err) != 0)
        return -1;
    vec_addl(ret, "--pull-policy", c->pull_policy, NULL);
    vec_add(ret, "--cache");
    vec_addf(ret, "type=build;format=volume;name=%s", job->cache_volume);
    vec_addl(ret, "--report-output-dir", job->report_dir, NULL);
    if (job->descriptor != NULL)
        vec_addl(ret, "--descriptor", job->descriptor, NULL);
    if (c->network[0] != '\0')
        vec_addl(ret, "--network", c->network, NULL);
    if (c->run_image[0] != '\0')
        vec_addl(ret, "--run-image", c->run_image, NULL);
    if (!pack_trusts(c) && job->lifecycle_image != NULL)
        vec_addl(ret, "--lifecycle-image", job->lifecycle_image, NULL);
    if (job->env_dir != NULL) {
        vec_add(ret, "--volume");
        vec_addf(ret, "%s:/platform/env:ro", job->env_dir);
    }
    if (c->registry_ca[0] != '\0') {
        vec_add(ret, "--volume");
        vec_addf(ret, "%s:" PACK_CA_TARGET ":ro", c->registry_ca);
    }
    if (c->registry_insecure && !plain_by_itself(c->registry)) { /* a flag of pack 0.38 */
        vec_add(ret, "--insecure-registry");
        vec_addf(ret, "%.*s", (int) strcspn(c->registry, "/"), c->registry);
    }
    if (job->clear_cache)
        vec_add(ret, "--clear-cache");
    return 0;
}

/* memmem with a string; NULL where it is not in the line. */
static const char *find(const char *line, size_t n, const char *what)
{
    return memmem(line, n, what, strlen(what));
}

static bool starts(const char *line, size_t n, const char *with)
{
    return n >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* "*** Images (sha256:…):", printed by the lifecycle when the image and all its tags are in the registry. */
static bool take_digest(struct pack_seen *s, const char *line, size_t n)
{
    static const char images[] = "*** Images (", phase[] = "[exporter] ";
    char digest[DIGEST_SIZE];

    if (!s->trusted) { /* only the exporter's container can print lines with this prefix */
        if (!starts(line, n, phase))
            return false;
        line += sizeof(phase) - 1;
        n -= sizeof(phase) - 1;
    }
    if (!starts(line, n, images) || n < sizeof(images) - 1 + DIGEST_SIZE - 1)
        return false;
    (void) snprintf(digest, sizeof(digest), "%.*s", DIGEST_SIZE - 1, line + sizeof(images) - 1);
    if (!digest_valid(digest))
        return false;
    (void) snprintf(s->digest, sizeof(s->digest), "%s", digest);
    return true;
}

static int number(const char *s, size_t n)
{
    int v = 0;

    for (size_t i = 0; i < n && s[i] >= '0' && s[i] <= '9' && v < 100000; i++)
        v = v * 10 + (s[i] - '0');
    return v;
}

/* Behind the "[phase] " that pack puts before the lines of each container. */
static void skip_phase(const char **line, size_t *n)
{
    const char *end = *n > 0 && **line == '[' ? memmem(*line, *n, "] ", 2) : NULL;

    if (end != NULL) {
        *n -= (size_t) (end + 2 - *line);
        *line = end + 2;
    }
}

bool pack_line(struct pack_seen *s, const char *line, size_t n, bool whole)
{
    static const char error[] = "ERROR: ", status[] = "failed with status code: ";
    const char *at;

    if (!whole)
        return false;
    if (take_digest(s, line, n))
        return true;
    skip_phase(&line, &n);
    if (!starts(line, n, error))
        return false;
    at = find(line, n, status);
    if (at != NULL) { /* the line before it said what happened */
        at += sizeof(status) - 1;
        s->status = number(at, n - (size_t) (at - line));
        return false;
    }
    line += sizeof(error) - 1;
    n -= sizeof(error) - 1;
    (void) snprintf(s->error, sizeof(s->error), "%.*s", (int) (n > INT_MAX ? INT_MAX : n), line);
    return false;
}

bool pack_line_hidden(const char *line, size_t n)
{
    static const char *const hidden[] = {
        "Warning: Using untrusted builder with volume mounts.",
        "Warning: Detected pack is running in a container;",
        "Warning: PACK_VOLUME_KEY is unset;",
    };

    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
        if (starts(line, n, hidden[i]))
            return true;
    }
    return false;
}

static const char *status_meaning(int status)
{
    switch (status) {
    case PACK_NOTHING_DETECTED:
        return "no buildpack fits this tree (nothing was detected); add a file that tells what the app is, such as "
               "requirements.txt, package.json or a Procfile";
    case PACK_DETECT_FAILED:
    case 22:
        return "no buildpack fits this tree, and one failed while it looked; see its output above";
    case PACK_BUILDPACK_FAILED:
    case 52:
        return "a buildpack failed; see its output above";
    case 32:
        return "the lifecycle could not read the registry before the build (analyze); see its output above";
    case 42:
        return "the lifecycle could not restore the cache; see its output above, or push with -o no-cache";
    case 62:
        return "the lifecycle could not publish the image (export); see its output above";
    case 137:
        return "a build container was killed; perhaps its memory was exhausted";
    default:
        return NULL;
    }
}

int pack_reason(const struct pack_seen *s, int code, char *ret, size_t size)
{
    const char *why = status_meaning(s->status);

    if (code < 0)
        (void) snprintf(ret, size, "pack was ended by signal %d", -code);
    else if (why != NULL)
        (void) snprintf(ret, size, "%s", why);
    else if (strstr(s->error, "unknown flag: --insecure-registry") != NULL)
        (void) snprintf(ret, size, "this pack cannot publish to a plain-http registry at this address; use pack 0.38 "
                        "or later, or TLS");
    else if (s->status != 0 && s->error[0] != '\0')
        (void) snprintf(ret, size, "the lifecycle failed: %s", s->error);
    else if (s->status != 0)
        (void) snprintf(ret, size, "the lifecycle ended with status %d; see its output above", s->status);
    else if (s->error[0] != '\0')
        (void) snprintf(ret, size, "pack failed: %s", s->error);
    else
        (void) snprintf(ret, size, "pack ended with exit code %d; see its output above", code);
    return s->status != 0 ? s->status : code;
}

bool pack_report_digest(const char *text, size_t n, char ret[DIGEST_SIZE])
{
    static const char key[] = "digest = \"";
    char digest[DIGEST_SIZE];
    bool image = false;

    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t len = end != NULL ? (size_t) (end - text) : n;
        size_t skip = 0;

        while (skip < len && (text[skip] == ' ' || text[skip] == '\t'))
            skip++;
        if (starts(text + skip, len - skip, "["))
            image = starts(text + skip, len - skip, "[image]");
        if (image && starts(text + skip, len - skip, key)
            && len - skip >= sizeof(key) - 1 + DIGEST_SIZE - 1) {
            (void) snprintf(digest, sizeof(digest), "%.*s", DIGEST_SIZE - 1,
                            text + skip + sizeof(key) - 1);
            if (digest_valid(digest)) {
                (void) snprintf(ret, DIGEST_SIZE, "%s", digest);
                return true;
            }
        }
        text += len;
        n -= len;
        if (n > 0) {
            text++;
            n--;
        }
    }
    return false;
}
