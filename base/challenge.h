/* What a server that wants a login asks for: the WWW-Authenticate header (RFC 9110 §11.6.1), and in
 * it the bearer challenge of the distribution project's token authentication. */
#ifndef SLIPWAY_BASE_CHALLENGE_H
#define SLIPWAY_BASE_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

struct challenge {
    bool basic;
    bool bearer;            /* the fields below are its parameters, "" where absent */
    char realm[1024];       /* URL of the token server */
    char service[256];
    char scope[512];
    char error[64];         /* "insufficient_scope", "invalid_token" */
};

/* Adds what n bytes of a header's value say to *c (zeroed before the first of several headers). Schemes that
 * are not known are passed over. -1 where it breaks the grammar or a value is too long; *c then holds
 * what stood before. */
int challenge_parse(const char *s, size_t n, struct challenge *c);

#endif
