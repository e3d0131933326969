#include "config.h"

#include "base/docker_auth.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024) /* docker logins of a person fit in a few KiB */
#define HELPER_OUTPUT_MAX (64 * 1024) /* a token of a cloud is a few KiB */
#define HELPER_MS 10000        /* it asks a cloud once; shorter than a lease */

void docker_auth_release(struct docker_auth *a)
{
    if (a->password != NULL)
        sodium_memzero(a->password, strlen(a->password));
    if (a->identity_token != NULL)
        sodium_memzero(a->identity_token, strlen(a->identity_token));
    free(a->user);
    free(a->password);
    free(a->identity_token);
    memset(a, 0, sizeof(*a));
}

/* Keys are written as "host", "host:port", "https://host" or "https://host/v1/". */
static bool key_matches(const char *key, const char *registry)
{
    const char *at = strstr(key, "://");
    size_t n;

    if (at != NULL)
        key = at + 3;
    n = strcspn(key, "/");
    if (strcmp(registry, "docker.io") == 0 &&
        ((n == 15 && strncmp(key, "index.docker.io", n) == 0) ||
         (n == 20 && strncmp(key, "registry-1.docker.io", n) == 0)))
        return true;
    return strlen(registry) == n && strncmp(key, registry, n) == 0;
}

static json_t *find(json_t *root, const char *name, const char *registry)
{
    json_t *object = json_object_get(root, name), *value;
    const char *key;

    json_object_foreach(object, key, value) {
        if (key_matches(key, registry))
            return value;
    }
    return NULL;
}

/* base64 of "user:password" */
static int take_basic(const char *text, struct docker_auth *ret)
{
    size_t n = strlen(text), len;
    cleanup_free char *plain = xmalloc(n + 1);
    char *colon;

    if (sodium_base642bin((unsigned char *) plain, n, text, n, "\r\n ", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 &&
        sodium_base642bin((unsigned char *) plain, n, text, n, "\r\n ", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
        return -1;
    /* docker itself pads with NULs. */
    while (len > 0 && plain[len - 1] == '\0')
        len--;
    plain[len] = '\0';
    colon = strchr(plain, ':');
    if (colon == NULL || strlen(plain) != len) {
        sodium_memzero(plain, n);
        return -1;
    }
    ret->user = xstrndup(plain, (size_t) (colon - plain));
    ret->password = xstrdup(colon + 1);
    sodium_memzero(plain, n);
    return 0;
}

static int take_entry(const json_t *entry, const char *file, const char *registry,
                      struct docker_auth *ret, struct err *err)
{
    const char *token = json_str(entry, "identitytoken", ""), *auth = json_str(entry, "auth", "");
    const char *user = json_str(entry, "username", ""), *password = json_str(entry, "password", "");

    if (auth[0] != '\0' && take_basic(auth, ret) < 0)
        return err_set(err, ERR_FAILED, "%s: \"auth\" of %s isn't base64 of user:password", file, registry);
    if (auth[0] == '\0' && user[0] != '\0') {
        ret->user = xstrdup(user);
        ret->password = xstrdup(password);
    }
    if (token[0] != '\0')
        ret->identity_token = xstrdup(token);
    ret->found = ret->user != NULL || ret->identity_token != NULL;
    return 0;
}

/* Becomes part of a program's name. */
static bool helper_valid(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= 64 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

int docker_auth_parse(const char *text, size_t n, const char *file, const char *registry,
                      struct docker_auth *ret, char **ret_helper, struct err *err)
{
    json_t *root = json_parse(text, n, file, err);
    const json_t *helper, *entry;
    struct docker_auth a = { .found = false };
    int rc = 0;

    if (root == NULL)
        return -1;
    helper = find(root, "credHelpers", registry);
    entry = find(root, "auths", registry);
    if (helper == NULL && (entry == NULL || json_object_size(entry) == 0))
        helper = json_object_get(root, "credsStore");
    if (helper != NULL && (!json_is_string(helper) || !helper_valid(json_string_value(helper))))
        rc = err_set(err, ERR_FAILED, "%s: the credential helper for %s must be a plain name", file, registry);
    else if (helper == NULL && entry != NULL)
        rc = take_entry(entry, file, registry, &a, err);
    if (rc == 0) {
        *ret = a;
        *ret_helper = helper != NULL ? xstrdup(json_string_value(helper)) : NULL;
    } else {
        docker_auth_release(&a);
    }
    json_decref(root);
    return rc;
}

/* "docker-credential-NAME get": the server on standard input, JSON on standard output. */
static int ask_helper(const char *name, const char *registry, struct docker_auth *ret, struct err *err)
{
    static const char none[] = "credentials not found"; /* the protocol's own words, on standard output */
    cleanup_free char *program = xasprintf("docker-credential-%s", name), *what = NULL;
    char get[] = "get";
    char *argv[] = { program, get, NULL };
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    cleanup_buf struct buf in, out, said;
    const char *user, *secret;
    json_t *root;

    buf_init(&in, 1024);
    buf_init(&out, HELPER_OUTPUT_MAX);
    buf_init(&said, HELPER_OUTPUT_MAX);
    s.argv = argv;
    s.env = environ;
    (void) buf_addstr(&in, strcmp(registry, "docker.io") == 0 ? "https://index.docker.io/v1/" : registry);
    if (spawn_run(&s, &in, &out, &said, HELPER_MS, &result, err) < 0)
        return err_wrap(err, "credential helper %s", program);
    if (result.signaled || result.code != 0) {
        if (strncmp(buf_str(&out), none, sizeof(none) - 1) == 0)
            return 0;
        /* What it printed may hold a secret. */
        return err_set(err, ERR_FAILED, "credential helper %s failed for %s (%s %d); run it by hand",
                       program, registry, result.signaled ? "signal" : "exit", result.code);
    }
    what = xasprintf("the answer of %s", program);
    root = json_parse(buf_str(&out), buf_len(&out), what, err);
    if (out.data != NULL)
        sodium_memzero(out.data, out.cap);
    if (root == NULL)
        return -1;
    user = json_str(root, "Username", "");
    secret = json_str(root, "Secret", "");
    if (strcmp(user, "<token>") == 0) {
        ret->identity_token = xstrdup(secret);
    } else {
        ret->user = xstrdup(user);
        ret->password = xstrdup(secret);
    }
    ret->found = true;
    json_decref(root);
    return 0;
}

int docker_auth_get(const char *file, const char *registry, struct docker_auth *ret, struct err *err)
{
    struct docker_auth a = { .found = false };
    cleanup_free char *helper = NULL;
    cleanup_buf struct buf text;

    buf_init(&text, FILE_MAX);
    if (file != NULL && file[0] != '\0') {
        if (path_read(file, &text, err) < 0)
            return err_wrap(err, "credentials of registry %s", registry);
        if (docker_auth_parse(buf_str(&text), buf_len(&text), file, registry, &a, &helper, err) < 0)
            return -1;
        if (text.data != NULL)
            sodium_memzero(text.data, text.cap);
        if (helper != NULL && ask_helper(helper, registry, &a, err) < 0)
            return -1;
    }
    *ret = a;
    return 0;
}

int docker_auth_write(const struct docker_auth *a, const char *registry, struct buf *ret)
{
    const char *key = strcmp(registry, "docker.io") == 0 ? "https://index.docker.io/v1/" : registry;
    json_t *entry = json_object(), *root;
    cleanup_free char *plain = NULL, *encoded = NULL;
    size_t n;
    int rc;

    if (a->user != NULL) {
        plain = xasprintf("%s:%s", a->user, a->password);
        n = strlen(plain);
        encoded = xmalloc(sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL));
        (void) sodium_bin2base64(encoded, sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL),
                                 (unsigned char *) plain, n, sodium_base64_VARIANT_ORIGINAL);
        (void) json_object_set_new(entry, "auth", json_string(encoded));
        sodium_memzero(plain, n);
    }
    if (a->identity_token != NULL)
        (void) json_object_set_new(entry, "identitytoken", json_string(a->identity_token));
    root = json_pack("{s:{s:o}}", "auths", key, entry);
    rc = json_dump_buf(root, ret);
    json_decref(root);
    return rc;
}
