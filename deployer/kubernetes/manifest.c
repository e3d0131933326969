#include "config.h"

#include "deployer/kubernetes/manifest.h"

#include "base/json.h"
#include "base/mem.h"
#include "sql/tables.h"
#include "deployer/one_off.h"
#include "deployer/process.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define READY_PERIOD_S 1     /* the kubelet also asks at once when the container runs */
#define READY_FAILURES 3
#define LIVE_PERIOD_S 10
#define LIVE_FAILURES 6      /* a minute without an accepted connection */
/* The last allowed failure falls on the boot limit. A startup probe would say the same, but the
 * kubelet begins with readiness only a round after it, which costs every rollout a second. */
#define LIVE_DELAY_S (BOOT_LIMIT_S - (LIVE_FAILURES - 1) * LIVE_PERIOD_S)
#define PROBE_TIMEOUT_S 2
/* the Job is deleted when it has ended; this is for what a crash leaves */
#define JOB_TTL_S 3600
/* up to so many instances one more is started at a time, then a quarter */
#define SURGE_ONE_MAX 4

char *manifest_namespace_name(const struct conf *c, const struct app *app)
{
    return xasprintf("%s%s", c->namespace_prefix, app->handle);
}

char *manifest_job_name(const struct release *r, const char *script)
{
    return xasprintf("%s-v%" PRId64, script != NULL ? "postdeploy" : "release", r->version);
}

bool manifest_is_service(const char *process)
{
    return strcmp(process, PROCESS_RELEASE) != 0;
}

int manifest_count(const struct release *r, const char *process)
{
    int count = formation_count(&r->formation, process);

    if (count >= 0)
        return count;
    return strcmp(process, PROCESS_WEB) == 0 ? 1 : 0;
}

/* --- metadata */

/* The pods' selector: it can never be changed, so it holds only what names them. */
static json_t *selector(const struct manifest_input *in, const char *process)
{
    return json_pack("{s:s, s:s}", LABEL_NAME, in->app->handle, LABEL_PROCESS, process);
}

static json_t *labels(const struct manifest_input *in, const char *process)
{
    json_t *l = json_pack("{s:s, s:s, s:s}", LABEL_NAME, in->app->handle, LABEL_INSTANCE,
                          in->app->handle, LABEL_MANAGED, MANAGED_BY);

    if (process != NULL)
        json_object_set_new(l, LABEL_PROCESS, json_string(process));
    return l;
}

static json_t *annotations(const struct manifest_input *in)
{
    const struct release *r = in->release;
    json_t *a = json_object();

    json_object_set_new(a, ANNOTATION_RELEASE, json_sprintf("%" PRId64, r->version));
    json_object_set_new(a, ANNOTATION_RELEASE_ID, json_sprintf("%" PRId64, r->id));
    if (r->build_id != 0)
        json_object_set_new(a, ANNOTATION_BUILD, json_sprintf("%" PRId64, r->build_id));
    if (r->commit != NULL)
        json_object_set_new(a, ANNOTATION_COMMIT, json_string(r->commit));
    return a;
}

/* A document's head; the caller adds its spec. */
static json_t *object(const struct manifest_input *in, const char *api, const char *kind,
                      const char *name, const char *process)
{
    cleanup_free char *namespace_ = manifest_namespace_name(in->conf, in->app);

    return json_pack("{s:s, s:s, s:{s:s, s:s, s:o}}", "apiVersion", api, "kind", kind, "metadata",
                     "name", name, "namespace", namespace_, "labels", labels(in, process));
}

/* --- what pods refer to */

static json_t *namespace_object(const struct manifest_input *in)
{
    cleanup_free char *name = manifest_namespace_name(in->conf, in->app);
    json_t *l = labels(in, NULL);

    json_object_set_new(l, "pod-security.kubernetes.io/enforce", json_string("restricted"));
    return json_pack("{s:s, s:s, s:{s:s, s:o}}", "apiVersion", "v1", "kind", "Namespace",
                     "metadata", "name", name, "labels", l);
}

#define PULL_SECRET "registry" /* the same name always: a new password restarts no pod */

static json_t *service_account(const struct manifest_input *in)
{
    json_t *o = object(in, "v1", "ServiceAccount", SERVICE_ACCOUNT, NULL);

    json_object_set_new(o, "automountServiceAccountToken", json_false());
    if (in->pull_config != NULL)
        json_object_set_new(o, "imagePullSecrets", json_pack("[{s:s}]", "name", PULL_SECRET));
    return o;
}

static json_t *base64(const void *p, size_t n)
{
    size_t size = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL);
    cleanup_free char *text = xmalloc(size);
    json_t *s;

    (void) sodium_bin2base64(text, size, p, n, sodium_base64_VARIANT_ORIGINAL);
    s = json_string(text);
    sodium_memzero(text, size);
    return s;
}

static bool var_is_used(const struct config_var *v)
{
    /* PORT is ours; config_name_check refuses it, an older database may hold it. */
    return v->run && v->value != NULL && strcmp(v->name, "PORT") != 0;
}

bool manifest_config_bytes(const struct config_set *config, struct buf *ret)
{
    bool any = false;

    for (size_t i = 0; i < config->n; i++) {
        const struct config_var *v = &config->v[i];

        if (!var_is_used(v))
            continue;
        any = true;
        (void) buf_addf(ret, "%s=%zu:", v->name, v->value_len);
        (void) buf_add(ret, v->value, v->value_len);
    }
    return any;
}

static int config_secret(const struct manifest_input *in, json_t *base, struct err *err)
{
    json_auto_t *data = json_object();
    json_t *o;

    for (size_t i = 0; i < in->config->n; i++) {
        const struct config_var *v = &in->config->v[i];
        json_auto_t *utf8 = NULL;

        if (!var_is_used(v))
            continue;
        if (memchr(v->value, '\0', v->value_len) != NULL ||
            (utf8 = json_stringn(v->value, v->value_len)) == NULL)
            return err_set(err, ERR_USAGE, "the config value %s can't be an environment variable "
                           "in Kubernetes: it is not UTF-8 text (encode it, as base64 for instance)",
                           v->name);
        json_object_set_new(data, v->name, base64(v->value, v->value_len));
    }
    o = object(in, "v1", "Secret", in->secret, NULL);
    json_object_set_new(o, "type", json_string("Opaque"));
    json_object_set_new(o, "immutable", json_true());
    json_object_set(o, "data", data);
    json_array_append_new(base, o);
    return 0;
}

static json_t *pull_secret(const struct manifest_input *in)
{
    json_t *o = object(in, "v1", "Secret", PULL_SECRET, NULL);

    json_object_set_new(o, "type", json_string("kubernetes.io/dockerconfigjson"));
    json_object_set_new(o, "data",
                        json_pack("{s:o}", ".dockerconfigjson",
                                  base64(in->pull_config, strlen(in->pull_config))));
    return o;
}

/* Has an Ingress that uses it, and a certificate to use. */
static bool has_certificate(const struct manifest_input *in)
{
    return in->certificate != NULL && in->certificate->key != NULL && strcmp(in->conf->expose, "ingress") == 0;
}

static json_t *certificate_secret(const struct manifest_input *in)
{
    const struct certificate *c = in->certificate;
    json_t *o = object(in, "v1", "Secret", CERTIFICATE_SECRET, NULL);

    json_object_set_new(o, "type", json_string("kubernetes.io/tls"));
    json_object_set_new(o, "data", json_pack("{s:o, s:o}", "tls.crt", base64(c->chain, strlen(c->chain)), "tls.key",
                                             base64(c->key, strlen(c->key))));
    return o;
}

/* --- pods */

static void set_amount(json_t *o, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        json_object_set_new(o, name, json_string(value));
}

static json_t *resources(const struct conf *c)
{
    json_t *requests = json_object(), *limits = json_object(), *r = json_object();

    set_amount(requests, "cpu", c->cpu_request);
    set_amount(requests, "memory", c->memory_request);
    set_amount(limits, "cpu", c->cpu_limit);
    set_amount(limits, "memory", c->memory_limit);
    json_object_set_new(r, "requests", requests);
    json_object_set_new(r, "limits", limits);
    return r;
}

static json_t *tcp_probe(int period, int failures)
{
    return json_pack("{s:{s:s}, s:i, s:i, s:i}", "tcpSocket", "port", "http", "periodSeconds",
                     period, "failureThreshold", failures, "timeoutSeconds", PROBE_TIMEOUT_S);
}

static long long seconds(long long ms)
{
    return (ms + 999) / 1000;
}

/* What only web has: a port, probes on it, and a pause before SIGTERM in which the load balancers
 * stop sending to it. */
static void container_web(const struct manifest_input *in, json_t *c)
{
    json_t *live = tcp_probe(LIVE_PERIOD_S, LIVE_FAILURES);

    json_object_set_new(c, "ports", json_pack("[{s:s, s:i, s:s}]", "name", "http", "containerPort",
                                              WEB_PORT, "protocol", "TCP"));
    json_object_set_new(live, "initialDelaySeconds", json_integer(LIVE_DELAY_S));
    json_object_set_new(c, "readinessProbe", tcp_probe(READY_PERIOD_S, READY_FAILURES));
    json_object_set_new(c, "livenessProbe", live);
    if (in->conf->pre_stop > 0)
        json_object_set_new(c, "lifecycle",
                            json_pack("{s:{s:{s:I}}}", "preStop", "sleep", "seconds",
                                      (json_int_t) seconds(in->conf->pre_stop)));
}

/* Kubernetes makes $(NAME) and $$ of commands and values into something else; twice the sign is one.
 * Source: kubernetes.io "Define Dependent Environment Variables". */
static json_t *literal(const char *s)
{
    cleanup_free char *text = xmalloc(2 * strlen(s) + 1);
    char *at = text;

    for (; *s != '\0'; s++) {
        if (*s == '$')
            *at++ = '$';
        *at++ = *s;
    }
    *at = '\0';
    return json_string(text);
}

static json_t *container(const struct manifest_input *in, const char *process)
{
    json_t *c = json_pack("{s:s, s:s, s:s}", "name", CONTAINER, "image", in->image,
                          "imagePullPolicy", "IfNotPresent"), *command = json_array();
    cleanup_vec struct vec words = VEC_INIT;

    process_words(in->release, process, &words);
    for (size_t i = 0; i < words.n; i++)
        json_array_append_new(command, literal(words.v[i]));
    json_object_set_new(c, "command", command);
    json_object_set_new(c, "env", json_pack("[{s:s, s:o}]", "name", "PORT", "value",
                                            json_sprintf("%d", WEB_PORT)));
    if (in->secret != NULL)
        json_object_set_new(c, "envFrom",
                            json_pack("[{s:{s:s}}]", "secretRef", "name", in->secret));
    json_object_set_new(c, "resources", resources(in->conf));
    json_object_set_new(c, "securityContext",
                        json_pack("{s:b, s:{s:[s]}}", "allowPrivilegeEscalation", 0,
                                  "capabilities", "drop", "ALL"));
    if (strcmp(process, PROCESS_WEB) == 0)
        container_web(in, c);
    if (in->app_json != NULL)
        manifest_checks(in->app_json, process, c);
    return c;
}

/* What the pods of Deployments and Jobs have in common. */
static json_t *pod_spec(const struct manifest_input *in, const char *process)
{
    const struct conf *c = in->conf;
    long long grace = seconds(c->grace_period);

    if (strcmp(process, PROCESS_WEB) == 0)
        grace += seconds(c->pre_stop); /* it runs within the grace period */
    return json_pack("{s:s, s:b, s:b, s:I, s:{s:b, s:I, s:{s:s}}, s:[o]}",
                     "serviceAccountName", SERVICE_ACCOUNT, "automountServiceAccountToken", 0,
                     "enableServiceLinks", 0, "terminationGracePeriodSeconds", (json_int_t) grace,
                     "securityContext", "runAsNonRoot", 1, "runAsUser", (json_int_t) c->run_uid,
                     "seccompProfile", "type", "RuntimeDefault", "containers",
                     container(in, process));
}

/* Nodes first, then zones; a hint only, so that a cluster of one node is fine. */
static json_t *spread(const struct manifest_input *in, const char *process)
{
    static const char *const keys[] = { "kubernetes.io/hostname", "topology.kubernetes.io/zone" };
    json_t *all = json_array();

    for (size_t i = 0; i < countof(keys); i++)
        json_array_append_new(all, json_pack("{s:i, s:s, s:s, s:{s:o}, s:[s]}", "maxSkew", 1,
                                             "topologyKey", keys[i], "whenUnsatisfiable",
                                             "ScheduleAnyway", "labelSelector", "matchLabels",
                                             selector(in, process), "matchLabelKeys",
                                             "pod-template-hash"));
    return all;
}

/* Marks the template with a hash of itself. */
static void template_sign(json_t *template)
{
    cleanup_free char *text = json_text(template);
    unsigned char hash[8];
    char hex[sizeof(hash) * 2 + 1];

    _Static_assert(sizeof(hash) < crypto_generichash_BYTES_MIN, "a prefix is taken");
    unsigned char full[crypto_generichash_BYTES];
    (void) crypto_generichash(full, sizeof(full), (const unsigned char *) text, strlen(text), NULL,
                              0);
    memcpy(hash, full, sizeof(hash));
    (void) sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
    json_object_set_new(json_object_get(template, "metadata"), "annotations",
                        json_pack("{s:s}", ANNOTATION_TEMPLATE, hex));
}

static json_t *deployment(const struct manifest_input *in, const char *process)
{
    int count = manifest_count(in->release, process);
    json_t *o = object(in, "apps/v1", "Deployment", process, process), *spec, *template;

    json_object_set_new(json_object_get(o, "metadata"), "annotations", annotations(in));
    template = json_pack("{s:{s:o}, s:o}", "metadata", "labels", labels(in, process), "spec",
                         pod_spec(in, process));
    json_object_set_new(json_object_get(template, "spec"), "topologySpreadConstraints",
                        spread(in, process));
    template_sign(template);
    spec = json_pack("{s:i, s:I, s:I, s:{s:o}, s:{s:s, s:{s:i}}, s:o}",
                     "replicas", count,
                     "revisionHistoryLimit", (json_int_t) in->conf->revision_history,
                     "progressDeadlineSeconds", (json_int_t) seconds(in->conf->rollout_timeout),
                     "selector", "matchLabels", selector(in, process),
                     "strategy", "type", "RollingUpdate", "rollingUpdate", "maxUnavailable", 0,
                     "template", template);
    json_object_set_new(json_at(spec, "strategy.rollingUpdate"), "maxSurge",
                        count > SURGE_ONE_MAX ? json_string("25%") : json_integer(1));
    json_object_set_new(o, "spec", spec);
    return o;
}

json_t *manifest_job(const struct manifest_input *in, const char *script, int64_t timeout_s)
{
    cleanup_free char *name = manifest_job_name(in->release, script);
    json_t *o = object(in, "batch/v1", "Job", name, PROCESS_RELEASE), *pod, *template;

    json_object_set_new(json_object_get(o, "metadata"), "annotations", annotations(in));
    pod = pod_spec(in, PROCESS_RELEASE);
    json_object_set_new(pod, "restartPolicy", json_string("Never"));
    if (script != NULL) {
        char *argv[] = { (char *) (uintptr_t) script, NULL };
        cleanup_vec struct vec command = VEC_INIT;
        json_t *words = json_array();

        run_command(&command, "", argv, true);
        for (size_t i = 0; i < command.n; i++)
            json_array_append_new(words, literal(command.v[i]));
        json_object_set_new(json_array_get(json_object_get(pod, "containers"), 0), "command", words);
    }
    template = json_pack("{s:{s:o}, s:o}", "metadata", "labels", labels(in, PROCESS_RELEASE),
                         "spec", pod);
    json_object_set_new(o, "spec",
                        json_pack("{s:i, s:I, s:i, s:o}", "backoffLimit", 0,
                                  "activeDeadlineSeconds", (json_int_t) timeout_s,
                                  "ttlSecondsAfterFinished", JOB_TTL_S, "template", template));
    return o;
}

/* --- one-off commands */

#define PROCESS_RUN "run"    /* only to the functions above: none of web's probes */
/* A command gets so long to end itself; a shell, which does not listen to SIGTERM, isn't waited for. */
#define RUN_GRACE_MAX_S 10

static json_t *run_spec(const struct manifest_input *in, const struct manifest_run *r)
{
    json_t *pod = pod_spec(in, PROCESS_RUN), *c = json_array_get(json_object_get(pod, "containers"), 0);
    json_t *command = json_array(), *env = json_object_get(c, "env"), *value;
    const char *name;

    for (size_t i = 0; i < r->command->n; i++)
        json_array_append_new(command, literal(r->command->v[i]));
    json_object_set_new(c, "command", command);
    json_object_foreach((json_t *) r->env, name, value)
        json_array_append_new(env, json_pack("{s:s, s:o}", "name", name, "value",
                                             literal(json_string_value(value))));
    if (r->owner != NULL) {
        json_object_set_new(c, "stdin", json_true());
        json_object_set_new(c, "stdinOnce", json_true());
        json_object_set_new(c, "tty", json_boolean(r->tty));
    }
    if (json_int(pod, "terminationGracePeriodSeconds", 0) > RUN_GRACE_MAX_S)
        json_object_set_new(pod, "terminationGracePeriodSeconds", json_integer(RUN_GRACE_MAX_S));
    /* The first process of a namespace doesn't get signals that it has no handler for: Ctrl-C and SIGTERM would
     * not end most programs. Here that is the pod's own first process, which also takes care of orphans. */
    json_object_set_new(pod, "shareProcessNamespace", json_true());
    json_object_set_new(pod, "restartPolicy", json_string("Never"));
    json_object_set_new(pod, "activeDeadlineSeconds", json_integer(r->ttl_s));
    return pod;
}

json_t *manifest_run(const struct manifest_input *in, const struct manifest_run *r)
{
    cleanup_free char *name = xasprintf("run-%s", r->number);
    bool detached = r->owner == NULL;
    json_t *o = object(in, detached ? "batch/v1" : "v1", detached ? "Job" : "Pod", name, NULL);
    json_t *meta = json_object_get(o, "metadata"), *notes = annotations(in), *spec = run_spec(in, r);

    json_object_set_new(notes, ANNOTATION_USER, json_string(r->user));
    json_object_set_new(notes, ANNOTATION_COMMAND, json_string(r->text));
    json_object_set_new(json_object_get(meta, "labels"), LABEL_RUN, json_string(r->number));
    json_object_set_new(meta, "annotations", notes);
    if (!detached) {
        json_object_set_new(notes, ANNOTATION_OWNER, json_string(r->owner));
        json_object_set_new(o, "spec", spec);
        return o;
    }
    json_object_set_new(o, "spec",
                        json_pack("{s:i, s:i, s:{s:{s:O, s:O}, s:o}}", "backoffLimit", 0,
                                  "ttlSecondsAfterFinished", ONE_OFF_KEEP_S, "template", "metadata", "labels",
                                  json_object_get(meta, "labels"), "annotations", notes, "spec", spec));
    return o;
}

/* --- scheduled tasks */

#define CRON_KEEP 3          /* runs of one task that are kept of each kind */

static bool is_suspended(const struct manifest_input *in, const char *id)
{
    for (size_t i = 0; in->suspended != NULL && i < in->suspended->n; i++)
        if (strcmp(in->suspended->v[i], id) == 0)
            return true;
    return false;
}

static json_t *cron_job(const struct manifest_input *in, const struct app_json_cron *task)
{
    cleanup_free char *name = xasprintf(CRON_NAME "%s", task->id), *schedule = cron_text(&task->when);
    cleanup_vec struct vec command = VEC_INIT;
    char *argv[] = { task->command, NULL };
    struct manifest_run run = { .number = RUN_CRON, .command = &command, .user = CRON_USER, .text = task->command,
                                .ttl_s = CRON_TTL_S };
    json_auto_t *job = NULL;
    json_t *o = object(in, "batch/v1", "CronJob", name, NULL), *meta;

    run_command(&command, "", argv, true);
    job = manifest_run(in, &run);
    meta = json_object_get(job, "metadata");
    json_object_set_new(json_object_get(o, "metadata"), "annotations", annotations(in));
    json_object_set_new(o, "spec",
                        json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:{s:{s:O, s:O}, s:O}}", "schedule", schedule,
                                  "timeZone", "Etc/UTC", "concurrencyPolicy", "Forbid", "suspend",
                                  (int) is_suspended(in, task->id), "startingDeadlineSeconds", CRON_LATE_S,
                                  "successfulJobsHistoryLimit", CRON_KEEP, "failedJobsHistoryLimit", CRON_KEEP,
                                  "jobTemplate", "metadata", "labels", json_object_get(meta, "labels"), "annotations",
                                  json_object_get(meta, "annotations"), "spec", json_object_get(job, "spec")));
    return o;
}

/* --- web's address */

static json_t *service(const struct manifest_input *in)
{
    const char *expose = in->conf->expose;
    const char *type = strcmp(expose, "nodeport") == 0 ? "NodePort"
                     : strcmp(expose, "loadbalancer") == 0 ? "LoadBalancer" : "ClusterIP";
    json_t *o = object(in, "v1", "Service", PROCESS_WEB, PROCESS_WEB);

    json_object_set_new(o, "spec",
                        json_pack("{s:s, s:o, s:[{s:s, s:i, s:s, s:s}]}", "type", type, "selector",
                                  selector(in, PROCESS_WEB), "ports", "name", "http", "port", 80,
                                  "targetPort", "http", "protocol", "TCP"));
    return o;
}

static void tls_of(json_t *all, const json_t *hosts, const char *secret)
{
    if (json_array_size(hosts) > 0)
        json_array_append_new(all, json_pack("{s:O, s:s}", "hosts", hosts, "secretName", secret));
}

/* Each name by the app's certificate, where that is for it, or by the cluster's. */
static void ingress_tls(const struct manifest_input *in, const json_t *hosts, json_t *spec)
{
    json_auto_t *own = json_array(), *others = json_array();
    json_t *all = json_array(), *host;
    size_t i;

    json_array_foreach(hosts, i, host) {
        if (has_certificate(in) && certificate_covers(in->certificate, json_string_value(host)))
            json_array_append(own, host);
        else if (in->conf->tls)
            json_array_append(others, host);
    }
    tls_of(all, own, CERTIFICATE_SECRET);
    tls_of(all, others, "web-tls");
    if (json_array_size(all) > 0)
        json_object_set(spec, "tls", all);
    json_decref(all);
}

static json_t *ingress(const struct manifest_input *in)
{
    const struct conf *c = in->conf;
    json_t *o = object(in, "networking.k8s.io/v1", "Ingress", PROCESS_WEB, PROCESS_WEB), *spec, *rules = json_array();
    json_auto_t *hosts = json_list(&in->app->domains);
    json_t *host;
    size_t i;

    json_array_insert_new(hosts, 0, json_sprintf("%s.%s", in->app->name, c->domain));
    json_array_foreach(hosts, i, host)
        json_array_append_new(rules, json_pack("{s:O, s:{s:[{s:s, s:s, s:{s:{s:s, s:{s:s}}}}]}}", "host", host, "http",
                                               "paths", "path", "/", "pathType", "Prefix", "backend", "service", "name",
                                               PROCESS_WEB, "port", "name", "http"));
    spec = json_pack("{s:o}", "rules", rules);
    if (c->ingress_class != NULL && c->ingress_class[0] != '\0')
        json_object_set_new(spec, "ingressClassName", json_string(c->ingress_class));
    ingress_tls(in, hosts, spec);
    json_object_set_new(o, "spec", spec);
    return o;
}

/* --- all */

int manifest_render(const struct manifest_input *in, struct manifest *ret, struct err *err)
{
    bool by_ingress = strcmp(in->conf->expose, "ingress") == 0, web = false;
    struct manifest m;

    if (by_ingress && (in->conf->domain == NULL || in->conf->domain[0] == '\0'))
        return err_set(err, ERR_USAGE, "expose = ingress needs the setting domain in [kubernetes]");
    m.namespace_ = namespace_object(in);
    m.base = json_array();
    m.workload = json_array();
    json_array_append_new(m.base, service_account(in));
    if (in->pull_config != NULL)
        json_array_append_new(m.base, pull_secret(in));
    if (has_certificate(in))
        json_array_append_new(m.base, certificate_secret(in));
    if (in->secret != NULL && config_secret(in, m.base, err) < 0) {
        manifest_release(&m);
        return -1;
    }
    for (size_t i = 0; i < in->release->processes.n; i++) {
        const char *type = in->release->processes.v[i].type;

        if (!manifest_is_service(type))
            continue;
        web = web || strcmp(type, PROCESS_WEB) == 0;
        json_array_append_new(m.workload, deployment(in, type));
    }
    for (size_t i = 0; in->app_json != NULL && i < in->app_json->n_cron; i++)
        json_array_append_new(m.workload, cron_job(in, &in->app_json->cron[i]));
    if (web)
        json_array_append_new(m.workload, service(in));
    if (web && by_ingress)
        json_array_append_new(m.workload, ingress(in));
    *ret = m;
    return 0;
}

void manifest_release(struct manifest *m)
{
    json_decref(m->namespace_);
    json_decref(m->base);
    json_decref(m->workload);
    memset(m, 0, sizeof(*m));
}

json_t *manifest_public(const struct manifest *m)
{
    json_t *all = json_array(), *o;
    size_t i;

    json_array_append(all, m->namespace_);
    json_array_foreach(m->base, i, o) {
        json_t *shown = json_copy(o), *data = json_object_get(o, "data");

        if (data != NULL) {
            json_t *names = json_object(), *value;
            const char *name;

            json_object_foreach(data, name, value)
                json_object_set_new(names, name, json_string(""));
            json_object_set_new(shown, "data", names);
        }
        json_array_append_new(all, shown);
    }
    json_array_extend(all, m->workload);
    return all;
}
