#include "config.h"

#include "gateway/admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STARTUPS_MAX 10000 /* as conf's max_connections */

int startups_parse(const char *s, struct startups *ret, struct err *err)
{
    long v[3];
    const char *p = s;

    for (int i = 0; i < 3; i++) {
        char *end;

        if (*p < '0' || *p > '9')
            goto bad;
        v[i] = strtol(p, &end, 10);
        if (v[i] < 1 || v[i] > STARTUPS_MAX || *end != (i < 2 ? ':' : '\0'))
            goto bad;
        p = end + 1;
    }
    if (v[1] > 100 || v[0] > v[2])
        goto bad;
    *ret = (struct startups) { (int) v[0], (int) v[1], (int) v[2] };
    return 0;
bad:
    return err_set(err, ERR_USAGE, "max_startups is START:RATE:FULL, as in 20:30:100, with START at most FULL "
                   "and RATE from 1 to 100");
}

bool startups_refuse(const struct startups *s, int n, int dice)
{
    int chance;

    if (n < s->begin)
        return false;
    if (n >= s->full)
        return true;
    chance = s->rate + (100 - s->rate) * (n - s->begin) / (s->full - s->begin);
    return dice < chance;
}

void peer_of(const struct sockaddr *a, struct peer *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (a->sa_family == AF_INET) {
        memcpy(ret->bytes, &((const struct sockaddr_in *) a)->sin_addr, 4);
    } else if (a->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *) a)->sin6_addr;

        ret->v6 = !IN6_IS_ADDR_V4MAPPED(in6);
        if (ret->v6)
            memcpy(ret->bytes, in6->s6_addr, 8);
        else
            memcpy(ret->bytes, in6->s6_addr + 12, 4);
    }
}

bool peer_equal(const struct peer *a, const struct peer *b)
{
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void peer_text(const struct peer *p, char ret[PEER_TEXT])
{
    uint8_t bytes[16] = { 0 };
    char address[INET6_ADDRSTRLEN] = "";

    memcpy(bytes, p->bytes, sizeof(p->bytes));
    (void) inet_ntop(p->v6 ? AF_INET6 : AF_INET, bytes, address, sizeof(address));
    (void) snprintf(ret, PEER_TEXT, "%s%s", address, p->v6 ? "/64" : "");
}
