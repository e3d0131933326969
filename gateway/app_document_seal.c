#include "config.h"

#include "gateway/app_document_seal.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define VARIANT sodium_base64_VARIANT_ORIGINAL

int app_key_parse(const char *text, const char *what, unsigned char ret[crypto_box_PUBLICKEYBYTES], struct err *err)
{
    size_t n = 0, length = strcspn(text, "\n");

    if (text[length] == '\n' && text[length + 1] != '\0')
        length = 0;
    if (sodium_base642bin(ret, crypto_box_PUBLICKEYBYTES, text, length, NULL, &n, NULL, VARIANT) == 0
        && n == crypto_box_PUBLICKEYBYTES)
        return 0;
    return err_set(err, ERR_USAGE, "%s needs a key of 32 bytes in base64, for example as slipway unseal --new-key FILE prints "
                   "one", what);
}

void app_key_text(const unsigned char key[crypto_box_PUBLICKEYBYTES], char ret[APP_KEY_TEXT])
{
    (void) sodium_bin2base64(ret, APP_KEY_TEXT, key, crypto_box_PUBLICKEYBYTES, VARIANT);
}

int app_document_seal(json_t *doc, const unsigned char public[crypto_box_PUBLICKEYBYTES], const json_t *values,
                      struct err *err)
{
    char *plain = json_text(values), to[APP_KEY_TEXT];
    size_t n = strlen(plain), box_n = n + crypto_box_SEALBYTES, text_n = sodium_base64_encoded_len(box_n, VARIANT);
    cleanup_free unsigned char *box = xmalloc(box_n);
    cleanup_free char *text = xmalloc(text_n);
    int rc = crypto_box_seal(box, (const unsigned char *) plain, n, public);

    sodium_memzero(plain, n);
    free(plain);
    if (rc != 0) /* a point of low order */
        return err_set(err, ERR_USAGE, "nothing can be sealed to this key; slipway unseal --new-key FILE makes a pair");
    (void) sodium_bin2base64(text, text_n, box, box_n, VARIANT);
    app_key_text(public, to);
    return json_object_set_new(doc, "sealed", json_pack("{s:s, s:s}", "to", to, "box", text));
}

/* The opened box as an object; the caller decrefs. */
static json_t *box_open(const char *text, const unsigned char public[crypto_box_PUBLICKEYBYTES],
                        const unsigned char secret[crypto_box_SECRETKEYBYTES], struct err *err)
{
    size_t n = 0, max = strlen(text) / 4 * 3 + 3;
    cleanup_free unsigned char *box = xmalloc(max), *plain = xmalloc(max);
    json_t *values = NULL;

    if (sodium_base642bin(box, max, text, strlen(text), NULL, &n, NULL, VARIANT) == 0 && n >= crypto_box_SEALBYTES
        && crypto_box_seal_open(plain, box, n, public, secret) == 0)
        values = json_loadb((const char *) plain, n - crypto_box_SEALBYTES, 0, NULL);
    sodium_memzero(plain, max);
    if (json_is_object(values))
        return values;
    json_decref(values);
    (void) err_set(err, ERR_USAGE, "sealed.box: it is damaged, and can't be opened");
    return NULL;
}

int app_document_unseal(json_t *doc, const unsigned char secret[crypto_box_SECRETKEYBYTES], struct err *err)
{
    const json_t *sealed = json_object_get(doc, "sealed");
    const char *to = json_string_value(json_object_get(sealed, "to")), *box = json_string_value(json_object_get(sealed, "box"));
    unsigned char public[crypto_box_PUBLICKEYBYTES], wanted[crypto_box_PUBLICKEYBYTES];
    json_auto_t *values = NULL;
    const char *name;
    json_t *value;

    if (to == NULL || box == NULL)
        return err_set(err, ERR_USAGE, "sealed: the document has no sealed values; apps:export APP --with-config KEY makes one that "
                       "has");
    if (app_key_parse(to, "sealed.to", wanted, err) != 0)
        return -1;
    (void) crypto_scalarmult_base(public, secret);
    if (memcmp(public, wanted, sizeof(public)) != 0)
        return err_set(err, ERR_USAGE, "sealed.to: the values are sealed to another key than this one");
    values = box_open(box, public, secret, err);
    if (values == NULL)
        return -1;
    json_object_foreach(values, name, value) {
        json_t *var = json_object_get(json_object_get(doc, "config"), name);

        if (json_is_object(var))
            (void) json_object_set(var, "value", value);
    }
    return json_object_del(doc, "sealed");
}
