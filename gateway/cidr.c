#include "config.h"

#include "gateway/cidr.h"

#include "base/word.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 64 /* an IPv6 address and its prefix length */

static bool address_read(const char *s, int *ret_family, unsigned char bytes[16])
{
    memset(bytes, 0, 16);
    *ret_family = strchr(s, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(*ret_family, s, bytes) == 1;
}

static bool bits_read(const char *s, int max, int *ret)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(s, &end, 10);
    if (errno != 0 || *s < '0' || *s > '9' || *end != '\0' || n > max)
        return false;
    *ret = (int) n;
    return true;
}

/* Are the first `bits` bits equal? */
static bool same_prefix(const unsigned char *a, const unsigned char *b, int bits)
{
    unsigned char mask = (unsigned char) (0xff00 >> (bits % 8));

    if (memcmp(a, b, (size_t) bits / 8) != 0)
        return false;
    return bits % 8 == 0 || (a[bits / 8] & mask) == (b[bits / 8] & mask);
}

static bool range_read(const char *s, struct cidr *ret)
{
    char address[RANGE_MAX];
    const char *slash = strchr(s, '/');
    size_t n = slash != NULL ? (size_t) (slash - s) : strlen(s);
    int max;

    if (n >= sizeof(address))
        return false;
    memcpy(address, s, n);
    address[n] = '\0';
    if (!address_read(address, &ret->family, ret->bytes))
        return false;
    ret->bits = max = ret->family == AF_INET ? 32 : 128;
    if (slash != NULL && !bits_read(slash + 1, max, &ret->bits))
        return false;
    for (int i = ret->bits; i < max; i++) { /* 192.0.2.1/24 is a slip: one address, or the range? */
        if ((ret->bytes[i / 8] & (0x80 >> (i % 8))) != 0)
            return false;
    }
    return true;
}

int cidr_parse(const char *s, struct cidr *ret, struct err *err)
{
    struct cidr c;

    if (!range_read(s, &c))
        return err_set(err, ERR_USAGE, "--from needs an address or a range whose last bits are 0, not \"%s\"; for example: --from "
                       "192.0.2.0/24", word_shown(s).s);
    *ret = c;
    return 0;
}

bool cidr_contains(const struct cidr *c, const char *address)
{
    unsigned char bytes[16];
    int family;

    return address_read(address, &family, bytes) && family == c->family && same_prefix(c->bytes, bytes, c->bits);
}
