#include "config.h"

#include "deployer/kubernetes/websocket_head.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define SHA1_BYTES 20
#define BLOCK 64

/* --- SHA-1 (RFC 3174), which none of our libraries has. It is no secret's guard here: the proof
 * only tells a WebSocket server from a cache that repeats an old answer. */

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t) p[4 * t] << 24 | (uint32_t) p[4 * t + 1] << 16 |
               (uint32_t) p[4 * t + 2] << 8 | p[4 * t + 3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t f = t < 20 ? ((b & c) | (~b & d)) + 0x5a827999
                   : t < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                   : t < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                            : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = rotate(a, 5) + f + e + w[t];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* n is below 2 * BLOCK - 9: a key and the GUID. */
static void sha1(const uint8_t *p, size_t n, uint8_t ret[SHA1_BYTES])
{
    uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
    uint8_t padded[2 * BLOCK] = { 0 };
    size_t blocks = (n + 9 + BLOCK - 1) / BLOCK;

    memcpy(padded, p, n);
    padded[n] = 0x80;
    padded[blocks * BLOCK - 2] = (uint8_t) (n * 8 >> 8);
    padded[blocks * BLOCK - 1] = (uint8_t) (n * 8);
    for (size_t i = 0; i < blocks; i++)
        sha1_block(h, padded + i * BLOCK);
    for (size_t i = 0; i < SHA1_BYTES; i++)
        ret[i] = (uint8_t) (h[i / 4] >> (24 - 8 * (i % 4)));
}

void websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT_SIZE])
{
    char text[WEBSOCKET_KEY_SIZE + sizeof(GUID)];
    uint8_t hash[SHA1_BYTES];
    size_t n = strnlen(key, WEBSOCKET_KEY_SIZE - 1);

    memcpy(text, key, n);
    memcpy(text + n, GUID, sizeof(GUID));
    sha1((const uint8_t *) text, strlen(text), hash);
    (void) sodium_bin2base64(ret, WEBSOCKET_ACCEPT_SIZE, hash, sizeof(hash),
                             sodium_base64_VARIANT_ORIGINAL);
}

/* --- the answer */

struct field { const char *name, *value; size_t name_len, value_len; };

/* The next header line; false at the head's end. */
static bool field_next(const char **at, const char *end, struct field *ret)
{
    const char *line = *at, *eol = memmem(line, (size_t) (end - line), "\r\n", 2), *colon, *stop;

    if (eol == NULL || eol == line)
        return false;
    *at = eol + 2;
    colon = memchr(line, ':', (size_t) (eol - line));
    *ret = (struct field) { .name = line, .value = eol };
    if (colon == NULL)
        return true;
    ret->name_len = (size_t) (colon - line);
    for (colon++; colon < eol && (*colon == ' ' || *colon == '\t');)
        colon++;
    for (stop = eol; stop > colon && (stop[-1] == ' ' || stop[-1] == '\t');)
        stop--;
    ret->value = colon;
    ret->value_len = (size_t) (stop - colon);
    return true;
}

static bool name_is(const struct field *f, const char *name)
{
    return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

static bool value_is(const struct field *f, const char *value)
{
    return f->value_len == strlen(value) && strncasecmp(f->value, value, f->value_len) == 0;
}

static size_t number(const struct field *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->value_len && i < 9; i++) {
        if (f->value[i] < '0' || f->value[i] > '9')
            return 0;
        n = n * 10 + (size_t) (f->value[i] - '0');
    }
    return n;
}

static int status_parse(const char *p, size_t n)
{
    int status = 0;

    if (n < 12 || memcmp(p, "HTTP/1.1 ", 9) != 0)
        return -1;
    for (size_t i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        status = status * 10 + (p[i] - '0');
    }
    return status;
}

int websocket_head_parse(const char *data, size_t n, const char *key, struct websocket_head *ret,
                         struct err *err)
{
    const char *end = memmem(data, n, "\r\n\r\n", 4), *at;
    struct websocket_head h = { 0 };
    char accept[WEBSOCKET_ACCEPT_SIZE];
    bool upgrade = false, proof = false;
    struct field f;

    if (end == NULL)
        return 0;
    h.len = (size_t) (end + 4 - data);
    h.status = status_parse(data, h.len);
    if (h.status < 0)
        return err_set(err, ERR_DOWN, "the answer is not HTTP/1.1");
    websocket_accept(key, accept);
    at = memmem(data, h.len, "\r\n", 2);
    for (at += 2; field_next(&at, end + 4, &f);) {
        if (name_is(&f, "upgrade"))
            upgrade = value_is(&f, "websocket");
        else if (name_is(&f, "sec-websocket-accept"))
            /* base64 knows upper and lower case */
            proof = f.value_len == strlen(accept) && memcmp(f.value, accept, f.value_len) == 0;
        else if (name_is(&f, "content-length"))
            h.content_length = number(&f);
        else if (name_is(&f, "sec-websocket-protocol") && f.value_len < sizeof(h.protocol))
            memcpy(h.protocol, f.value, f.value_len);
    }
    if (h.status == 101 && (!upgrade || !proof))
        return err_set(err, ERR_DOWN, "the answer is no WebSocket's");
    *ret = h;
    return 1;
}
