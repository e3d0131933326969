#include "config.h"

#include "builder/project.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct word {
    const char *s;
    size_t n;
    bool string, escaped;
};

static bool bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-';
}

/* A string that begins at s; returns how many bytes it takes with its quotes. */
static size_t take_string(const char *s, size_t n, struct word *ret)
{
    char q = s[0];
    size_t quotes = n >= 3 && s[1] == q && s[2] == q ? 3 : 1;
    size_t i = quotes;

    *ret = (struct word) { .s = s + quotes, .string = true };
    for (; i < n; i++) {
        if (q == '"' && s[i] == '\\') {
            ret->escaped = true;
            i++;
        } else if (s[i] == '\n' && quotes == 1) {
            break; /* not closed: pack will say so */
        } else if (s[i] == q
                   && (quotes == 1 || (n - i >= 3 && s[i + 1] == q && s[i + 2] == q))) {
            ret->n = i - quotes;
            return i + quotes;
        }
    }
    if (i > n)
        i = n;
    ret->n = i - quotes;
    return i;
}

static bool is(const struct word *w, const char *name)
{
    return w->n == strlen(name) && strncasecmp(w->s, name, w->n) == 0;
}

static int check_key(const struct word *w, struct err *err)
{
    if (w->escaped)
        return err_set(err, ERR_FAILED, "project.toml: a key holds an escape sequence; write it plainly");
    if (is(w, "script"))
        return err_set(err, ERR_FAILED, "project.toml: inline buildpack scripts are not allowed here; "
                       "use a buildpack by its id or image");
    return 0;
}

static int check_uri(const struct word *w, struct err *err)
{
    if (w->escaped || w->n == 0 || *w->s == '/' || memmem(w->s, w->n, "..", 2) != NULL
        || (w->n >= 5 && strncasecmp(w->s, "file:", 5) == 0))
        return err_set(err, ERR_FAILED, "project.toml: the buildpack \"%.*s\" is not allowed here; use "
                       "docker://, urn:cnb:, https:// or a folder of this repository",
                       (int) (w->n > 100 ? 100 : w->n), w->s);
    return 0;
}

int project_check(const char *text, size_t n, struct err *err)
{
    struct word word = { NULL, 0, false, false }, key = word; /* key: whose value comes now */
    bool line_start = true, header = false;
    size_t i = 0;

    if (n > PROJECT_MAX)
        return err_set(err, ERR_FAILED, "project.toml has more than %d bytes", PROJECT_MAX);
    while (i < n) {
        char c = text[i];

        if (c == '#') {
            while (i < n && text[i] != '\n')
                i++;
            continue;
        }
        if (c == '"' || c == '\'') {
            i += take_string(text + i, n - i, &word);
            if (key.s != NULL && is(&key, "uri") && check_uri(&word, err) != 0)
                return -1;
            line_start = false;
            continue;
        }
        if (bare(c)) {
            word = (struct word) { .s = text + i };
            while (i < n && bare(text[i]))
                i++;
            word.n = (size_t) (text + i - word.s);
            line_start = false;
            continue;
        }
        if (c == '[' && line_start)
            header = true;
        /* What follows a key: "=", "." of a dotted key, "]" of a table's header. */
        if (word.s != NULL && (c == '=' || c == '.' || (c == ']' && header))
            && check_key(&word, err) != 0)
            return -1;
        if (c == '=') {
            key = word;
            word.s = NULL;
        } else if (c == '\n' || c == ',' || c == '}') {
            key.s = word.s = NULL;
        }
        if (c == '\n') {
            line_start = true;
            header = false;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            line_start = false;
        }
        i++;
    }
    return 0;
}
