/* A growing, NULL-terminated list of owned strings: argument vectors, environments, lists of names. */
#ifndef SLIPWAY_BASE_VEC_H
#define SLIPWAY_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>

struct vec {
    char **v;   /* v[n] is NULL; v itself is never NULL after the first addition */
    size_t n;
    size_t cap;
};

#define VEC_INIT { NULL, 0, 0 }

/* Append a copy of s, or a formatted string. */
void vec_add(struct vec *v, const char *s);
void vec_addf(struct vec *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Append each argument up to a NULL. */
void vec_addl(struct vec *v, ...) __attribute__((sentinel));

/* Append the words of a text, which are separated by blanks; NULL: none. */
void vec_add_words(struct vec *v, const char *text);

/* Is s one of the strings? */
bool vec_has(const struct vec *v, const char *s);

/* The strings as execve(2) wants them; {NULL} where empty. Valid until the next change. */
char *const *vec_argv(const struct vec *v);

/* Frees all strings and the list. */
void vec_release(struct vec *v);
#define cleanup_vec __attribute__((cleanup(vec_release)))

#endif
