#include "config.h"

#include "base/mem.h"
#include "gateway/command.h"

#include <string.h>

/* The shell's rules for words and quotes (POSIX.1-2017, Shell Command Language, 2.2), and no expansion. */

struct splitter {
    const char *p, *end;
    struct buf word;
    struct vec words;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static int word_byte(struct splitter *s, char c, bool quoted, struct err *err)
{
    if (c == '\0')
        return err_set(err, ERR_USAGE, "the command line holds a NUL byte");
    if (!quoted && (unsigned char) c < ' ')
        return err_set(err, ERR_USAGE, "the command line holds a control character outside quotes");
    return buf_addch(&s->word, c);
}

static int quoted_single(struct splitter *s, struct err *err)
{
    while (s->p < s->end && *s->p != '\'') {
        if (word_byte(s, *s->p++, true, err) != 0)
            return -1;
    }
    if (s->p == s->end)
        return err_set(err, ERR_USAGE, "a quote ' is not closed; the shell on your side takes one layer of quotes "
                       "away, so quote twice: \"NAME='a value'\"");
    s->p++;
    return 0;
}

/* Inside "…" a backslash is one, unless $ ` " \ or a newline follows. */
static int quoted_double(struct splitter *s, struct err *err)
{
    while (s->p < s->end && *s->p != '"') {
        if (*s->p == '\\' && s->p + 1 < s->end && s->p[1] != '\0' && strchr("$`\"\\\n", s->p[1]) != NULL) {
            s->p++;
            if (*s->p == '\n') {
                s->p++;
                continue;
            }
        }
        if (word_byte(s, *s->p++, true, err) != 0)
            return -1;
    }
    if (s->p == s->end)
        return err_set(err, ERR_USAGE, "a quote \" is not closed; the shell on your side takes one layer of quotes "
                       "away, so quote twice: 'NAME=\"a value\"'");
    s->p++;
    return 0;
}

static int word_next(struct splitter *s, struct err *err)
{
    while (s->p < s->end && !is_blank(*s->p)) {
        char c = *s->p++;
        int rc;

        if (c == '\'') {
            rc = quoted_single(s, err);
        } else if (c == '"') {
            rc = quoted_double(s, err);
        } else if (c == '\\') {
            if (s->p == s->end)
                return err_set(err, ERR_USAGE, "the command line ends in a backslash");
            c = *s->p++;
            rc = c == '\n' ? 0 : word_byte(s, c, true, err);
        } else {
            rc = word_byte(s, c, false, err);
        }
        if (rc != 0)
            return -1;
    }
    if (s->words.n == COMMAND_ARGS_MAX)
        return err_set(err, ERR_USAGE, "the command line has more than %d words", COMMAND_ARGS_MAX);
    vec_add(&s->words, buf_str(&s->word));
    buf_clear(&s->word);
    return 0;
}

int command_split(const char *line, size_t n, struct vec *ret, struct err *err)
{
    struct splitter s = { .p = line, .end = line + n, .words = VEC_INIT };
    int rc = 0;

    buf_init(&s.word, n + 1); /* a word is never longer than the line */
    while (rc == 0) {
        while (s.p < s.end && is_blank(*s.p))
            s.p++;
        if (s.p == s.end)
            break;
        rc = word_next(&s, err);
    }
    buf_release(&s.word);
    for (size_t i = 0; rc == 0 && i < s.words.n; i++)
        vec_add(ret, s.words.v[i]);
    vec_release(&s.words);
    return rc;
}
