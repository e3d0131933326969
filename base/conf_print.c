/* Writing the settings: as a file that can be read again, and as a part of a man page. */
#include "config.h"

#include "base/conf.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_WIDTH 100 /* columns of the comments in a printed file */

char *conf_format(enum conf_type type, long long n)
{
    static const struct { const char *suffix; long long factor; } sizes[] = {
        { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 },
    }, times[] = {
        { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
    };

    if (type == CONF_SIZE)
        for (size_t i = 0; i < countof(sizes); i++)
            if (n != 0 && n % sizes[i].factor == 0)
                return xasprintf("%lld%s", n / sizes[i].factor, sizes[i].suffix);
    if (type == CONF_TIME)
        for (size_t i = 0; i < countof(times); i++)
            if (n != 0 && n % times[i].factor == 0)
                return xasprintf("%lld%s", n / times[i].factor, times[i].suffix);
    return xasprintf("%lld", n);
}

/* A value as it stands in the file; the caller frees it. */
static char *value_text(const struct conf *c, const struct conf_setting *s)
{
    const void *at = (const char *) c + s->offset;
    const struct vec *list = at;
    char *text;

    switch (s->type) {
    case CONF_BOOL:
        return xstrdup(*(const bool *) at ? "yes" : "no");
    case CONF_LIST:
        /* An element a line: libinih's lines are short. */
        text = xstrdup(list->n != 0 ? list->v[0] : "");
        for (size_t i = 1; i < list->n; i++) {
            char *longer = xasprintf("%s\n    %s", text, list->v[i]);

            free(text);
            text = longer;
        }
        return text;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_TIME:
        return conf_format(s->type, *(const long long *) at);
    default:
        return xstrdup(*(char *const *) at);
    }
}

/* What may stand there, as a sentence part; the caller frees it. */
static char *type_text(const struct conf_setting *s)
{
    cleanup_free char *low = conf_format(s->type, s->min), *high = conf_format(s->type, s->max);

    switch (s->type) {
    case CONF_PATH:
        return xstrdup("a path");
    case CONF_BOOL:
        return xstrdup("yes or no");
    case CONF_LIST:
        return xstrdup("a list");
    case CONF_CHOICE:
        return xasprintf("one of: %s", s->choices);
    case CONF_INT:
        return xasprintf("a number from %s to %s", low, high);
    case CONF_SIZE:
        return xasprintf("a size from %s to %s", low, high);
    case CONF_TIME:
        return xasprintf("a time from %s to %s", low, high);
    default:
        return xstrdup("text");
    }
}

/* Prints text as comment lines, broken between words. */
static void comment_print(FILE *out, const char *text)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t n = strcspn(text, " ");

        if (column == 0 || column + 1 + n > COMMENT_WIDTH)
            column = (size_t) fprintf(out, "%s# %.*s", column != 0 ? "\n" : "", (int) n, text)
                     - (column != 0);
        else
            column += (size_t) fprintf(out, " %.*s", (int) n, text);
        text += n + (text[n] != '\0');
    }
    (void) fputc('\n', out);
}

void conf_print(const struct conf *c, FILE *out)
{
    const char *section = "";

    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++) {
        cleanup_free char *value = value_text(c, s), *type = type_text(s);
        cleanup_free char *comment = xasprintf("%s (%s; default: %s)", s->meaning, type,
                                               s->fallback[0] != '\0' ? s->fallback : "empty");

        if (strcmp(section, s->section) != 0)
            (void) fprintf(out, "%s[%s]\n", section[0] != '\0' ? "\n" : "", s->section);
        section = s->section;
        comment_print(out, comment);
        (void) fprintf(out, "%s = %s\n", s->name, value);
    }
}

/* Text in man(7): a backslash or a leading dot would be read as a request. */
static void man_text(FILE *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\')
            (void) fputs("\\e", out);
        else if (*p == '-')
            (void) fputs("\\-", out);
        else if (p == text && (*p == '.' || *p == '\''))
            (void) fprintf(out, "\\&%c", *p);
        else
            (void) fputc(*p, out);
    }
}

void conf_print_man(FILE *out)
{
    const char *section = "";

    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++) {
        cleanup_free char *type = type_text(s);

        if (strcmp(section, s->section) != 0)
            (void) fprintf(out, ".SS [%s]\n", s->section);
        section = s->section;
        (void) fprintf(out, ".TP\n.B %s\n", s->name);
        man_text(out, s->meaning);
        (void) fputc('\n', out);
        type[0] = (char) toupper((unsigned char) type[0]);
        man_text(out, type);
        (void) fputs(". Default: ", out);
        man_text(out, s->fallback[0] != '\0' ? s->fallback : "empty");
        (void) fputs(".\n", out);
    }
}
