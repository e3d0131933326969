#include "config.h"

#include "deployer/kubernetes/credential.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "deployer/rfc3339.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REREAD_MS 60000     /* a projected token is replaced when 80 % of its hour have passed */
#define EXPIRY_MS 60000     /* the same margin before a plugin's credential expires */
#define TOKEN_MAX (64 * 1024)
#define PLUGIN_OUTPUT_MAX (256 * 1024) /* a token, a certificate and a key */
#define PLUGIN_ERRORS_MAX (16 * 1024)

static void free_secret(char *s)
{
    if (s != NULL)
        sodium_memzero(s, strlen(s));
    free(s);
}

void credential_release(struct credential *c)
{
    free_secret(c->token);
    free(c->cert_pem);
    free_secret(c->key_pem);
    memset(c, 0, sizeof(*c));
}

/* A token goes into a header: printable ASCII without spaces. */
static bool token_is_valid(const char *s)
{
    if (s[0] == '\0')
        return false;
    for (; *s != '\0'; s++)
        if ((unsigned char) *s <= ' ' || (unsigned char) *s >= 0x7f)
            return false;
    return true;
}

int credential_parse(const char *data, size_t n, const char *api_version, struct credential *ret,
                     struct err *err)
{
    json_auto_t *doc = json_parse(data, n, "the exec plugin's credential", err);
    const char *token, *cert, *key, *expires;
    struct credential c = { 0 };

    if (doc == NULL)
        return -1;
    if (strcmp(json_str(doc, "kind", ""), "ExecCredential") != 0)
        return err_set(err, ERR_FAILED, "the exec plugin printed no ExecCredential");
    if (strcmp(json_str(doc, "apiVersion", ""), api_version) != 0)
        return err_set(err, ERR_FAILED, "the exec plugin printed another apiVersion than %s",
                       api_version);
    token = json_str(doc, "status.token", NULL);
    cert = json_str(doc, "status.clientCertificateData", NULL);
    key = json_str(doc, "status.clientKeyData", NULL);
    expires = json_str(doc, "status.expirationTimestamp", NULL);
    if ((cert == NULL) != (key == NULL))
        return err_set(err, ERR_FAILED, "the exec plugin gave a certificate without its key, or a "
                       "key without its certificate");
    if (token == NULL && cert == NULL)
        return err_set(err, ERR_FAILED, "the exec plugin gave neither a token nor a certificate");
    if (token != NULL && !token_is_valid(token))
        return err_set(err, ERR_FAILED, "the exec plugin's token is not a bearer token");
    if (expires != NULL) {
        c.renew_at = rfc3339_ms(expires);
        if (c.renew_at == 0)
            return err_set(err, ERR_FAILED, "the exec plugin's expirationTimestamp is no time");
        c.renew_at -= EXPIRY_MS;
    }
    c.token = token != NULL ? xstrdup(token) : NULL;
    c.cert_pem = cert != NULL ? xstrdup(cert) : NULL;
    c.key_pem = key != NULL ? xstrdup(key) : NULL;
    *ret = c;
    return 0;
}

/* KUBERNETES_EXEC_INFO: what the plugin may know. */
static char *exec_info(const struct kubeconfig *k)
{
    json_auto_t *info = json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
                                  k->exec.api_version, "spec", "interactive", 0);

    if (k->exec.provide_cluster_info) {
        json_t *cluster = json_pack("{s:s, s:b}", "server", k->server, "insecure-skip-tls-verify",
                                    k->insecure);

        if (k->tls_server_name != NULL)
            json_object_set_new(cluster, "tls-server-name", json_string(k->tls_server_name));
        if (k->ca_pem != NULL) {
            size_t n = strlen(k->ca_pem),
                   size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
            cleanup_free char *text = xmalloc(size);

            (void) sodium_bin2base64(text, size, (const unsigned char *) k->ca_pem, n,
                                     sodium_base64_VARIANT_ORIGINAL);
            json_object_set_new(cluster, "certificate-authority-data", json_string(text));
        }
        json_object_set_new(json_object_get(info, "spec"), "cluster", cluster);
    }
    return json_text(info);
}

/* The last line that the plugin wrote to standard error: its reason. */
static const char *last_line(struct buf *b)
{
    char *s;

    while (buf_len(b) > 0 && strchr("\r\n ", buf_str(b)[buf_len(b) - 1]) != NULL)
        buf_truncate(b, buf_len(b) - 1);
    s = strrchr(buf_str(b), '\n');
    return s != NULL ? s + 1 : buf_str(b);
}

/* Is there a variable of that name? Of two, a program would see the first. */
static bool env_has(const struct vec *env, const char *var)
{
    size_t n = strcspn(var, "=") + 1;

    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->v[i], var, n) == 0)
            return true;
    return false;
}

/* While a plugin runs. */
struct wait {
    const struct credential_wait *w;
    bool before; /* who waits was to stop already when it began */
};

static bool wait_stop(void *arg)
{
    const struct wait *w = arg;

    return w->w->stop(w->w->arg) && !w->before;
}

static int exec_failed(const struct kube_exec *x, int timeout_ms, bool timed_out, struct err *err)
{
    if (timed_out)
        err_set(err, ERR_FAILED, "the exec plugin %.512s took longer than %d s and was ended; it has to log in without a person: "
                "run it as the deployer's user to see what it waits for", x->command, (timeout_ms + 999) / 1000);
    else
        err_wrap(err, "the exec plugin %s", x->command);
    if (x->install_hint != NULL && err != NULL)
        err_set(err, err->code, "%.512s: %.400s", err->msg, x->install_hint);
    return -1;
}

static int exec_run(const struct kubeconfig *k, const struct credential_wait *w, struct credential *ret, struct err *err)
{
    const struct kube_exec *x = &k->exec;
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_buf struct buf out, errors;
    cleanup_free char *info = exec_info(k);
    int rc, timeout_ms = w != NULL && w->timeout_ms != 0 ? w->timeout_ms : CREDENTIAL_PLUGIN_MS;
    struct spawn_result result = { .timed_out = false };
    struct wait wait = { .w = w };
    struct spawn s = SPAWN_INIT;

    vec_add(&argv, x->command);
    for (size_t i = 0; i < x->args.n; i++)
        vec_add(&argv, x->args.v[i]);
    vec_addf(&env, "KUBERNETES_EXEC_INFO=%s", info);
    for (size_t i = 0; i < x->env.n; i++)
        vec_add(&env, x->env.v[i]);
    for (size_t i = 0; environ[i] != NULL; i++)
        if (!env_has(&env, environ[i]))
            vec_add(&env, environ[i]);
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.new_group = true;
    if (w != NULL && w->stop != NULL) {
        wait.before = w->stop(w->arg);
        s.wake_fd = w->fd;
        s.stop = wait_stop;
        s.stop_arg = &wait;
    }
    buf_init(&out, PLUGIN_OUTPUT_MAX);
    buf_init(&errors, PLUGIN_ERRORS_MAX);
    if (spawn_run(&s, NULL, &out, &errors, timeout_ms, &result, err) < 0)
        return exec_failed(x, timeout_ms, result.timed_out, err);
    if (result.signaled || result.code != 0)
        return err_set(err, ERR_FAILED, "the exec plugin %s failed (%s %d): %.400s", x->command,
                       result.signaled ? "signal" : "exit", result.code, last_line(&errors));
    rc = credential_parse(buf_str(&out), buf_len(&out), x->api_version, ret, err);
    if (out.data != NULL)
        sodium_memzero(out.data, out.cap);
    return rc;
}

static int token_read(const char *path, int64_t now, struct credential *ret, struct err *err)
{
    cleanup_buf struct buf b;

    buf_init(&b, TOKEN_MAX);
    if (path_read(path, &b, err) < 0)
        return err_wrap(err, "the token file");
    while (buf_len(&b) > 0 && (unsigned char) buf_str(&b)[buf_len(&b) - 1] <= ' ')
        buf_truncate(&b, buf_len(&b) - 1);
    if (strlen(buf_str(&b)) != buf_len(&b) || !token_is_valid(buf_str(&b)))
        return err_set(err, ERR_FAILED, "%s holds no bearer token", path);
    ret->token = xstrdup(buf_str(&b));
    ret->renew_at = now + REREAD_MS;
    sodium_memzero(b.data, b.cap);
    return 0;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int credential_refresh(const struct kubeconfig *k, struct credential *c, int64_t now, bool rejected,
                       const struct credential_wait *w, struct err *err)
{
    bool first = c->token == NULL && c->cert_pem == NULL, changed;
    struct credential fresh = { 0 };

    if (!first && !rejected && (c->renew_at == 0 || now < c->renew_at))
        return 0;
    if (k->token_file != NULL) {
        if (token_read(k->token_file, now, &fresh, err) < 0)
            return -1;
    } else if (k->token != NULL) {
        if (!first)
            return 0;
        if (!token_is_valid(k->token))
            return err_set(err, ERR_FAILED, "the kubeconfig's token is not a bearer token");
        fresh.token = xstrdup(k->token);
    } else if (k->has_exec) {
        if (exec_run(k, w, &fresh, err) < 0)
            return -1;
    } else {
        return 0;
    }
    changed = !same(fresh.token, c->token) || !same(fresh.cert_pem, c->cert_pem) ||
              !same(fresh.key_pem, c->key_pem);
    credential_release(c);
    *c = fresh;
    return changed;
}
