#include "config.h"

#include "builder/procfile.h"

#include "base/mem.h"
#include "sql/model.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS_MAX 20 /* a file that is no Procfile at all shall not fill the push's output */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static void warn(struct vec *warnings, size_t line, const char *what)
{
    if (warnings->n < WARNINGS_MAX)
        vec_addf(warnings, "Procfile line %zu: %s", line, what);
    else if (warnings->n == WARNINGS_MAX)
        vec_add(warnings, "Procfile: more lines like these");
}

/* The name in its final spelling, or NULL where it is none. *ret_changed: it was spelt otherwise. */
static char *take_name(const char *s, size_t n, bool *ret_changed)
{
    cleanup_free char *name = NULL;

    *ret_changed = false;
    if (n == 0 || n > PROCESS_NAME_MAX)
        return NULL;
    name = xstrndup(s, n);
    if (strlen(name) != n)
        return NULL;
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char) (*c - 'A' + 'a');
            *ret_changed = true;
        } else if (*c == '_') {
            *c = '-';
            *ret_changed = true;
        } else if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-')) {
            return NULL;
        }
    }
    if (name[0] == '-' || name[n - 1] == '-')
        return NULL;
    return steal_ptr(name);
}

static void put(struct procfile *p, const char *type, const char *command)
{
    for (size_t i = 0; i < p->types.n; i++) {
        if (strcmp(p->types.v[i], type) == 0) {
            free(p->commands.v[i]);
            p->commands.v[i] = xstrdup(command);
            return;
        }
    }
    vec_add(&p->types, type);
    vec_add(&p->commands, command);
}

static void take_line(const char *s, size_t n, size_t number, struct procfile *ret,
                      struct vec *warnings)
{
    cleanup_free char *type = NULL, *command = NULL;
    const char *colon;
    size_t name_len;
    bool changed;

    while (n > 0 && is_space(s[n - 1]))
        n--;
    while (n > 0 && is_space(*s)) {
        s++;
        n--;
    }
    if (n == 0 || *s == '#')
        return;
    if (number == 1 && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
        warn(warnings, number, "begins with a byte order mark, which would be a part of the name; save the file as UTF-8 without it; "
             "the line was left out");
        return;
    }
    if (memchr(s, '\0', n) != NULL) {
        warn(warnings, number, "holds a NUL byte; the line was left out");
        return;
    }
    colon = memchr(s, ':', n);
    if (colon == NULL) {
        warn(warnings, number, "expected \"name: command\"; the line was left out");
        return;
    }
    name_len = (size_t) (colon - s);
    type = take_name(s, name_len, &changed);
    if (type == NULL) {
        warn(warnings, number, "a process name has 1 to 63 of a-z, 0-9 and \"-\" (inside); "
             "the line was left out");
        return;
    }
    n -= name_len + 1;
    s = colon + 1;
    while (n > 0 && is_space(*s)) {
        s++;
        n--;
    }
    if (n == 0) {
        warn(warnings, number, "the command is missing; the line was left out");
        return;
    }
    if (ret->types.n >= PROCESSES_MAX) {
        warn(warnings, number, "too many processes; the line was left out");
        return;
    }
    command = xstrndup(s, n);
    if (changed && warnings->n < WARNINGS_MAX)
        vec_addf(warnings, "Procfile line %zu: the name is read as \"%s\"", number, type);
    put(ret, type, command);
}

void procfile_parse(const char *text, size_t n, struct procfile *ret, struct vec *warnings)
{
    size_t number = 0;

    if (n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
        vec_add(warnings, "Procfile: it is UTF-16, as PowerShell's > writes a file; save it as UTF-8; nothing of it was read");
        return;
    }
    if (n > PROCFILE_MAX) {
        vec_addf(warnings, "Procfile: only the first %d bytes are read", PROCFILE_MAX);
        n = PROCFILE_MAX;
    }
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t len = end != NULL ? (size_t) (end - text) : n;

        take_line(text, len, ++number, ret, warnings);
        text += len;
        n -= len;
        if (n > 0) { /* the newline */
            text++;
            n--;
        }
    }
}

void procfile_release(struct procfile *p)
{
    vec_release(&p->types);
    vec_release(&p->commands);
}
