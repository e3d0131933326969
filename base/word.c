#include "config.h"

#include "base/word.h"

#include <stddef.h>

struct word word_shown(const char *s)
{
    struct word w;
    size_t i;

    for (i = 0; i < WORD_SHOWN && s[i] != '\0'; i++)
        w.s[i] = s[i] >= ' ' && s[i] < 127 ? s[i] : '?';
    w.s[i] = '\0';
    return w;
}
