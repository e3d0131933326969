#include "config.h"

#include "deployer/docker/subnet.h"

#include "base/mem.h"
#include "deployer/docker/plan.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define WEB_FIRST 2 /* 0 is the network, 1 the gateway */

_Static_assert(WEB_FIRST + SETS * SET_SIZE <= 128, "web's addresses are in the lower half");

static uint32_t mask(int bits)
{
    return bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

int subnet_parse(const char *text, struct subnet *ret, struct err *err)
{
    const char *slash = strchr(text, '/');
    cleanup_free char *address = slash != NULL ? xstrndup(text, (size_t) (slash - text)) : NULL;
    struct in_addr a;
    char *end;
    long bits = slash != NULL ? strtol(slash + 1, &end, 10) : -1;

    if (slash == NULL || slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > 32 ||
        inet_pton(AF_INET, address, &a) != 1 || (ntohl(a.s_addr) & ~mask((int) bits)) != 0)
        return err_set(err, ERR_USAGE, "\"%.64s\" is not a range of IPv4 addresses such as 10.213.0.0/16", text);
    *ret = (struct subnet) { .base = ntohl(a.s_addr), .bits = (int) bits };
    return 0;
}

struct subnet subnet_of(uint32_t address, uint32_t netmask)
{
    return (struct subnet) { .base = address & netmask, .bits = __builtin_popcount(netmask) };
}

static bool overlaps(const struct subnet *a, const struct subnet *b)
{
    uint32_t m = mask(a->bits < b->bits ? a->bits : b->bits);

    return (a->base & m) == (b->base & m);
}

bool subnet_pick(const struct subnet *range, const struct subnet *used, size_t n, struct subnet *ret)
{
    uint32_t count = range->bits > SUBNET_BITS ? 0 : UINT32_C(1) << (SUBNET_BITS - range->bits);

    for (uint32_t k = 0; k < count; k++) {
        struct subnet s = { .base = range->base + (k << (32 - SUBNET_BITS)), .bits = SUBNET_BITS };
        bool is_free = true;

        for (size_t i = 0; i < n && is_free; i++)
            is_free = !overlaps(&s, &used[i]);
        if (is_free) {
            *ret = s;
            return true;
        }
    }
    return false;
}

char *subnet_address(const struct subnet *s, unsigned n)
{
    struct in_addr a = { htonl(s->base + n) };
    char text[INET_ADDRSTRLEN];

    (void) inet_ntop(AF_INET, &a, text, sizeof(text));
    return xstrdup(text);
}

char *subnet_text(const struct subnet *s)
{
    cleanup_free char *address = subnet_address(s, 0);

    return xasprintf("%s/%d", address, s->bits);
}

struct subnet subnet_dynamic(const struct subnet *s)
{
    return (struct subnet) { .base = s->base + (UINT32_C(1) << (31 - s->bits)), .bits = s->bits + 1 };
}

char *subnet_web_address(const struct subnet *s, int set, int number)
{
    return subnet_address(s, (unsigned) (WEB_FIRST + set * SET_SIZE + number - 1));
}
