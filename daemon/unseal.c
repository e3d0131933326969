#include "config.h"

#include "daemon/unseal.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "gateway/app_document.h"
#include "gateway/app_document_seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX (2 * APP_DOCUMENT_MAX) /* base64 makes a box larger by a third */
#define KEY_FILE_MAX 256
#define PIECE 65536

static int fail(const struct err *err)
{
    (void) fprintf(stderr, "slipway unseal: %s\n", err->msg);
    return (int) err->code;
}

static int input_read(struct buf *b, struct err *err)
{
    char piece[PIECE];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
        if (buf_add(b, piece, n) != 0)
            return err_set(err, ERR_USAGE, "standard input is larger than %d MiB", DOCUMENT_MAX >> 20);
    return ferror(stdin) == 0 ? 0 : err_errno(err, "standard input");
}

static int document_open(const unsigned char *secret, struct err *err)
{
    struct buf in;
    json_t *doc;
    char *text;
    int rc;

    buf_init(&in, DOCUMENT_MAX);
    doc = input_read(&in, err) == 0 ? json_parse(buf_str(&in), buf_len(&in), "the app's document on standard input", err) : NULL;
    buf_release(&in);
    if (doc == NULL)
        return -1;
    rc = app_document_unseal(doc, secret, err);
    if (rc == 0) {
        text = json_dumps(doc, JSON_INDENT(2));
        (void) puts(text);
        explicit_bzero(text, strlen(text));
        free(text);
    }
    json_decref(doc);
    return rc;
}

int unseal_run(const char *key_file)
{
    unsigned char secret[crypto_box_SECRETKEYBYTES];
    struct err err = ERR_INIT;
    struct buf key;
    int rc;

    if (sodium_init() < 0)
        return fail(&(struct err) { ERR_FAILED, "libsodium does not start" });
    buf_init(&key, KEY_FILE_MAX);
    rc = path_read(key_file, &key, &err);
    if (rc == 0)
        rc = app_key_parse(buf_str(&key), key_file, secret, &err);
    if (key.data != NULL)
        explicit_bzero(key.data, key.cap);
    buf_release(&key);
    if (rc == 0)
        rc = document_open(secret, &err);
    sodium_memzero(secret, sizeof(secret));
    return rc == 0 ? 0 : fail(&err);
}

int unseal_new_key(const char *key_file)
{
    unsigned char public[crypto_box_PUBLICKEYBYTES], secret[crypto_box_SECRETKEYBYTES];
    char text[APP_KEY_TEXT];
    struct err err = ERR_INIT;
    cleanup_close int fd = -1;
    int rc;

    if (sodium_init() < 0)
        return fail(&(struct err) { ERR_FAILED, "libsodium does not start" });
    fd = open(key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        (void) err_errno(&err, "cannot make %s", key_file);
        return fail(&err);
    }
    (void) crypto_box_keypair(public, secret);
    app_key_text(secret, text);
    sodium_memzero(secret, sizeof(secret));
    text[APP_KEY_TEXT - 1] = '\n'; /* in the place of its end */
    rc = fd_write_all(fd, text, APP_KEY_TEXT, &err);
    sodium_memzero(text, sizeof(text));
    if (rc != 0)
        return fail(&err);
    app_key_text(public, text);
    (void) puts(text);
    return 0;
}
