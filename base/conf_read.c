/* Reading the settings: libinih splits the lines, the table in conf.c says what is right. */
#include "config.h"

#include "base/buf.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/path.h"
#include "base/word.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONF_FILE_MAX (256 * 1024) /* the printed table with all comments is 12 KiB */
#define SETTINGS_MAX 128           /* rows of the table, for the list of those already seen */

/* What reading one file needs. */
struct reader {
    struct conf *conf;
    const char *file;
    char *folder;          /* for relative paths; ends in "/" */
    const char *at, *end;  /* what is left of the text */
    int line;              /* the line read last */
    bool continued;        /* it began with a space */
    bool failed;
    int failed_line;
    int seen[SETTINGS_MAX]; /* line of each setting; 0: not yet */
    struct err *err;
};

static const struct {
    const char *suffix;
    long long factor;
} sizes[] = { { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", 1024 * 1024 * 1024 } },
  times[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

/* Digits and a suffix. False where it is neither that nor within a long long. */
static bool number_read(const char *text, const char *suffix, long long factor, long long *ret)
{
    char *end;

    if (!isdigit((unsigned char) text[0]))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && strcmp(end, suffix) == 0 && !__builtin_mul_overflow(*ret, factor, ret);
}

static bool int_read(enum conf_type type, const char *text, long long *ret)
{
    if (type == CONF_SIZE) {
        for (size_t i = 0; i < countof(sizes); i++)
            if (number_read(text, sizes[i].suffix, sizes[i].factor, ret))
                return true;
        return false;
    }
    if (type == CONF_TIME) {
        for (size_t i = 0; i < countof(times); i++)
            if (number_read(text, times[i].suffix, times[i].factor, ret))
                return true;
        return false;
    }
    return number_read(text, "", 1, ret);
}

/* True where word is one of the words of list, which are separated by spaces. */
static bool choice_has(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = list; n != 0 && (at = strstr(at, word)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

/* START:RATE:FULL with START <= FULL and RATE a percentage (sshd_config(5), MaxStartups). */
static bool startups_ok(const char *text)
{
    unsigned start, rate, full;
    int n = -1;

    return sscanf(text, "%5u:%3u:%5u%n", &start, &rate, &full, &n) == 3 && n >= 0 && text[n] == '\0'
           && start >= 1 && start <= full && rate >= 1 && rate <= 100;
}

static void list_read(struct vec *v, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, ", \t");

        if (n != 0) {
            cleanup_free char *word = xstrndup(text, n);

            vec_add(v, word);
        }
        text += n + (text[n] != '\0');
    }
}

/* Puts a value into the struct. On failure *err says what was expected, without the setting's name. */
static int value_set(struct conf *c, const struct conf_setting *s, const char *text, const char *folder,
                     bool more, struct err *err)
{
    void *at = (char *) c + s->offset;
    char **string = at;
    long long n;

    for (const char *p = text; *p != '\0'; p++)
        if (iscntrl((unsigned char) *p))
            return err_set(err, ERR_USAGE, "control characters are not allowed");
    switch (s->type) {
    case CONF_STRING:
        if (s->offset == offsetof(struct conf, max_startups) && !startups_ok(text))
            return err_set(err, ERR_USAGE, "\"%s\" is not START:RATE:FULL, as in 20:30:100", text);
        free(*string);
        *string = xstrdup(text);
        return 0;
    case CONF_PATH:
        free(*string);
        *string = text[0] == '/' || text[0] == '\0' ? xstrdup(text) : xasprintf("%s%s", folder, text);
        return 0;
    case CONF_CHOICE:
        if (strchr(text, ' ') != NULL || !choice_has(s->choices, text))
            return err_set(err, ERR_USAGE, "\"%s\" is not one of: %s", text, s->choices);
        free(*string);
        *string = xstrdup(text);
        return 0;
    case CONF_BOOL:
        if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
            return err_set(err, ERR_USAGE, "\"%s\" is neither yes nor no", text);
        *(bool *) at = text[0] == 'y';
        return 0;
    case CONF_LIST:
        if (!more)
            vec_release(at);
        list_read(at, text);
        return 0;
    case CONF_INT:
    case CONF_SIZE:
    case CONF_TIME:
        break;
    }
    if (!int_read(s->type, text, &n))
        return err_set(err, ERR_USAGE, "\"%s\" is not %s", text,
                       s->type == CONF_SIZE   ? "a size such as 512, 64K, 20M or 1G"
                       : s->type == CONF_TIME ? "a time such as 500ms, 30s, 10m, 1h or 7d"
                                              : "a whole number");
    if (n < s->min || n > s->max) {
        cleanup_free char *low = conf_format(s->type, s->min), *high = conf_format(s->type, s->max);

        return err_set(err, ERR_USAGE, "%s is not between %s and %s", text, low, high);
    }
    *(long long *) at = n;
    return 0;
}

static const struct conf_setting *setting_find(const char *section, const char *name)
{
    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++)
        if (strcmp(s->section, section) == 0 && strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static bool section_known(const char *section)
{
    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++)
        if (strcmp(s->section, section) == 0)
            return true;
    return false;
}

/* Says what is unknown about [section] name, and what was probably meant. */
static int setting_unknown(const char *section, const char *name, struct err *err)
{
    const struct conf_setting *best = NULL;
    int least = NEAR_MAX + 1;
    bool known = section_known(section);

    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++) {
        bool here = strcmp(s->section, section) == 0;
        int d = known ? near_distance(name, s->name) * 2 + !here : near_distance(section, s->section) * 2;

        if ((d >> 1) <= NEAR_MAX && (best == NULL || d < least)) {
            best = s;
            least = d;
        }
    }
    if (!known && best != NULL)
        return err_set(err, ERR_USAGE, "there is no section [%s]; the nearest is [%s]", section, best->section);
    if (!known)
        return err_set(err, ERR_USAGE, "there is no section [%s]; see slipway.conf(5)", section);
    if (best != NULL)
        return err_set(err, ERR_USAGE, "there is no setting %s in [%s]; the nearest is %s in [%s]", name,
                       section, best->name, best->section);
    return err_set(err, ERR_USAGE, "there is no setting %s in [%s]; see slipway.conf(5)", name, section);
}

/* libinih's callback for a NAME = VALUE line, or one that continues it. It wants 0 for "wrong". */
static int line_take(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    const struct conf_setting *s;
    struct err why = ERR_INIT;
    size_t i;

    if (r->failed)
        return 0;
    s = setting_find(section, name);
    i = s != NULL ? (size_t) (s - conf_settings) : 0;
    if (section[0] == '\0')
        err_set(&why, ERR_USAGE, "%s stands before the first [section]", name);
    else if (s == NULL)
        setting_unknown(section, name, &why);
    else if (r->continued && s->type != CONF_LIST)
        err_set(&why, ERR_USAGE, "[%s] %s: only a list may go on in the next line", section, name);
    else if (!r->continued && r->seen[i] != 0)
        err_set(&why, ERR_USAGE, "[%s] %s was already set in line %d", section, name, r->seen[i]);
    else if (value_set(r->conf, s, value, r->folder, r->continued, &why) < 0)
        err_wrap(&why, "[%s] %s", section, name);
    else {
        r->seen[i] = r->line;
        return 1;
    }
    r->failed = true;
    r->failed_line = r->line;
    return err_set(r->err, ERR_USAGE, "%s, line %d: %s", r->file, r->line, why.msg) + 1;
}

/* libinih's reader, like fgets(3): it would split a line that is too long, so that is an error here. */
static char *line_read(char *line, int size, void *stream)
{
    struct reader *r = stream;
    const char *newline;
    size_t n;

    if (r->failed || r->at == r->end)
        return NULL;
    newline = memchr(r->at, '\n', (size_t) (r->end - r->at));
    n = newline != NULL ? (size_t) (newline + 1 - r->at) : (size_t) (r->end - r->at);
    r->line++;
    if (n + 1 > (size_t) size || memchr(r->at, '\0', n) != NULL) {
        r->failed = true;
        r->failed_line = r->line;
        if (n + 1 > (size_t) size)
            err_set(r->err, ERR_USAGE, "%s, line %d: longer than %d characters; "
                    "a list may go on in a line that begins with a space", r->file, r->line, size - 2);
        else
            err_set(r->err, ERR_USAGE, "%s, line %d: there is a NUL byte in it", r->file, r->line);
        return NULL;
    }
    r->continued = *r->at == ' ' || *r->at == '\t';
    memcpy(line, r->at, n);
    line[n] = '\0';
    r->at += n;
    return line;
}

static void conf_defaults(struct conf *c)
{
    memset(c, 0, sizeof(*c));
    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++)
        if (value_set(c, s, s->fallback, "/", false, NULL) < 0)
            abort(); /* the table itself is wrong; test_conf finds it */
}

int conf_parse(struct conf *c, const char *file, const char *data, size_t n, struct err *err)
{
    struct reader r = { .conf = c, .file = file, .at = data, .end = data + n, .err = err };
    const char *slash = strrchr(file, '/');
    int bad;

    conf_defaults(c);
    c->file = xstrdup(file);
    r.folder = slash != NULL ? xstrndup(file, (size_t) (slash + 1 - file)) : xstrdup("");
    bad = ini_parse_stream(line_read, &r, line_take, &r);
    free(r.folder);
    if (bad == 0 && !r.failed)
        return 0;
    if (bad > 0 && (!r.failed || bad < r.failed_line))
        err_set(err, ERR_USAGE, "%s, line %d: neither [section], NAME = VALUE nor a comment", file, bad);
    else if (!r.failed)
        err_set(err, ERR_FAILED, "cannot read %s", file);
    conf_release(c);
    return -1;
}

int conf_load(struct conf *c, const char *file, struct err *err)
{
    cleanup_free char *absolute = NULL, *cwd = NULL;
    cleanup_buf struct buf text;

    buf_init(&text, CONF_FILE_MAX);
    if (file == NULL) {
        conf_defaults(c);
        return 0;
    }
    if (file[0] != '/') {
        cwd = getcwd(NULL, 0);
        if (cwd == NULL)
            return err_errno(err, "cannot find the working folder");
        absolute = xasprintf("%s/%s", cwd, file);
    } else {
        absolute = xstrdup(file);
    }
    if (path_read(absolute, &text, err) < 0)
        return -1;
    return conf_parse(c, absolute, buf_str(&text), buf_len(&text), err);
}

int conf_set(struct conf *c, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
    cleanup_free char *section = NULL, *name = NULL, *cwd = NULL, *folder = NULL;
    const struct conf_setting *s;

    if (equals == NULL || dot == NULL || dot > equals)
        return err_set(err, ERR_USAGE, "\"%s\" is not SECTION.NAME=VALUE, as in ssh.port=2222", assignment);
    section = xstrndup(assignment, (size_t) (dot - assignment));
    name = xstrndup(dot + 1, (size_t) (equals - dot - 1));
    s = setting_find(section, name);
    if (s == NULL)
        return setting_unknown(section, name, err);
    cwd = getcwd(NULL, 0);
    if (cwd == NULL)
        return err_errno(err, "cannot find the working folder");
    folder = xasprintf("%s/", cwd);
    if (value_set(c, s, equals + 1, folder, false, err) < 0)
        return err_wrap(err, "%s.%s", section, name);
    return 0;
}

void conf_release(struct conf *c)
{
    for (const struct conf_setting *s = conf_settings; s->name != NULL; s++) {
        void *at = (char *) c + s->offset;

        if (s->type == CONF_LIST)
            vec_release(at);
        else if (s->type == CONF_STRING || s->type == CONF_PATH || s->type == CONF_CHOICE)
            free(*(char **) at);
    }
    free(c->file);
    memset(c, 0, sizeof(*c));
}

static bool has_kubernetes(const struct conf *c)
{
    return c->kubeconfig[0] != '\0' || getenv("KUBERNETES_SERVICE_HOST") != NULL;
}

const char *conf_target(const struct conf *c)
{
    if (strcmp(c->target, "auto") != 0)
        return c->target;
    return has_kubernetes(c) ? "kubernetes" : "docker";
}

const char *const conf_targets[] = { "docker", "kubernetes", NULL };

int conf_target_check(const struct conf *c, const char *target, struct err *err)
{
    bool docker = strcmp(target, "docker") == 0;

    if (strcmp(conf_target(c), target) == 0)
        return 0;
    if (docker) {
        cleanup_free char *used = conf_state_path(c, "run/docker");

        if (c->engine_socket[0] != '\0' || access(used, F_OK) == 0)
            return 0;
        return err_set(err, ERR_FAILED, "this server is not configured for docker: set [docker] socket in %s and restart "
                       "it", c->file != NULL ? c->file : "slipway.conf");
    }
    if (strcmp(target, "kubernetes") != 0)
        return err_set(err, ERR_USAGE, "there is no target \"%s\"; there are docker and kubernetes", word_shown(target).s);
    if (has_kubernetes(c))
        return 0;
    return err_set(err, ERR_FAILED, "this server is not configured for kubernetes: set [kubernetes] kubeconfig in %s and "
                   "restart it", c->file != NULL ? c->file : "slipway.conf");
}

char *conf_state_path(const struct conf *c, const char *fmt, ...)
{
    cleanup_free char *below = NULL;
    va_list ap;

    va_start(ap, fmt);
    below = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("%s/%s", c->state, below);
}
