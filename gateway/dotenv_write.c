#include "config.h"

#include "gateway/dotenv.h"

#include "base/mem.h"
#include "base/word.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define LINE_ENDLESS (-1) /* libyaml: values are not folded */

static const struct { const char *name; enum dotenv_format format; } formats[] = {
    { "env", FORMAT_ENV },   { "dotenv", FORMAT_DOTENV }, { "docker-args", FORMAT_DOCKER_ARGS },
    { "json", FORMAT_JSON }, { "yaml", FORMAT_YAML },
};

int dotenv_format_parse(const char *s, enum dotenv_format *ret, struct err *err)
{
    for (size_t i = 0; i < countof(formats); i++) {
        if (strcmp(s, formats[i].name) == 0) {
            *ret = formats[i].format;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "--format is env, dotenv, docker-args, json or yaml, not \"%s\"; for example: --format "
                   "dotenv", word_shown(s).s);
}

/* POSIX.1 XCU 2.2.2: all but ' stands for itself. */
static void shell_quote(struct buf *out, const char *s)
{
    (void) buf_addch(out, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            (void) buf_addstr(out, "'\\''");
        else
            (void) buf_addch(out, *s);
    }
    (void) buf_addch(out, '\'');
}

/* Single quotes where they do: all readers of such files take them literally. */
static void dotenv_quote(struct buf *out, const char *s)
{
    if (strpbrk(s, "'\n\r") == NULL) {
        (void) buf_addf(out, "'%s'", s);
        return;
    }
    (void) buf_addch(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '\n' || *s == '\r')
            (void) buf_addstr(out, *s == '\n' ? "\\n" : "\\r");
        else if (strchr("\"\\$`", *s) != NULL)
            (void) buf_addf(out, "\\%c", *s);
        else
            (void) buf_addch(out, *s);
    }
    (void) buf_addch(out, '"');
}

static void json_write(const struct dotenv *d, struct buf *out)
{
    json_auto_t *o = json_object();
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < d->n; i++)
        (void) json_object_set_new(o, d->v[i].name, json_stringn(d->v[i].value, d->v[i].value_len));
    text = json_dumps(o, JSON_INDENT(2));
    if (text != NULL) {
        (void) buf_addf(out, "%s\n", text);
        explicit_bzero(text, strlen(text));
    }
}

static int yaml_add(void *arg, unsigned char *data, size_t n)
{
    return buf_add(arg, data, n) == 0;
}

/* Quoted: a YAML reader would take a bare "no" or "1.0" for something else than text. */
static bool yaml_scalar(yaml_emitter_t *y, const char *s, size_t n)
{
    yaml_event_t e;

    return yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *) s, (int) n, 0, 1,
                                        YAML_DOUBLE_QUOTED_SCALAR_STYLE) != 0
        && yaml_emitter_emit(y, &e) != 0;
}

static bool yaml_write(const struct dotenv *d, struct buf *out)
{
    yaml_emitter_t y;
    yaml_event_t e;
    bool good;

    if (yaml_emitter_initialize(&y) == 0)
        return false;
    yaml_emitter_set_output(&y, yaml_add, out);
    yaml_emitter_set_width(&y, LINE_ENDLESS);
    good = yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING) != 0 && yaml_emitter_emit(&y, &e) != 0
        && yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1) != 0 && yaml_emitter_emit(&y, &e) != 0
        && yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) != 0
        && yaml_emitter_emit(&y, &e) != 0;
    for (size_t i = 0; good && i < d->n; i++)
        good = yaml_scalar(&y, d->v[i].name, strlen(d->v[i].name))
            && yaml_scalar(&y, d->v[i].value, d->v[i].value_len);
    good = good && yaml_mapping_end_event_initialize(&e) != 0 && yaml_emitter_emit(&y, &e) != 0
        && yaml_document_end_event_initialize(&e, 1) != 0 && yaml_emitter_emit(&y, &e) != 0
        && yaml_stream_end_event_initialize(&e) != 0 && yaml_emitter_emit(&y, &e) != 0;
    yaml_emitter_delete(&y);
    return good;
}

int dotenv_write(const struct dotenv *d, enum dotenv_format format, struct buf *out, struct err *err)
{
    bool good = true;

    if (format == FORMAT_JSON)
        json_write(d, out);
    else if (format == FORMAT_YAML)
        good = yaml_write(d, out);
    for (size_t i = 0; i < d->n && format != FORMAT_JSON && format != FORMAT_YAML; i++) {
        if (format == FORMAT_DOTENV) {
            (void) buf_addf(out, "%s=", d->v[i].name);
            dotenv_quote(out, d->v[i].value);
        } else {
            (void) buf_addf(out, "%s%s=", format == FORMAT_ENV ? "export " : i > 0 ? " --env=" : "--env=",
                            d->v[i].name);
            shell_quote(out, d->v[i].value);
        }
        if (format != FORMAT_DOCKER_ARGS || i + 1 == d->n)
            (void) buf_addch(out, '\n');
    }
    if (!good || out->overflow)
        return err_set(err, ERR_FAILED, "the config does not fit into this format");
    return 0;
}
