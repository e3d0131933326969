#include "config.h"

#include "daemon/hostkey.h"

#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RSA_BITS 3072 /* NIST SP 800-57 part 1, table 2: as strong as a 128-bit cipher */

static char *fingerprint(ssh_key key)
{
    unsigned char *hash = NULL;
    char *text = NULL, *copy;
    size_t n;

    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &n) == SSH_OK)
        text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, n);
    copy = xstrdup(text != NULL ? text : "");
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
    return copy;
}

char *hostkey_fingerprint(const char *path, struct err *err)
{
    char *text;
    ssh_key key;

    if (access(path, R_OK) < 0) {
        err_errno(err, "cannot read %s", path);
        return NULL;
    }
    if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key) != SSH_OK) {
        err_set(err, ERR_FAILED, "%s is not a private key", path);
        return NULL;
    }
    text = fingerprint(key);
    ssh_key_free(key);
    return text;
}

/* Makes one key beside its place and then renames it, so that a half-written one never counts. */
static int key_make(const struct conf *c, const char *name, enum ssh_keytypes_e type, int bits, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "keys/%s", name), *fresh = xasprintf("%s.new", path);
    cleanup_free char *print = NULL;
    cleanup_close int fd = -1;
    ssh_key key = NULL;
    int rc;

    if (path_exists(path))
        return 0;
    if (ssh_pki_generate(type, bits, &key) != SSH_OK)
        return err_set(err, ERR_FAILED, "cannot make the host key %s", path);
    print = fingerprint(key);
    (void) unlink(fresh);
    rc = ssh_pki_export_privkey_file(key, NULL, NULL, NULL, fresh); /* umask 077: the caller's */
    ssh_key_free(key);
    if (rc != SSH_OK)
        return err_set(err, ERR_FAILED, "cannot write the host key %s", fresh);
    fd = open(fresh, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fchmod(fd, 0400) < 0 || fsync(fd) < 0 || rename(fresh, path) < 0) {
        err_errno(err, "cannot write the host key %s", path);
        (void) unlink(fresh);
        return -1;
    }
    (void) printf("made host key %s %s\n", path, print);
    return 0;
}

int hostkey_make(const struct conf *c, struct err *err)
{
    if (key_make(c, "ssh_host_ed25519_key", SSH_KEYTYPE_ED25519, 0, err) < 0)
        return -1;
    return key_make(c, "ssh_host_rsa_key", SSH_KEYTYPE_RSA, RSA_BITS, err);
}
