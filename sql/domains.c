/* Own host names of apps. */
#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "sql/tables.h"

#include <ctype.h>
#include <string.h>

#define DOMAIN_MAX 253       /* RFC 1035 section 2.3.4, written with dots */
#define LABEL_MAX 63
#define APP_DOMAINS_MAX 100  /* all are in the router's configuration, and names of one certificate */

/* Letters, digits and hyphens: RFC 1123 section 2.1. */
static bool label_fits(const char *s, size_t n)
{
    if (n == 0 || n > LABEL_MAX || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char) s[i]) && s[i] != '-')
            return false;
    return true;
}

char *domain_parse(const char *text, struct err *err)
{
    const char *label = text, *last = NULL;
    char *domain;

    if (strlen(text) > DOMAIN_MAX)
        goto wrong;
    for (;; label++) {
        size_t n = strcspn(label, ".");

        if (!label_fits(label, n))
            goto wrong;
        last = label;
        label += n;
        if (*label == '\0')
            break;
    }
    /* One of digits alone at the end is an address. */
    if (last == text || strspn(last, "0123456789") == strlen(last))
        goto wrong;
    domain = xstrdup(text);
    for (char *p = domain; *p != '\0'; p++)
        *p = (char) tolower((unsigned char) *p);
    return domain;
wrong:
    (void) err_set(err, ERR_USAGE, "a domain is a host name, in its ASCII form (xn--...), without a port or a path, not \"%s\"; for "
                   "example: www.example.com; nothing was changed", word_shown(text).s);
    return NULL;
}

int domains_add(struct store *s, int64_t app_id, const char *domain, bool *ret_changed, struct err *err)
{
    int64_t owner = 0, n = 0;
    int rc = store_int(s, &owner, err, "SELECT app_id FROM domains WHERE domain = ?", "s", domain);

    *ret_changed = false;
    if (rc < 0)
        return -1;
    if (rc == 1)
        return owner == app_id ? 0 : err_set(err, ERR_FAILED, "%s is another app's domain; who may operate that app removes "
                                             "it there first: domains:remove", domain);
    if (store_int(s, &n, err, "SELECT count(*) FROM domains WHERE app_id = ?", "i", app_id) < 0)
        return -1;
    if (n >= APP_DOMAINS_MAX)
        return err_set(err, ERR_FAILED, "an app has at most %d domains", APP_DOMAINS_MAX);
    *ret_changed = true;
    return store_exec(s, err, "INSERT INTO domains (domain, app_id) VALUES (?, ?)", "si", domain, app_id);
}

int domains_taken(struct store *s, int64_t app_id, const char *domain, bool *ret, struct err *err)
{
    int64_t one = 0;
    int rc = store_int(s, &one, err, "SELECT 1 FROM domains WHERE domain = ? AND app_id <> ?", "si", domain, app_id);

    *ret = rc == 1;
    return rc < 0 ? -1 : 0;
}

int domains_remove(struct store *s, int64_t app_id, const char *domain, struct err *err)
{
    int64_t one = 0;
    int rc = store_int(s, &one, err, "SELECT 1 FROM domains WHERE domain = ? AND app_id = ?", "si", domain, app_id);

    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "the app has no domain %s; see: domains:list", domain);
    return rc < 0 ? -1 : store_exec(s, err, "DELETE FROM domains WHERE domain = ?", "s", domain);
}
