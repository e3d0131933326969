#include "config.h"

#include "base/challenge.h"

#include <string.h>
#include <strings.h>

/* tchar of RFC 9110 §5.6.2; a NUL is none. */
static bool is_token(char c)
{
    return c != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "!#$%&'*+-.^_`|~", c) != NULL;
}

struct cursor {
    const char *s;
    size_t n, at;
};

static char peek(const struct cursor *c)
{
    return c->at < c->n ? c->s[c->at] : '\0';
}

static void skip(struct cursor *c, const char *which)
{
    while (c->at < c->n && c->s[c->at] != '\0' && strchr(which, c->s[c->at]) != NULL)
        c->at++;
}

static size_t take_token(struct cursor *c, const char **ret)
{
    size_t from = c->at;

    while (c->at < c->n && is_token(c->s[c->at]))
        c->at++;
    *ret = c->s + from;
    return c->at - from;
}

static bool token_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* token or quoted-string into ret[max]; ret NULL: passed over. */
static int take_value(struct cursor *c, char *ret, size_t max)
{
    size_t len = 0;
    bool quoted = peek(c) == '"';

    if (quoted)
        c->at++;
    for (;;) {
        char ch = peek(c);

        if (c->at >= c->n) {
            if (quoted)
                return -1;
            break;
        }
        if (quoted && ch == '"') {
            c->at++;
            break;
        }
        if (!quoted && !is_token(ch))
            break;
        if (quoted && ch == '\\') {
            c->at++;
            if (c->at >= c->n)
                return -1;
            ch = c->s[c->at];
        }
        if ((unsigned char) ch < ' ' || ch == 0x7f)
            return -1;
        if (ret != NULL) {
            if (len + 1 >= max)
                return -1;
            ret[len] = ch;
        }
        len++;
        c->at++;
    }
    if (ret != NULL)
        ret[len] = '\0';
    return quoted || len > 0 ? 0 : -1;
}

/* A parameter of the challenge that is being read. Only the first bearer challenge counts. */
static int take_parameter(struct cursor *c, const char *name, size_t n, bool bearer, struct challenge *ch)
{
    if (bearer && token_is(name, n, "realm"))
        return take_value(c, ch->realm, sizeof(ch->realm));
    if (bearer && token_is(name, n, "service"))
        return take_value(c, ch->service, sizeof(ch->service));
    if (bearer && token_is(name, n, "scope"))
        return take_value(c, ch->scope, sizeof(ch->scope));
    if (bearer && token_is(name, n, "error"))
        return take_value(c, ch->error, sizeof(ch->error));
    return take_value(c, NULL, 0);
}

int challenge_parse(const char *s, size_t n, struct challenge *ret)
{
    struct cursor c = { .s = s, .n = n };
    struct challenge ch = *ret;
    bool bearer = false, scheme = false;

    for (;;) {
        const char *word;
        size_t len, after;

        skip(&c, " \t,");
        if (c.at >= c.n) {
            *ret = ch;
            return 0;
        }
        len = take_token(&c, &word);
        if (len == 0)
            return -1;
        after = c.at;
        skip(&c, " \t");
        if (scheme && peek(&c) == '=') {
            c.at++;
            skip(&c, " \t");
            if (take_parameter(&c, word, len, bearer, &ch) < 0)
                return -1;
            continue;
        }
        /* A scheme: what was read before stands. */
        *ret = ch;
        scheme = true;
        bearer = token_is(word, len, "bearer") && !ch.bearer;
        ch.bearer = ch.bearer || bearer;
        ch.basic = ch.basic || token_is(word, len, "basic");
        c.at = after;
        if (c.at < c.n && strchr(" \t,", c.s[c.at]) == NULL)
            return -1;
    }
}
