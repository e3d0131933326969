#include "config.h"

#include "gateway/push.h"

#include "base/mem.h"
#include "gateway/pktline.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 900 /* of one ref in the report; a terminal's screen of text at most */

void push_release(struct push *p)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        free(p->refs[i].name);
        free(p->refs[i].reason);
    }
    free(p->refs);
    p->refs = NULL;
    p->n_refs = 0;
    vec_release(&p->shallow);
    vec_release(&p->options);
}

bool oid_is_zero(const char *hex)
{
    return strcmp(hex, OID_ZERO) == 0;
}

/* 40 lower-case hexadecimal digits, as git writes them. */
static int take_oid(const char *p, size_t n, char ret[OID_HEX + 1])
{
    if (n < OID_HEX)
        return -1;
    for (size_t i = 0; i < OID_HEX; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return -1;
    }
    memcpy(ret, p, OID_HEX);
    ret[OID_HEX] = '\0';
    return 0;
}

static bool word_is(const char *w, size_t n, const char *name)
{
    return n == strlen(name) && memcmp(w, name, n) == 0;
}

static int take_capability(struct push *p, const char *w, size_t n, struct err *err)
{
    if (word_is(w, n, "report-status"))
        p->report_status = true;
    else if (word_is(w, n, "report-status-v2"))
        p->report_status = p->report_status_v2 = true;
    else if (word_is(w, n, "side-band-64k"))
        p->side_band_64k = true;
    else if (word_is(w, n, "atomic"))
        p->atomic = true;
    else if (word_is(w, n, "quiet"))
        p->quiet = true;
    else if (word_is(w, n, "push-options"))
        p->push_options = true;
    else if (n > 14 && memcmp(w, "object-format=", 14) == 0 && !word_is(w, n, "object-format=sha1"))
        return err_set(err, ERR_USAGE, "only repositories with SHA-1 objects can be pushed");
    else if (n > 6 && n - 6 <= PUSH_AGENT_MAX && memcmp(w, "agent=", 6) == 0) {
        /* For the log. What a client may put there is printable ASCII. */
        size_t len = 0;

        for (size_t i = 6; i < n && w[i] > ' ' && w[i] < 0x7f; i++)
            p->agent[len++] = w[i];
        p->agent[len] = '\0';
    }
    /* Others (session-id, delete-refs, ofs-delta) ask for nothing. */
    return 0;
}

static int take_capabilities(struct push *p, const char *s, size_t n, struct err *err)
{
    size_t begin = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && s[i] != ' ' && s[i] != '\n')
            continue;
        if (i > begin && take_capability(p, s + begin, i - begin, err) < 0)
            return -1;
        begin = i + 1;
    }
    return 0;
}

static int take_shallow(struct push *p, const char *s, size_t n, struct err *err)
{
    char oid[OID_HEX + 1];

    if (n != OID_HEX || take_oid(s, n, oid) < 0)
        return err_set(err, ERR_USAGE, "not git's protocol: a shallow line without an object id");
    if (p->shallow.n >= PUSH_SHALLOW_MAX)
        return err_set(err, ERR_USAGE, "the pushed history has more than %d shallow roots; fetch more of it "
                       "(git fetch --unshallow) and push again", PUSH_SHALLOW_MAX);
    vec_add(&p->shallow, oid);
    return 0;
}

static int take_command(struct push *p, const char *s, size_t n, struct err *err)
{
    const char *end = memchr(s, '\0', n);
    struct push_ref r = { .name = NULL };
    size_t line = end != NULL ? (size_t) (end - s) : n;

    if (end != NULL && p->n_refs == 0 && take_capabilities(p, end + 1, n - line - 1, err) < 0)
        return -1;
    if (line > 0 && s[line - 1] == '\n')
        line--;
    if (line >= 9 && memcmp(s, "push-cert", 9) == 0)
        return err_set(err, ERR_USAGE, "signed pushes are not served; push without --signed");
    if (line < 2 * OID_HEX + 3 || s[OID_HEX] != ' ' || s[2 * OID_HEX + 1] != ' ' ||
        take_oid(s, line, r.old) < 0 || take_oid(s + OID_HEX + 1, line - OID_HEX - 1, r.new) < 0)
        return err_set(err, ERR_USAGE, "not git's protocol: a command that is not OLD NEW REF");
    s += 2 * OID_HEX + 2;
    line -= 2 * OID_HEX + 2;
    if (line > PUSH_REF_NAME_MAX)
        return err_set(err, ERR_USAGE, "a ref name of more than %d bytes", PUSH_REF_NAME_MAX);
    for (size_t i = 0; i < line; i++) {
        /* The report is read line by line: a name that could forge one is not repeated in it. */
        if ((unsigned char) s[i] < ' ' || s[i] == 0x7f)
            return err_set(err, ERR_USAGE, "a ref name with a control character");
    }
    if (p->n_refs >= PUSH_REFS_MAX)
        return err_set(err, ERR_USAGE, "more than %d refs in one push; push fewer tags at a time",
                       PUSH_REFS_MAX);
    r.name = xstrndup(s, line);
    if ((p->n_refs & (p->n_refs + 1)) == 0) /* grow when full: 1, 2, 4, … */
        p->refs = xrealloc_n(p->refs, (p->n_refs + 1) * 2, sizeof(*p->refs));
    p->refs[p->n_refs++] = r;
    return 0;
}

static int take_option(struct push *p, const char *s, size_t n, struct err *err)
{
    if (n > 0 && s[n - 1] == '\n')
        n--;
    if (p->options.n >= PUSH_OPTIONS_MAX)
        return err_set(err, ERR_USAGE, "more than %d push options", PUSH_OPTIONS_MAX);
    if (n > PUSH_OPTION_MAX)
        return err_set(err, ERR_USAGE, "a push option of more than %d bytes", PUSH_OPTION_MAX);
    if (memchr(s, '\0', n) != NULL)
        return err_set(err, ERR_USAGE, "a push option with a NUL byte");
    if (n > 0) {
        cleanup_free char *o = xstrndup(s, n);

        vec_add(&p->options, o);
    }
    return 0;
}

static int take_data(struct push *p, const char *s, size_t n, struct err *err)
{
    if (p->part == PUSH_OPTIONS)
        return take_option(p, s, n, err);
    if (n >= 8 && memcmp(s, "shallow ", 8) == 0) {
        if (s[n - 1] == '\n')
            n--;
        return take_shallow(p, s + 8, n - 8, err);
    }
    return take_command(p, s, n, err);
}

int push_feed(struct push *p, const char *data, size_t n, size_t *ret_used, struct err *err)
{
    size_t used = 0;

    while (p->part != PUSH_COMPLETE) {
        enum pktline_type type;
        const char *payload;
        size_t len, size;
        int rc = pktline_get(data + used, n - used, &type, &payload, &len, &size, err);

        if (rc < 0)
            return -1;
        if (rc == 0)
            break;
        if (type == PKTLINE_FLUSH)
            p->part = p->part == PUSH_COMMANDS && p->push_options && p->n_refs > 0 ? PUSH_OPTIONS
                                                                                  : PUSH_COMPLETE;
        else if (type != PKTLINE_DATA)
            return err_set(err, ERR_USAGE, "not git's protocol: a delimiter in a push");
        else if (take_data(p, payload, len, err) < 0)
            return -1;
        used += size;
    }
    *ret_used = used;
    return p->part == PUSH_COMPLETE ? 1 : 0;
}

bool push_has_pack(const struct push *p)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        if (!oid_is_zero(p->refs[i].new))
            return true;
    }
    return false;
}

__attribute__((format(printf, 2, 0)))
static void refuse(struct push_ref *r, const char *fmt, va_list ap)
{
    if (r->reason != NULL)
        return;
    r->reason = xvasprintf(fmt, ap);
    if (strlen(r->reason) > REASON_MAX)
        r->reason[REASON_MAX] = '\0';
    /* One line of the report. */
    for (char *c = r->reason; *c != '\0'; c++) {
        if ((unsigned char) *c < ' ' || *c == 0x7f)
            *c = ' ';
    }
}

void push_refuse(struct push_ref *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    refuse(r, fmt, ap);
    va_end(ap);
}

void push_refuse_all(struct push *p, const char *fmt, ...)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        va_list ap;

        va_start(ap, fmt);
        refuse(&p->refs[i], fmt, ap);
        va_end(ap);
    }
}

bool push_any_refused(const struct push *p)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        if (p->refs[i].reason != NULL)
            return true;
    }
    return false;
}

bool push_all_refused(const struct push *p)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        if (p->refs[i].reason == NULL)
            return false;
    }
    return true;
}

int push_report(const struct push *p, const char *unpack, struct buf *out)
{
    if (pktline_putf(out, "unpack %s\n", unpack) < 0)
        return -1;
    for (size_t i = 0; i < p->n_refs; i++) {
        const struct push_ref *r = &p->refs[i];
        int rc = r->reason != NULL ? pktline_putf(out, "ng %s %s\n", r->name, r->reason)
                                   : pktline_putf(out, "ok %s\n", r->name);

        if (rc < 0)
            return -1;
    }
    return pktline_flush(out);
}
