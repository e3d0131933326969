#include "config.h"

#include "gateway/args.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/word.h"

#include <stdio.h>
#include <string.h>

/* One item of the line: brackets, names or word, value's name. */
struct item {
    const char *text;      /* "-n|--num" or "NAME=VALUE" */
    size_t len;
    bool option, optional, takes_value, repeats;
};

/* The next item at *line, which is moved on; false at the end. The lines are ours: they are well-formed. */
static bool item_next(const char **line, struct item *ret)
{
    const char *p = *line;

    while (*p == ' ')
        p++;
    if (*p == '\0')
        return false;
    memset(ret, 0, sizeof(*ret));
    if (*p == '[') {
        ret->optional = true;
        p++;
    }
    ret->text = p;
    ret->len = strcspn(p, " ]");
    ret->option = *p == '-';
    p += ret->len;
    if (ret->option && *p == ' ' && (ret->optional || p[1] != '[')) {
        ret->takes_value = true;
        p += 1 + strcspn(p + 1, " ]");
    }
    if (ret->optional && *p == ']')
        p++;
    if (ret->option && strncmp(p, "...", 3) == 0) {
        ret->repeats = true;
        p += 3;
    }
    if (!ret->option && ret->len > 3 && memcmp(ret->text + ret->len - 3, "...", 3) == 0) {
        ret->repeats = true;
        ret->len -= 3;
    }
    *line = p;
    return true;
}

/* The last of an option's names. */
static void option_name(const struct item *it, char *ret, size_t size)
{
    const char *bar = memrchr(it->text, '|', it->len), *from = bar != NULL ? bar + 1 : it->text;

    (void) snprintf(ret, size, "%.*s", (int) (it->len - (size_t) (from - it->text)), from);
}

static bool option_is(const struct item *it, const char *typed, size_t n)
{
    const char *p = it->text, *end = it->text + it->len;

    while (p < end) {
        const char *bar = memchr(p, '|', (size_t) (end - p)), *stop = bar != NULL ? bar : end;

        if ((size_t) (stop - p) == n && memcmp(p, typed, n) == 0)
            return true;
        p = stop + 1;
    }
    return false;
}

static bool option_find(const char *usage, const char *typed, size_t n, struct item *ret)
{
    while (usage != NULL && item_next(&usage, ret)) {
        if (ret->option && option_is(ret, typed, n))
            return true;
    }
    return false;
}

void args_release(struct args *a)
{
    vec_release(&a->words);
    vec_release(&a->options);
}

/* One option at argv[*i]: --name, --name=value, --name value, -n, -n5, -n 5. */
static int option_take(const char *usage, const char *common, char *const *argv, int argc, int *i, struct args *a,
                       struct err *err)
{
    const char *typed = argv[*i], *value = NULL;
    size_t n = typed[1] == '-' ? strcspn(typed, "=") : 2;
    char name[64];
    struct item it;

    if (typed[n] != '\0')
        value = typed + n + (typed[1] == '-' ? 1 : 0);
    if (!option_find(usage, typed, n, &it) && !option_find(common, typed, n, &it))
        return err_set(err, ERR_USAGE, "there is no option %.*s here", (int) (n < WORD_SHOWN ? n : WORD_SHOWN), word_shown(typed).s);
    option_name(&it, name, sizeof(name));
    if (!it.takes_value && value != NULL)
        return err_set(err, ERR_USAGE, "the option %s takes no value, and \"%s\" was given", name, word_shown(value).s);
    if (it.takes_value && value == NULL) {
        if (*i + 1 == argc)
            return err_set(err, ERR_USAGE, "the option %s needs a value", name);
        value = argv[++*i];
    }
    if (!it.repeats && args_option(&a->options, name) != NULL)
        return err_set(err, ERR_USAGE, "the option %s is given twice", name);
    vec_add(&a->options, name);
    vec_add(&a->options, value != NULL ? value : "");
    return 0;
}

/* How many words stand before "[--]", behind which everything is somebody else's; -1: the line has none. */
static int words_before_end(const char *usage)
{
    struct item it;
    int n = 0;

    while (item_next(&usage, &it)) {
        if (it.option && option_is(&it, "--", 2))
            return n;
        n += !it.option;
    }
    return -1;
}

int args_front(char *const *argv, int argc, struct args_front *ret, struct err *err)
{
    struct args_front f = { NULL, false, 0 };

    for (; f.n < argc && argv[f.n][0] == '-'; f.n++) {
        const char *typed = argv[f.n];

        if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0 || strcmp(typed, "--version") == 0)
            break; /* they stand for commands */
        if (strncmp(typed, "--app=", 6) == 0) {
            f.app = typed + 6;
        } else if (strcmp(typed, "--app") == 0 || strcmp(typed, "-a") == 0) {
            if (f.n + 1 == argc)
                return err_set(err, ERR_USAGE, "the option %s needs a value", typed);
            f.app = argv[++f.n];
        } else if (strcmp(typed, "--force") == 0) {
            f.force = true;
        } else if (strcmp(typed, "--quiet") != 0 && strcmp(typed, "--trace") != 0) {
            return err_set(err, ERR_USAGE, "the first word is not a command's name but \"%s\"; only --app APP and --force may "
                           "stand in front of one; see: help", word_shown(typed).s);
        }
    }
    *ret = f;
    return 0;
}

int args_parse(const char *usage, const char *common, const char *app, char *const *argv, int argc, struct args *ret,
               struct err *err)
{
    struct args a = ARGS_INIT;
    int before = words_before_end(usage);
    bool ended = false;

    for (int i = 0; i < argc; i++) {
        int words = (int) a.words.n + (app != NULL || args_option(&a.options, "--app") != NULL);

        ended = ended || (before >= 0 && words >= before && (argv[i][0] != '-' || argv[i][1] == '\0'));
        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (ended || argv[i][0] != '-' || argv[i][1] == '\0') {
            vec_add(&a.words, argv[i]);
        } else if (option_take(usage, common, argv, argc, &i, &a, err) != 0) {
            args_release(&a);
            return -1;
        }
    }
    if (app != NULL && args_option(&a.options, "--app") == NULL) {
        vec_add(&a.options, "--app");
        vec_add(&a.options, app);
    }
    *ret = a;
    return 0;
}

const char *args_option_nth(const struct vec *options, const char *name, size_t nth)
{
    for (size_t i = 0; i + 1 < options->n; i += 2) {
        if (strcmp(options->v[i], name) == 0 && nth-- == 0)
            return options->v[i + 1];
    }
    return NULL;
}

const char *args_option(const struct vec *options, const char *name)
{
    return args_option_nth(options, name, 0);
}

void args_count(const char *usage, int skip, int *ret_needs, int *ret_allows)
{
    int needs = 0, allows = 0;
    bool endless = false;
    struct item it;

    while (item_next(&usage, &it)) {
        if (it.option || skip-- > 0)
            continue;
        needs += !it.optional;
        allows++;
        endless = endless || it.repeats;
    }
    *ret_needs = needs;
    *ret_allows = endless ? -1 : allows;
}

void args_word_name(const char *usage, int i, char *ret, size_t size)
{
    struct item it;

    ret[0] = '\0';
    while (item_next(&usage, &it)) {
        if (!it.option && i-- == 0)
            (void) snprintf(ret, size, "%.*s", (int) it.len, it.text);
    }
}

bool args_option_at(const char *usage, int i, char *ret, size_t size, bool *ret_takes_value)
{
    struct item it;

    while (item_next(&usage, &it)) {
        if (!it.option || option_is(&it, "--", 2) || i-- != 0)
            continue;
        option_name(&it, ret, size);
        *ret_takes_value = it.takes_value;
        return true;
    }
    return false;
}

bool args_missing_option(const char *usage, const struct vec *options, char *ret, size_t size)
{
    struct item it;

    while (item_next(&usage, &it)) {
        if (!it.option || it.optional)
            continue;
        option_name(&it, ret, size);
        if (args_option(options, ret) == NULL)
            return true;
    }
    return false;
}
