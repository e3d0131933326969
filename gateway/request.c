#include "config.h"

#include "gateway/request.h"

#include "base/mem.h"
#include "gateway/args.h"
#include "gateway/command.h"

#include <stdbool.h>
#include <string.h>

/* A command's name is far shorter; longer words are not quoted back at the client. */
#define WORD_SHOWN_MAX 40

void request_release(struct request *r)
{
    vec_release(&r->words);
}

static const struct {
    const char *text; /* up to and with the one space before the path */
    enum request_kind kind;
} services[] = {
    { "git-receive-pack ", REQUEST_RECEIVE_PACK },
    { "git receive-pack ", REQUEST_RECEIVE_PACK },
    { "git-upload-pack ", REQUEST_UPLOAD_PACK },
    { "git upload-pack ", REQUEST_UPLOAD_PACK },
};

/* "git" and its programs, not a command whose name only begins so. */
static bool is_git(const char *line, size_t n)
{
    char c = n > 3 ? line[3] : '-';

    return n >= 3 && memcmp(line, "git", 3) == 0 &&
           !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '_');
}

static int parse_path(const char *p, size_t n, char ret[APP_NAME_MAX + 1], struct err *err)
{
    char name[APP_NAME_MAX + 1];

    if (n >= 2 && (p[0] == '\'' || p[0] == '"') && p[n - 1] == p[0]) {
        p++;
        n -= 2;
    }
    if (n >= 1 && p[0] == '/') {
        p++;
        n--;
    }
    if (n >= 4 && memcmp(p + n - 4, ".git", 4) == 0)
        n -= 4;
    if (n == 0 || n > APP_NAME_MAX || memchr(p, '\0', n) != NULL)
        goto bad;
    memcpy(name, p, n);
    name[n] = '\0';
    /* A path with folders, quotes, options or blanks is no name: say what the path should be. */
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char) name[i];

        if (c <= ' ' || c >= 0x7f || strchr("/'\"\\$`;|&<>(){}[]*?!#~=%", c) != NULL)
            goto bad;
    }
    if (name[0] == '-')
        goto bad;
    if (app_name_check(name, err) < 0)
        return -1;
    memcpy(ret, name, n + 1);
    return 0;
bad:
    return err_set(err, ERR_USAGE, "the path of a repository here is the app's name, "
                   "as in ssh://git@HOST/APP or ssh://git@HOST/APP.git");
}

static int parse_git(const char *line, size_t n, struct request *ret, struct err *err)
{
    for (size_t i = 0; i < countof(services); i++) {
        size_t len = strlen(services[i].text);

        if (n < len || memcmp(line, services[i].text, len) != 0)
            continue;
        ret->kind = services[i].kind;
        return parse_path(line + len, n - len, ret->app, err);
    }
    if (n >= 18 && (memcmp(line, "git-upload-archive", 18) == 0 || memcmp(line, "git upload-archive", 18) == 0))
        return err_set(err, ERR_USAGE, "git archive is not served; use git clone");
    return err_set(err, ERR_USAGE, "of git's services only receive-pack (push) and upload-pack (fetch, clone) "
                   "are served, with one path and no options");
}

/* Letters, digits, and what joins the parts of a name. Anything else (assignments, paths,
 * substitutions) cannot be a command, whatever the table holds. */
static int check_name(const char *word, struct err *err)
{
    size_t n = strlen(word);

    for (size_t i = 0; i < n; i++) {
        char c = word[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool more = (c >= '0' && c <= '9') || c == ':' || c == '-' || c == '_';

        if (!letter && (i == 0 || !more))
            return err_set(err, ERR_USAGE, "the first word is not a command's name; see: help");
    }
    if (n == 0 || n > WORD_SHOWN_MAX)
        return err_set(err, ERR_USAGE, "the first word is not a command's name; see: help");
    return 0;
}

int request_parse(const char *line, size_t n, struct request *ret, struct err *err)
{
    struct request r = REQUEST_INIT;
    struct args_front front;

    if (n > REQUEST_LINE_MAX)
        return err_set(err, ERR_USAGE, "the command line is longer than %d KiB; long values can come from "
                       "standard input", REQUEST_LINE_MAX / 1024);
    if (is_git(line, n)) {
        if (parse_git(line, n, &r, err) < 0)
            return -1;
        *ret = r;
        return 0;
    }
    if (command_split(line, n, &r.words, err) < 0)
        goto fail;
    if (args_front(vec_argv(&r.words), (int) r.words.n, &front, err) < 0)
        goto fail;
    if (r.words.n == (size_t) front.n) {
        err_set(err, ERR_USAGE, "no command was given; see: help");
        goto fail;
    }
    if (check_name(r.words.v[front.n], err) < 0)
        goto fail;
    *ret = r;
    return 0;
fail:
    request_release(&r);
    return -1;
}
