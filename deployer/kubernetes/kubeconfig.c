#include "config.h"

#include "deployer/kubernetes/kubeconfig.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"
#define ACCOUNT_MAX (64 * 1024) /* a token has 1 to 2 KiB */
#define EXEC_ITEMS_MAX 256      /* arguments or variables; plugins take a handful */

/* A node of the document; NULL is fine everywhere and means "absent". Aliases were resolved by
 * libyaml, and only named keys are followed, so an anchor that holds itself does no harm. */
struct doc {
    yaml_document_t yaml;
    struct err *err;
};

static const yaml_node_t *node_get(struct doc *d, const yaml_node_t *map, const char *key)
{
    size_t len = strlen(key);

    if (map == NULL || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
         p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(&d->yaml, p->key);

        if (k != NULL && k->type == YAML_SCALAR_NODE && k->data.scalar.length == len &&
            memcmp(k->data.scalar.value, key, len) == 0)
            return yaml_document_get_node(&d->yaml, p->value);
    }
    return NULL;
}

/* The scalar as an owned string; NULL where absent, empty, null, no scalar, or with a NUL
 * inside. */
static char *node_text(const yaml_node_t *n)
{
    const char *s;

    if (n == NULL || n->type != YAML_SCALAR_NODE || n->data.scalar.length == 0)
        return NULL;
    s = (const char *) n->data.scalar.value;
    if (strlen(s) != n->data.scalar.length)
        return NULL;
    if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (strcmp(s, "null") == 0 || strcmp(s, "~") == 0))
        return NULL;
    return xstrdup(s);
}

static char *text_at(struct doc *d, const yaml_node_t *map, const char *key)
{
    return node_text(node_get(d, map, key));
}

static bool bool_at(struct doc *d, const yaml_node_t *map, const char *key)
{
    cleanup_free char *s = text_at(d, map, key);

    return s != NULL && (strcmp(s, "true") == 0 || strcmp(s, "True") == 0);
}

/* The entry of a list of {name: NAME, VALUE: {…}} with that name. */
static const yaml_node_t *entry_find(struct doc *d, const char *list, const char *name,
                                     const char *value)
{
    const yaml_node_t *l = node_get(d, yaml_document_get_root_node(&d->yaml), list);

    if (l == NULL || l->type != YAML_SEQUENCE_NODE)
        return NULL;
    for (const yaml_node_item_t *i = l->data.sequence.items.start;
         i < l->data.sequence.items.top; i++) {
        const yaml_node_t *e = yaml_document_get_node(&d->yaml, *i);
        cleanup_free char *n = text_at(d, e, "name");

        if (n != NULL && strcmp(n, name) == 0)
            return node_get(d, e, value);
    }
    return NULL;
}

/* Base64 text of one line or more, decoded; it must be text itself (PEM). */
static int data_at(struct doc *d, const yaml_node_t *map, const char *key, char **ret)
{
    cleanup_free char *text = text_at(d, map, key);
    cleanup_free char *out = NULL;
    size_t n, len;

    if (text == NULL)
        return 0;
    n = strlen(text);
    out = xmalloc(n / 4 * 3 + 4);
    if (sodium_base642bin((unsigned char *) out, n / 4 * 3 + 3, text, n, " \n\r\t", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return err_set(d->err, ERR_USAGE, "%s is not base64", key);
    out[len] = '\0';
    if (strlen(out) != len)
        return err_set(d->err, ERR_USAGE, "%s is not PEM text", key);
    *ret = steal_ptr(out);
    return 0;
}

static char *file_at(struct doc *d, const yaml_node_t *map, const char *key, const char *folder)
{
    cleanup_free char *name = text_at(d, map, key);

    if (name == NULL || name[0] == '/')
        return steal_ptr(name);
    return xasprintf("%s/%s", folder, name);
}

static int cluster_read(struct doc *d, const char *name, const char *folder, struct kubeconfig *k)
{
    const yaml_node_t *c = entry_find(d, "clusters", name, "cluster");
    cleanup_free char *proxy = NULL;
    size_t len;

    if (c == NULL)
        return err_set(d->err, ERR_USAGE, "there is no cluster \"%s\"", name);
    proxy = text_at(d, c, "proxy-url");
    if (proxy != NULL)
        return err_set(d->err, ERR_USAGE, "proxy-url of cluster \"%s\" is not supported: set "
                       "HTTPS_PROXY for the daemon instead", name);
    k->server = text_at(d, c, "server");
    if (k->server == NULL)
        return err_set(d->err, ERR_USAGE, "cluster \"%s\" has no server", name);
    for (len = strlen(k->server); len > 0 && k->server[len - 1] == '/'; len--)
        k->server[len - 1] = '\0';
    if (strncmp(k->server, "https://", 8) != 0 && strncmp(k->server, "http://", 7) != 0)
        return err_set(d->err, ERR_USAGE, "the server of cluster \"%s\" is not a URL that begins "
                       "with https:// or http://", name);
    for (const char *p = k->server; *p != '\0'; p++)
        if ((unsigned char) *p <= ' ' || *p == 0x7f || *p == '?' || *p == '#')
            return err_set(d->err, ERR_USAGE, "the server of cluster \"%s\" is not a plain URL",
                           name);
    k->tls_server_name = text_at(d, c, "tls-server-name");
    k->insecure = bool_at(d, c, "insecure-skip-tls-verify");
    k->ca_file = file_at(d, c, "certificate-authority", folder);
    return data_at(d, c, "certificate-authority-data", &k->ca_pem);
}

static int exec_list(struct doc *d, const yaml_node_t *list, bool pairs, struct vec *ret)
{
    if (list == NULL || list->type != YAML_SEQUENCE_NODE)
        return 0;
    for (const yaml_node_item_t *i = list->data.sequence.items.start;
         i < list->data.sequence.items.top; i++) {
        const yaml_node_t *e = yaml_document_get_node(&d->yaml, *i);

        if (ret->n >= EXEC_ITEMS_MAX)
            return err_set(d->err, ERR_USAGE, "the exec plugin has more than %d items in a list",
                           EXEC_ITEMS_MAX);
        if (pairs) {
            cleanup_free char *name = text_at(d, e, "name");
            cleanup_free char *value = text_at(d, e, "value");

            if (name == NULL || strchr(name, '=') != NULL)
                return err_set(d->err, ERR_USAGE, "a variable of the exec plugin has no name");
            vec_addf(ret, "%s=%s", name, value != NULL ? value : "");
        } else {
            cleanup_free char *arg = NULL;

            if (e == NULL || e->type != YAML_SCALAR_NODE)
                return err_set(d->err, ERR_USAGE, "an argument of the exec plugin is not text");
            arg = xstrndup((const char *) e->data.scalar.value, e->data.scalar.length);
            vec_add(ret, arg);
        }
    }
    return 0;
}

static int exec_read(struct doc *d, const yaml_node_t *e, const char *folder, struct kube_exec *x)
{
    x->api_version = text_at(d, e, "apiVersion");
    x->command = text_at(d, e, "command");
    x->install_hint = text_at(d, e, "installHint");
    x->provide_cluster_info = bool_at(d, e, "provideClusterInfo");
    if (x->command == NULL)
        return err_set(d->err, ERR_USAGE, "the exec plugin has no command");
    if (strchr(x->command, '/') != NULL && x->command[0] != '/') {
        char *path = xasprintf("%s/%s", folder, x->command);

        free(x->command);
        x->command = path;
    }
    if (x->api_version == NULL ||
        (strcmp(x->api_version, "client.authentication.k8s.io/v1") != 0 &&
         strcmp(x->api_version, "client.authentication.k8s.io/v1beta1") != 0))
        return err_set(d->err, ERR_USAGE, "the exec plugin's apiVersion is \"%s\"; expected "
                       "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1",
                       x->api_version != NULL ? x->api_version : "");
    if (exec_list(d, node_get(d, e, "args"), false, &x->args) < 0)
        return -1;
    return exec_list(d, node_get(d, e, "env"), true, &x->env);
}

/* What would change who the requests are made as, and that we can't do. Ignoring it would log in as
 * somebody else. */
static const struct { const char *key, *why; } user_refused[] = {
    { "auth-provider", "was removed from Kubernetes in 1.26: use the exec plugin" },
    { "username", "was removed from Kubernetes in 1.19: use a token or a certificate" },
    { "as", "(impersonation) is not supported: use an account of its own" },
    { "as-groups", "(impersonation) is not supported: use an account of its own" },
    { "as-uid", "(impersonation) is not supported: use an account of its own" },
};

static int user_read(struct doc *d, const char *name, const char *folder, struct kubeconfig *k)
{
    const yaml_node_t *u = entry_find(d, "users", name, "user"), *x;

    if (u == NULL)
        return err_set(d->err, ERR_USAGE, "there is no user \"%s\"", name);
    for (size_t i = 0; i < countof(user_refused); i++) {
        const yaml_node_t *n = node_get(d, u, user_refused[i].key);
        cleanup_free char *s = node_text(n);

        if (s != NULL || (n != NULL && n->type != YAML_SCALAR_NODE))
            return err_set(d->err, ERR_USAGE, "user \"%s\": %s %s", name, user_refused[i].key,
                           user_refused[i].why);
    }
    k->token = text_at(d, u, "token");
    k->token_file = file_at(d, u, "tokenFile", folder);
    k->cert_file = file_at(d, u, "client-certificate", folder);
    k->key_file = file_at(d, u, "client-key", folder);
    if (data_at(d, u, "client-certificate-data", &k->cert_pem) < 0 ||
        data_at(d, u, "client-key-data", &k->key_pem) < 0)
        return -1;
    if ((k->cert_pem != NULL || k->cert_file != NULL) !=
        (k->key_pem != NULL || k->key_file != NULL))
        return err_set(d->err, ERR_USAGE, "user \"%s\" has a client certificate without its key, "
                       "or a key without its certificate", name);
    x = node_get(d, u, "exec");
    if (x == NULL || x->type != YAML_MAPPING_NODE)
        return 0;
    k->has_exec = true;
    if (exec_read(d, x, folder, &k->exec) < 0)
        return err_wrap(d->err, "user \"%s\"", name);
    return 0;
}

static int context_read(struct doc *d, const char *folder, const char *context,
                        struct kubeconfig *k)
{
    cleanup_free char *name = NULL, *cluster = NULL, *user = NULL;
    const yaml_node_t *c;

    name = context != NULL && context[0] != '\0'
               ? xstrdup(context)
               : text_at(d, yaml_document_get_root_node(&d->yaml), "current-context");
    if (name == NULL)
        return err_set(d->err, ERR_USAGE, "there is no current-context: name one in the setting "
                       "context of [kubernetes]");
    c = entry_find(d, "contexts", name, "context");
    if (c == NULL)
        return err_set(d->err, ERR_USAGE, "there is no context \"%s\"", name);
    cluster = text_at(d, c, "cluster");
    user = text_at(d, c, "user");
    if (cluster == NULL)
        return err_set(d->err, ERR_USAGE, "context \"%s\" names no cluster", name);
    if (cluster_read(d, cluster, folder, k) < 0)
        return -1;
    return user != NULL ? user_read(d, user, folder, k) : 0;
}

int kubeconfig_parse(const char *data, size_t n, const char *folder, const char *context,
                     struct kubeconfig *ret, struct err *err)
{
    struct kubeconfig k = { 0 };
    struct doc d = { .err = err };
    yaml_parser_t parser;
    int rc;

    if (n > KUBECONFIG_MAX)
        return err_set(err, ERR_USAGE, "longer than %d bytes", KUBECONFIG_MAX);
    if (yaml_parser_initialize(&parser) == 0)
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *) data, n);
    if (yaml_parser_load(&parser, &d.yaml) == 0) {
        /* Neither a value nor its neighbourhood is quoted: it may be a secret. */
        (void) err_set(err, ERR_USAGE, "not YAML: line %zu: %s", parser.problem_mark.line + 1,
                       parser.problem != NULL ? parser.problem : "cannot be read");
        yaml_parser_delete(&parser);
        return -1;
    }
    rc = context_read(&d, folder, context, &k);
    yaml_document_delete(&d.yaml);
    yaml_parser_delete(&parser);
    if (rc < 0) {
        kubeconfig_release(&k);
        return -1;
    }
    *ret = k;
    return 0;
}

int kubeconfig_load(const char *path, const char *context, struct kubeconfig *ret, struct err *err)
{
    cleanup_buf struct buf b;
    cleanup_free char *folder = NULL;
    const char *slash = strrchr(path, '/');
    int rc;

    buf_init(&b, KUBECONFIG_MAX);
    if (path_read(path, &b, err) < 0)
        return -1;
    folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t) (slash - path));
    rc = kubeconfig_parse(buf_str(&b), buf_len(&b), folder, context, ret, err);
    sodium_memzero(b.data, b.cap);
    return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

int kubeconfig_in_cluster(struct kubeconfig *ret, struct err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct kubeconfig k = { 0 };
    cleanup_buf struct buf token;

    buf_init(&token, ACCOUNT_MAX);
    if (host == NULL || port == NULL)
        return err_set(err, ERR_USAGE, "no kubeconfig is set, and this is not a pod: set "
                       "kubeconfig in [kubernetes]");
    if (path_read(ACCOUNT "token", &token, err) < 0)
        return err_wrap(err, "the pod's service account");
    sodium_memzero(token.data, token.cap);
    k.server = strchr(host, ':') != NULL ? xasprintf("https://[%s]:%s", host, port)
                                         : xasprintf("https://%s:%s", host, port);
    k.ca_file = xstrdup(ACCOUNT "ca.crt");
    k.token_file = xstrdup(ACCOUNT "token");
    *ret = k;
    return 0;
}

static void free_secret(char *s)
{
    if (s != NULL)
        sodium_memzero(s, strlen(s));
    free(s);
}

void kubeconfig_release(struct kubeconfig *k)
{
    free(k->server);
    free(k->ca_file);
    free(k->ca_pem);
    free(k->tls_server_name);
    free(k->cert_file);
    free(k->cert_pem);
    free(k->key_file);
    free_secret(k->key_pem);
    free_secret(k->token);
    free(k->token_file);
    free(k->exec.api_version);
    free(k->exec.command);
    free(k->exec.install_hint);
    vec_release(&k->exec.args);
    vec_release(&k->exec.env);
    memset(k, 0, sizeof(*k));
}
