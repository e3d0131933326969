/* The values in an app's document, sealed to whoever shall read them: "sealed": {"to": PUBLIC KEY, "box": BOX}. The key is an
 * X25519 one and the box is libsodium's crypto_box_seal, both base64 (RFC 4648 §4); in the box is {"NAME": "value", …}. The key is a
 * person's, not a server's: so no server opens what somebody else has exported. */
#ifndef SLIPWAY_GATEWAY_APP_DOCUMENT_SEAL_H
#define SLIPWAY_GATEWAY_APP_DOCUMENT_SEAL_H

#include "base/err.h"

#include <jansson.h>
#include <sodium.h>

#define APP_KEY_TEXT sodium_base64_ENCODED_LEN(crypto_box_PUBLICKEYBYTES, sodium_base64_VARIANT_ORIGINAL)

/* The key of a line of base64; a newline may end it. ERR_USAGE names `what`. */
int app_key_parse(const char *text, const char *what, unsigned char ret[crypto_box_PUBLICKEYBYTES], struct err *err);
void app_key_text(const unsigned char key[crypto_box_PUBLICKEYBYTES], char ret[APP_KEY_TEXT]);

/* Adds the member "sealed" to the document. */
int app_document_seal(json_t *doc, const unsigned char public[crypto_box_PUBLICKEYBYTES], const json_t *values,
                      struct err *err);

/* Puts the values to the variables that the document has, and removes the member. ERR_USAGE where there is none, where it is
 * none of ours, or sealed to another key. */
int app_document_unseal(json_t *doc, const unsigned char secret[crypto_box_SECRETKEYBYTES], struct err *err);

#endif
