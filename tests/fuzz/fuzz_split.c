/* Splitting a command line: words quoted by the simplest rule give the same words again. */
#include "config.h"

#include "base/mem.h"
#include "gateway/command.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void quote(struct buf *b, const char *word)
{
    (void) buf_addch(b, '\'');
    for (const char *p = word; *p != '\0'; p++) {
        if (*p == '\'')
            (void) buf_addstr(b, "'\\''");
        else
            (void) buf_addch(b, *p);
    }
    (void) buf_addstr(b, "' ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    cleanup_vec struct vec words = VEC_INIT, again = VEC_INIT;
    struct err err = ERR_INIT;
    struct buf b;

    if (command_split((const char *) data, n, &words, &err) != 0) {
        if (err.code != ERR_USAGE || err.msg[0] == '\0' || words.n != 0)
            abort();
        return 0;
    }
    if (words.n > COMMAND_ARGS_MAX)
        abort();
    buf_init(&b, 8 * n + 4096);
    for (size_t i = 0; i < words.n; i++)
        quote(&b, words.v[i]);
    if (command_split(buf_str(&b), buf_len(&b), &again, &err) != 0 || again.n != words.n)
        abort();
    for (size_t i = 0; i < words.n; i++) {
        if (strcmp(words.v[i], again.v[i]) != 0)
            abort();
    }
    buf_release(&b);
    return 0;
}
