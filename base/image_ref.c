#include "config.h"

#include "base/image_ref.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* host[:port]; an IPv6 address stands in brackets. */
static bool registry_valid(const char *s, size_t n)
{
    const char *port = memchr(s, ':', n);
    size_t host = port != NULL ? (size_t) (port - s) : n, digits;

    if (n > 0 && s[0] == '[') {
        const char *end = memchr(s, ']', n);

        if (end == NULL || strspn(s + 1, DIGITS "abcdefABCDEF:") != (size_t) (end - s - 1) ||
            end == s + 1)
            return false;
        host = (size_t) (end - s) + 1;
        port = host < n ? end + 1 : NULL;
        if (port != NULL && *port != ':')
            return false;
    } else if (host == 0 || strspn(s, LOWER UPPER DIGITS ".-") < host || s[0] == '-' || s[0] == '.' ||
               s[host - 1] == '-' || s[host - 1] == '.') {
        return false;
    }
    if (port == NULL)
        return true;
    digits = n - host - 1;
    return digits >= 1 && digits <= 5 && strspn(port + 1, DIGITS) >= digits;
}

/* path-component: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool component_valid(const char *s, size_t n)
{
    size_t i = 0;

    for (;;) {
        size_t word = 0;

        while (i < n && strchr(LOWER DIGITS, s[i]) != NULL)
            i++, word++;
        if (word == 0)
            return false;
        if (i == n)
            return true;
        if (s[i] == '.') {
            i++;
        } else if (s[i] == '_') {
            i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
        } else if (s[i] == '-') {
            while (i < n && s[i] == '-')
                i++;
        } else {
            return false;
        }
    }
}

static bool repository_valid(const char *s, size_t n)
{
    for (;;) {
        const char *slash = memchr(s, '/', n);
        size_t part = slash != NULL ? (size_t) (slash - s) : n;

        if (!component_valid(s, part))
            return false;
        if (slash == NULL)
            return true;
        s += part + 1;
        n -= part + 1;
    }
}

static bool tag_valid(const char *s, size_t n)
{
    return n >= 1 && n <= IMAGE_TAG_MAX && s[0] != '.' && s[0] != '-' &&
           strspn(s, LOWER UPPER DIGITS "_.-") >= n;
}

int image_ref_parse(const char *s, struct image_ref *ret, struct err *err)
{
    struct image_ref r = { .registry = "docker.io" };
    size_t n = strcspn(s, "@"), first, name;
    const char *colon, *repository = s, *library = "";

    if (s[n] == '@') {
        if (!digest_valid(s + n + 1))
            return err_set(err, ERR_USAGE, "the image name's digest must be sha256: and 64 digits");
        (void) snprintf(r.digest, sizeof(r.digest), "%s", s + n + 1);
    }
    /* A colon behind the last slash begins the tag; one before it belongs to the registry's port. */
    colon = memrchr(s, ':', n);
    if (colon != NULL && memchr(colon, '/', n - (size_t) (colon - s)) == NULL) {
        size_t tag = n - (size_t) (colon - s) - 1;

        if (!tag_valid(colon + 1, tag))
            return err_set(err, ERR_USAGE, "the image name's tag may have letters, digits, . _ and -");
        (void) snprintf(r.tag, sizeof(r.tag), "%.*s", (int) tag, colon + 1);
        n = (size_t) (colon - s);
    }
    if (n == 0 || n > IMAGE_NAME_MAX)
        return err_set(err, ERR_USAGE, "an image name has 1 to %d characters", IMAGE_NAME_MAX);
    name = n;
    first = strcspn(s, "/");
    if (first < n && (memchr(s, '.', first) != NULL || memchr(s, ':', first) != NULL ||
                      (first == 9 && memcmp(s, "localhost", 9) == 0))) {
        if (!registry_valid(s, first))
            return err_set(err, ERR_USAGE, "the image name's registry is not a host or host:port");
        (void) snprintf(r.registry, sizeof(r.registry), "%.*s", (int) first, s);
        repository += first + 1;
        name -= first + 1;
    } else if (first >= n) {
        library = "library/";
    }
    if (strcmp(r.registry, "index.docker.io") == 0)
        (void) snprintf(r.registry, sizeof(r.registry), "docker.io");
    if (!repository_valid(repository, name))
        return err_set(err, ERR_USAGE,
                       "an image name has lower-case letters and digits, with . _ - and / between them");
    if (strlen(library) + name > IMAGE_NAME_MAX)
        return err_set(err, ERR_USAGE, "an image name has 1 to %d characters", IMAGE_NAME_MAX);
    (void) snprintf(r.repository, sizeof(r.repository), "%s%.*s", library, (int) name, repository);
    *ret = r;
    return 0;
}
