#include "config.h"

#include "daemon/ask.h"

#include "base/image_ref.h"
#include "base/mem.h"
#include "base/oci.h"
#include "daemon/admin_key.h"
#include "sql/tables.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 4096 /* a terminal's line has no more (termios(3), canonical mode) */
#define NAME_MAX_DNS 253  /* RFC 1035, section 2.3.4, as text */
#define LABEL_MAX 63
#define REGISTRY_DEFAULT "localhost:5000/apps" /* where Debian's docker-registry listens */

bool ask_possible(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

/* Prints the question and reads a line without the spaces around it; an empty one is the proposal (NULL: asked again). */
static int answer_read(const char *question, const char *proposal, char **ret, struct err *err)
{
    char line[ANSWER_MAX + 2];

    for (;;) {
        char *at = line, *end;

        (void) printf("%s%s%s%s: ", question, proposal != NULL ? " [" : "", proposal != NULL ? proposal : "",
                      proposal != NULL ? "]" : "");
        (void) fflush(stdout);
        if (fgets(line, sizeof(line), stdin) == NULL) {
            (void) putchar('\n');
            return err_set(err, ERR_FAILED, "the questions were not answered; nothing was changed");
        }
        while (isspace((unsigned char) *at))
            at++;
        end = at + strlen(at);
        while (end > at && isspace((unsigned char) end[-1]))
            end--;
        *end = '\0';
        if (*at != '\0' || proposal != NULL) {
            *ret = xstrdup(*at != '\0' ? at : proposal);
            return 0;
        }
    }
}

/* Asks until the answer is one that take() takes; what is wrong with the others is said at once. */
static int ask(const char *question, const char *proposal,
               int take(const char *answer, void *arg, struct err *err), void *arg, struct err *err)
{
    for (;;) {
        cleanup_free char *answer = NULL;
        struct err why = ERR_INIT;

        if (answer_read(question, proposal, &answer, err) < 0)
            return -1;
        if (take(answer, arg, &why) == 0)
            return 0;
        (void) printf("  %s\n", why.msg);
    }
}

/* --- the admin's key */

static int key_take(const char *answer, void *arg, struct err *err)
{
    const char *home = getenv("HOME");
    struct key key = { 0 };
    char **ret = arg;

    if (answer[0] == '~' && answer[1] == '/' && home != NULL) {
        cleanup_free char *file = xasprintf("%s%s", home, answer + 1);

        return admin_key_read(file, ret, err);
    }
    if (answer[0] == '/' || strchr(answer, ' ') == NULL)
        return admin_key_read(answer, ret, err);
    if (key_parse(answer, &key, err) < 0)
        return -1;
    key_release(&key);
    *ret = xstrdup(answer);
    return 0;
}

int ask_key(char **ret, struct err *err)
{
    cleanup_free char *file = NULL, *line = NULL;
    struct key key = { 0 };

    admin_key_find(&file, &line);
    if (line != NULL && key_parse(line, &key, err) == 0)
        (void) printf("%s has the key \"%s\", %s.\n", file, key.name, key.fingerprint);
    key_release(&key);
    return ask("Public key of the first admin: a file, or the key itself", file, key_take, ret, err);
}

/* --- the server's name */

int host_name_check(const char *name, struct err *err)
{
    size_t all = strlen(name), n;
    const char *label;

    if (all > NAME_MAX_DNS)
        return err_set(err, ERR_USAGE, "a host name has at most %d characters", NAME_MAX_DNS);
    for (label = name;; label += n + 1) {
        n = strcspn(label, ".");
        if (n == 0 || n > LABEL_MAX || label[0] == '-' || label[n - 1] == '-'
            || strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") < n)
            return err_set(err, ERR_USAGE, "\"%.64s\" is no host name such as paas.example.com", name);
        if (label[n] == '\0')
            break;
    }
    if (strspn(label, "0123456789") == n)
        return err_set(err, ERR_USAGE, "\"%.64s\" is an address: apps answer under names below a name, such as "
                       "shop.paas.example.com", name);
    return 0;
}

static int host_take(const char *answer, void *arg, struct err *err)
{
    char **ret = arg;

    if (host_name_check(answer, err) < 0)
        return -1;
    *ret = xstrdup(answer);
    return 0;
}

/* As hostname(1) -f: the canonical name of the machine's own. The caller frees it. */
static char *host_own(void)
{
    const struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char name[NAME_MAX_DNS + 1] = "", *ret;

    if (gethostname(name, sizeof(name) - 1) < 0)
        return NULL;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        found = NULL;
    ret = xstrdup(found != NULL && found->ai_canonname != NULL ? found->ai_canonname : name);
    if (found != NULL)
        freeaddrinfo(found);
    if (host_name_check(ret, NULL) < 0) {
        free(ret);
        return NULL;
    }
    return ret;
}

/* --- the registry */

bool registry_is_local(const char *registry)
{
    size_t n = strcspn(registry, ":/");

    return (n == strlen("localhost") && strncmp(registry, "localhost", n) == 0)
           || (strncmp(registry, "127.", 4) == 0 && strspn(registry, "0123456789.") == n);
}

struct registry_answer {
    const struct conf *c;
    bool insecure;        /* the option says so */
    char *registry;
};

static int registry_take(const char *answer, void *arg, struct err *err)
{
    struct registry_answer *r = arg;
    cleanup_free char *name = xstrndup(answer, strcspn(answer, "/")), *image = xasprintf("%s/x", answer);
    const struct oci_options o = { .registry = name, .insecure = r->insecure || registry_is_local(answer),
                                   .ca_file = r->c->registry_ca, .auth_file = r->c->registry_auth };
    struct image_ref ref;
    struct oci *oci;
    int rc;

    if (image_ref_parse(image, &ref, err) < 0 || strcmp(ref.registry, name) != 0)
        return err_set(err, ERR_USAGE, "\"%.64s\" is not HOST[:PORT][/PREFIX], as in " REGISTRY_DEFAULT, answer);
    oci = oci_new(&o, err);
    rc = oci != NULL ? oci_check(oci, err) : -1;
    oci_free(oci);
    if (rc == 0)
        r->registry = xstrdup(answer);
    return rc;
}

/* --- what a new configuration needs */

/* Was the setting given on the command line? */
static bool given(const struct init_options *o, const char *setting)
{
    size_t n = strlen(setting);

    for (size_t i = 0; i < o->settings.n; i++)
        if (strncmp(o->settings.v[i], setting, n) == 0 && o->settings.v[i][n] == '=')
            return true;
    return false;
}

/* Sets it where the command line does not. */
static int set(struct conf *c, const struct init_options *o, const char *setting, const char *value, struct err *err)
{
    cleanup_free char *assignment = xasprintf("%s=%s", setting, value);

    return given(o, setting) ? 0 : conf_set(c, assignment, err);
}

static int ask_host(struct conf *c, const struct init_options *o, struct err *err)
{
    cleanup_free char *own = host_own(), *host = NULL;

    if (given(o, "server.host"))
        return 0;
    if (ask("Host name of this server; an app answers under APP.NAME", own, host_take, &host, err) < 0)
        return -1;
    return set(c, o, "server.host", host, err) < 0 ? -1 : set(c, o, "docker.domain", host, err);
}

static int ask_registry(struct conf *c, const struct init_options *o, struct err *err)
{
    struct registry_answer r = { .c = c, .insecure = c->registry_insecure };
    int rc = -1;

    if (given(o, "registry.host"))
        return 0;
    if (ask("Registry for the images", REGISTRY_DEFAULT, registry_take, &r, err) < 0)
        return -1;
    /* Builds publish from inside a container, whose own loopback is another one. */
    if (set(c, o, "registry.host", r.registry, err) == 0
        && (!registry_is_local(r.registry)
            || (set(c, o, "registry.insecure", "yes", err) == 0 && set(c, o, "build.network", "host", err) == 0)))
        rc = 0;
    free(r.registry);
    return rc;
}

int ask_settings(struct conf *c, const struct init_options *o, struct err *err)
{
    return ask_host(c, o, err) < 0 ? -1 : ask_registry(c, o, err);
}
