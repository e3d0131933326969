#include "config.h"

#include "sql/seal_keys.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define KEY_SIZE 32
#define SECRET_MODE 0400
#define PUBLIC_MODE 0440

_Static_assert(crypto_box_PUBLICKEYBYTES == KEY_SIZE && crypto_box_SECRETKEYBYTES == KEY_SIZE
               && crypto_generichash_KEYBYTES == KEY_SIZE, "every key file has the same size");

static const char *const scope_names[] = { [SEAL_BUILD] = "build", [SEAL_RUN] = "run" };

/* What this process has read; state NULL: nothing. */
static struct { char *state; struct seal_pair v[SEAL_PAIRS_MAX]; int n; } pairs[countof(scope_names)];
static struct { char *state; unsigned char key[KEY_SIZE]; } digest;

static char *key_path(const char *state, enum seal_scope scope, const char *name)
{
    return xasprintf("%s/keys/%s/%s", state, scope_names[scope], name);
}

static int key_read(const char *path, unsigned char ret[KEY_SIZE], struct err *err)
{
    struct buf b;
    int rc = 0;

    if (sodium_init() < 0)
        return err_set(err, ERR_FAILED, "libsodium does not start");
    buf_init(&b, KEY_SIZE);
    if (path_read(path, &b, err) != 0)
        rc = err_wrap(err, "reading the sealing key %s", path);
    else if (buf_len(&b) != KEY_SIZE)
        rc = err_set(err, ERR_FAILED, "reading the sealing key %s: it does not hold %d bytes", path, KEY_SIZE);
    else
        memcpy(ret, buf_str(&b), KEY_SIZE);
    if (b.data != NULL)
        sodium_memzero(b.data, b.cap);
    buf_release(&b);
    return rc;
}

/* The public key is what follows from the secret one. */
static int public_write(const char *state, enum seal_scope scope, const unsigned char *secret, struct err *err)
{
    cleanup_free char *path = key_path(state, scope, "public");
    unsigned char p[KEY_SIZE];

    if (crypto_scalarmult_base(p, secret) != 0)
        return err_set(err, ERR_FAILED, "%s/keys/%s/secret is no key", state, scope_names[scope]);
    return path_write(path, p, sizeof(p), PUBLIC_MODE, err);
}

static int secret_make(const char *path, struct err *err)
{
    unsigned char p[KEY_SIZE], s[KEY_SIZE];
    int rc;

    (void) crypto_box_keypair(p, s);
    rc = path_write(path, s, sizeof(s), SECRET_MODE, err);
    sodium_memzero(s, sizeof(s));
    return rc;
}

/* The public key of the secret one that is there; the same may be written twice. */
static int public_renew(const char *state, enum seal_scope scope, struct err *err)
{
    cleanup_free char *path = key_path(state, scope, "secret");
    unsigned char s[KEY_SIZE];
    int rc = key_read(path, s, err);

    if (rc == 0)
        rc = public_write(state, scope, s, err);
    sodium_memzero(s, sizeof(s));
    return rc;
}

/* Before keys could be replaced, each was a file keys/SCOPE.key, with keys/SCOPE.pub, in a folder that no role may
 * write to. The public one is made anew. */
static int pair_adopt(const char *state, enum seal_scope scope, const char *secret, struct err *err)
{
    cleanup_free char *key = xasprintf("%s/keys/%s.key", state, scope_names[scope]);
    cleanup_free char *pub = xasprintf("%s/keys/%s.pub", state, scope_names[scope]);

    if (!path_exists(secret)) {
        if (path_exists(pub) && !path_exists(key))
            return err_set(err, ERR_FAILED, "%s is missing but %s is there; restore it from a backup", key, pub);
        if (rename(key, secret) < 0 && errno != ENOENT)
            return err_errno(err, "cannot move %s to %s", key, secret);
    }
    if (unlink(pub) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove %s", pub);
    return 0;
}

/* The secret key is written first: after a crash between the two the public one is made from it. */
int seal_pair_init(const char *state, enum seal_scope scope, struct err *err)
{
    cleanup_free char *public = key_path(state, scope, "public"), *secret = key_path(state, scope, "secret");

    if (pair_adopt(state, scope, secret, err) != 0)
        return -1;
    if (path_exists(public)) {
        if (path_exists(secret))
            return 0;
        return err_set(err, ERR_FAILED, "%s is missing but %s is there; restore it from a backup", secret, public);
    }
    if (!path_exists(secret) && secret_make(secret, err) != 0)
        return -1;
    return public_renew(state, scope, err);
}

int seal_keys_check(const char *state, struct err *err)
{
    for (size_t i = 0; i < countof(scope_names); i++) {
        cleanup_free char *secret = key_path(state, (enum seal_scope) i, "secret");

        if (!path_exists(secret))
            return err_set(err, ERR_FAILED, "%s is not there; after an update run: slipway init; else restore it from a "
                           "backup", secret);
    }
    return 0;
}

int seal_public(const char *state, enum seal_scope scope, unsigned char ret[KEY_SIZE], struct err *err)
{
    cleanup_free char *path = key_path(state, scope, "public");

    return key_read(path, ret, err);
}

static int pair_read(const char *path, struct seal_pair *ret, struct err *err)
{
    if (key_read(path, ret->secret, err) != 0)
        return -1;
    if (crypto_scalarmult_base(ret->public, ret->secret) != 0)
        return err_set(err, ERR_FAILED, "%s is no key", path);
    return 0;
}

static void pairs_forget(enum seal_scope scope)
{
    sodium_memzero(pairs[scope].v, sizeof(pairs[scope].v));
    free(pairs[scope].state);
    pairs[scope].state = NULL;
}

int seal_pairs(const char *state, enum seal_scope scope, bool again, const struct seal_pair **ret, struct err *err)
{
    cleanup_free char *secret = key_path(state, scope, "secret"), *old = key_path(state, scope, "secret.old");
    struct err none = ERR_INIT;

    if (again || pairs[scope].state == NULL || strcmp(pairs[scope].state, state) != 0) {
        pairs_forget(scope);
        /* The old one first: a rotation that begins meanwhile moves the key from the one name to the other. */
        pairs[scope].n = pair_read(old, &pairs[scope].v[1], &none) == 0 ? 2 : 1;
        if (pairs[scope].n == 1 && none.code != ERR_NOT_FOUND)
            return err_set(err, none.code, "%s", none.msg);
        if (pair_read(secret, &pairs[scope].v[0], err) != 0)
            return -1;
        pairs[scope].state = xstrdup(state);
    }
    *ret = pairs[scope].v;
    return pairs[scope].n;
}

int seal_digest_init(const char *state, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/keys/digest.key", state);
    unsigned char key[KEY_SIZE];
    int rc;

    if (path_exists(path))
        return 0;
    crypto_generichash_keygen(key);
    rc = path_write(path, key, sizeof(key), PUBLIC_MODE, err);
    sodium_memzero(key, sizeof(key));
    return rc;
}

const unsigned char *seal_digest_key(const char *state, struct err *err)
{
    cleanup_free char *path = xasprintf("%s/keys/digest.key", state);

    if (digest.state != NULL && strcmp(digest.state, state) == 0)
        return digest.key;
    if (key_read(path, digest.key, err) != 0)
        return NULL;
    free(digest.state);
    digest.state = xstrdup(state);
    return digest.key;
}

/* --- replacing a pair */

static int folder_sync(const char *state, enum seal_scope scope, struct err *err)
{
    cleanup_free char *folder = key_path(state, scope, "");
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? err_errno(err, "cannot write %s", folder) : 0;
}

/* After a crash at any point here, either secret.old is not there and the pair in use is the former one, or it is and
 * a second call goes on. */
int seal_rotate_begin(const char *state, enum seal_scope scope, struct err *err)
{
    cleanup_free char *secret = key_path(state, scope, "secret"), *old = key_path(state, scope, "secret.old");
    cleanup_free char *fresh = key_path(state, scope, "secret.new");

    if (!path_exists(old) && secret_make(fresh, err) != 0)
        return -1;
    if (path_exists(fresh)) {
        if (link(secret, old) < 0 && errno != EEXIST)
            return err_errno(err, "cannot keep %s as %s", secret, old);
        if (folder_sync(state, scope, err) != 0)
            return -1;
        if (rename(fresh, secret) < 0)
            return err_errno(err, "cannot put %s in place", secret);
    }
    pairs_forget(scope); /* "in use" is another one now */
    return public_renew(state, scope, err);
}

bool seal_rotate_is_open(const char *state, enum seal_scope scope)
{
    cleanup_free char *old = key_path(state, scope, "secret.old");

    return path_exists(old);
}

/* What path_write had begun when its process was killed. */
static bool is_half_written(const char *name)
{
    return strncmp(name, "secret.new.", 11) == 0 || strncmp(name, "public.", 7) == 0;
}

static int half_written_remove(const char *folder, struct err *err)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    int rc = 0;

    if (d == NULL)
        return err_errno(err, "cannot open %s", folder);
    while (rc == 0 && (e = readdir(d)) != NULL) {
        if (is_half_written(e->d_name) && unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != ENOENT)
            rc = err_errno(err, "cannot remove %s%s", folder, e->d_name);
    }
    (void) closedir(d);
    return rc;
}

/* The former key last: while it is there, another process goes on with this. */
int seal_rotate_end(const char *state, enum seal_scope scope, struct err *err)
{
    cleanup_free char *folder = key_path(state, scope, ""), *old = key_path(state, scope, "secret.old");

    if (half_written_remove(folder, err) != 0)
        return -1;
    if (unlink(old) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove %s", old);
    pairs_forget(scope);
    return folder_sync(state, scope, err);
}

int seal_rotate_lock(const char *state, enum seal_scope scope, int *ret_fd, struct err *err)
{
    cleanup_free char *folder = key_path(state, scope, "");
    cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot open %s", folder);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : err_errno(err, "cannot lock %s", folder);
    *ret_fd = steal_fd(fd);
    return 1;
}
