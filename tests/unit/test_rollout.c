#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/kubernetes/instances.h"
#include "deployer/kubernetes/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* --- documents */

static json_t *deployment(const char *name, int generation, int observed, int wanted, int replicas,
                          int updated, int available)
{
    return json_pack("{s:{s:s, s:i}, s:{s:i, s:{s:{s:{s:s}}}}, s:{s:i, s:i, s:i, s:i}}",
                     "metadata", "name", name, "generation", generation,
                     "spec", "replicas", wanted, "template", "metadata", "annotations",
                     ANNOTATION_TEMPLATE, "new",
                     "status", "observedGeneration", observed, "replicas", replicas,
                     "updatedReplicas", updated, "availableReplicas", available);
}

static json_t *pod(const char *name, const char *process, const char *template)
{
    return json_pack("{s:{s:s, s:s, s:s, s:{s:s}, s:{s:s}}, s:{s:[{s:s, s:{s:{s:s}}}]}, s:{s:s, s:s}}",
                     "metadata", "name", name, "uid", name, "creationTimestamp",
                     "2026-01-02T03:04:05Z", "labels", LABEL_PROCESS, process, "annotations",
                     ANNOTATION_TEMPLATE, template, "spec", "containers", "name", CONTAINER,
                     "resources", "limits", "memory", "512Mi", "status", "phase", "Running",
                     "hostIP", "10.0.0.1");
}

static json_t *with_container(json_t *p, int restarts, bool ready, const char *states)
{
    json_t *c = json_loads(states, 0, NULL);

    assert_non_null(c);
    json_object_set_new(c, "name", json_string(CONTAINER));
    json_object_set_new(c, "restartCount", json_integer(restarts));
    json_object_set_new(c, "ready", json_boolean(ready));
    json_object_set_new(c, "started", json_boolean(ready));
    json_object_set_new(json_object_get(p, "status"), "containerStatuses", json_pack("[o]", c));
    return p;
}

#define RUNNING "{\"state\":{\"running\":{\"startedAt\":\"2026-01-02T03:04:06Z\"}}}"
#define CRASHED "{\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":" \
    "{\"exitCode\":1,\"reason\":\"Error\"}}}"

static void feed_deployment(struct rollout *r, json_t *doc)
{
    rollout_deployment(r, KUBE_CHANGED, doc);
    json_decref(doc);
}

static void feed_pod(struct rollout *r, json_t *doc, int64_t now)
{
    rollout_pod(r, KUBE_CHANGED, doc, now);
    json_decref(doc);
}

static enum rollout_verdict judge(struct rollout *r, int64_t now, struct rollout_failure *f)
{
    int again;

    memset(f, 0, sizeof(*f));
    return rollout_judge(r, now, &again, f);
}

static void assert_going(struct rollout *r, int64_t now)
{
    struct rollout_failure f;

    assert_int_equal(judge(r, now, &f), ROLLOUT_GOING);
}

static void assert_failed(struct rollout *r, int64_t now, const char *why)
{
    struct rollout_failure f;

    assert_int_equal(judge(r, now, &f), ROLLOUT_FAILED);
    assert_string_equal(f.why, why);
    rollout_failure_release(&f);
}

static void assert_progress(struct rollout *r, const char *text)
{
    cleanup_buf struct buf b;

    buf_init(&b, 1000);
    rollout_progress(r, &b);
    assert_string_equal(buf_str(&b), text);
}

/* --- tests */

static void test_comes_up(void **state)
{
    struct rollout *r = rollout_new(3, BOOT_LIMIT_S);
    struct rollout_failure f;

    (void) state;
    rollout_expect(r, "web", 2);
    rollout_expect(r, "worker", 1);
    assert_going(r, 0);
    feed_deployment(r, deployment("worker", 1, 1, 1, 1, 1, 1));
    feed_deployment(r, deployment("web", 1, 1, 2, 2, 2, 2)); /* of the release before */
    assert_going(r, 0);
    feed_deployment(r, deployment("web", 2, 1, 2, 2, 2, 2)); /* not looked at yet */
    assert_going(r, 0);
    assert_progress(r, "");
    feed_deployment(r, deployment("web", 2, 2, 2, 3, 1, 2));
    feed_pod(r, with_container(pod("w1", "web", "new"), 0, false, RUNNING), 0);
    feed_pod(r, with_container(pod("w0", "web", "old"), 0, true, RUNNING), 0);
    assert_going(r, 0);
    assert_progress(r, "web 0/2 ready, worker 1/1 ready");
    feed_pod(r, with_container(pod("w1", "web", "new"), 0, true, RUNNING), 0);
    assert_progress(r, "web 1/2 ready, worker 1/1 ready");
    feed_deployment(r, deployment("web", 2, 2, 2, 3, 2, 2)); /* an old one is left */
    assert_going(r, 0);
    feed_deployment(r, deployment("web", 2, 2, 2, 2, 2, 2));
    assert_int_equal(judge(r, 0, &f), ROLLOUT_DONE);
    assert_progress(r, "web 2/2 ready, worker 1/1 ready");
    rollout_deployment(r, KUBE_RESET, NULL);
    rollout_pod(r, KUBE_RESET, NULL, 0);
    assert_going(r, 0);
    rollout_free(r);
}

static void test_scaled_to_zero(void **state)
{
    struct rollout *r = rollout_new(3, BOOT_LIMIT_S);
    struct rollout_failure f;

    (void) state;
    rollout_expect(r, "worker", 0);
    feed_deployment(r, deployment("worker", 4, 4, 0, 0, 0, 0));
    assert_int_equal(judge(r, 0, &f), ROLLOUT_DONE);
    assert_progress(r, "");
    rollout_free(r);
}

static struct rollout *one_web(void)
{
    struct rollout *r = rollout_new(2, BOOT_LIMIT_S);

    rollout_expect(r, "web", 1);
    feed_deployment(r, deployment("web", 1, 1, 1, 2, 1, 1));
    return r;
}

static void test_crashes(void **state)
{
    struct rollout *r = one_web();
    struct rollout_failure f;

    (void) state;
    feed_pod(r, with_container(pod("old", "web", "old"), 9, false, CRASHED), 0);
    assert_going(r, 0);
    feed_pod(r, with_container(pod("w", "web", "new"), 1, false, CRASHED), 0);
    assert_going(r, 0);
    feed_pod(r, with_container(pod("w", "web", "new"), 2, false, CRASHED), 0);
    assert_int_equal(judge(r, 0, &f), ROLLOUT_FAILED);
    assert_string_equal(f.why, "web crashed 2 times (exit 1)");
    assert_string_equal(f.pod, "w");
    assert_false(f.previous);
    rollout_failure_release(&f);
    feed_pod(r, with_container(pod("w", "web", "new"), 2, false,
                               "{\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"exitCode\":139}}}"),
             0);
    assert_int_equal(judge(r, 0, &f), ROLLOUT_FAILED);
    assert_string_equal(f.why, "web crashed 2 times (SIGSEGV)");
    assert_true(f.previous);
    rollout_failure_release(&f);
    feed_pod(r, with_container(pod("w", "web", "new"), 2, false,
                               "{\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"exitCode\":0}}}"),
             0);
    assert_int_equal(judge(r, 0, &f), ROLLOUT_FAILED);
    assert_string_equal(f.why, "web ended by itself (exit 0), where it must go on");
    rollout_failure_release(&f);
    rollout_free(r);
}

/* One event and what is said of it after ms milliseconds; before them nothing. */
static void test_troubles(void **state)
{
    static const struct { int ms; const char *container, *why; } cases[] = {
        { 0, "{\"state\":{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}",
          "web ran out of memory (limit 512Mi)" },
        { 0, "{\"state\":{\"waiting\":{\"reason\":\"InvalidImageName\",\"message\":\"bad\"}}}",
          "web has an image name that is not valid: bad" },
        { 0, "{\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"rpc error: code = NotFound desc = "
             "failed to pull and unpack image \\\"r/a@sha256:1\\\": failed to resolve reference "
             "\\\"r/a@sha256:1\\\": r/a@sha256:1: not found\"}}}",
          "web can't pull its image: r/a@sha256:1: not found" },
        { 8000, "{\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"rpc error: code = Unavailable "
                "desc = dial tcp: i/o timeout\"}}}",
          "web can't pull its image: dial tcp: i/o timeout" },
        { 0, "{\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off\"}}}",
          "web can't pull its image: Back-off" },
        { 8000, "{\"state\":{\"waiting\":{\"reason\":\"CreateContainerConfigError\",\"message\":\"secret "
                "\\\"x\\\" not found\"}}}", "web can't be set up: secret \"x\" not found" },
        { 0, "{\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":"
             "128,\"reason\":\"StartError\",\"message\":\"OCI: unable to start container process: exec: "
             "\\\"/x\\\": stat /x: no such file or directory\"}}}",
          "web can't be started: exec: \"/x\": stat /x: no such file or directory" },
        { 0, "{\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"exitCode\":137,\"reason\":\"Error\","
             "\"startedAt\":\"2026-01-02T03:04:05Z\",\"finishedAt\":\"2026-01-02T03:05:05Z\"}}}",
          "web did not listen on 0.0.0.0:$PORT (port 8080) within 60 s" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct rollout *r = one_web();

        feed_pod(r, with_container(pod("w", "web", "new"), i >= 6, false, cases[i].container), 100);
        if (cases[i].ms > 0)
            assert_going(r, 100 + cases[i].ms - 1);
        assert_failed(r, 100 + cases[i].ms, cases[i].why);
        rollout_free(r);
    }
}

/* A pull without the credential is tried again with it; only one that stays refused is a failure. */
static void test_pull_refused(void **state)
{
    static const char *const containers[] = {
        "{\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"failed to resolve reference "
        "\\\"r/a@sha256:1\\\": pulling failed: 401 Unauthorized\"}}}",
        "{\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"pull access denied\"}}}",
        "{\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off\"}}}",
        "{\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"ErrImagePull: failed to resolve "
        "reference \\\"r/a@sha256:1\\\": pulling failed: 401 Unauthorized\"}}}",
    };
    struct rollout *r = one_web();

    (void) state;
    for (size_t i = 0; i < countof(containers); i++) {
        json_t *doc = with_container(pod("w", "web", "new"), 0, false, containers[i]);

        json_object_set_new(json_object_get(doc, "spec"), "imagePullSecrets", json_pack("[{s:s}]", "name", "registry"));
        feed_pod(r, doc, 100 + (int64_t) i);
        assert_going(r, 15000);
    }
    assert_failed(r, 20100, "web can't pull its image: pulling failed: 401 Unauthorized; the registry refuses the login of "
                  "[kubernetes] image_pull_secret: tell the server's admin");
    rollout_free(r);
    /* Without one there is nothing to wait for. */
    r = one_web();
    feed_pod(r, with_container(pod("w", "web", "new"), 0, false, containers[0]), 100);
    assert_failed(r, 100, "web can't pull its image: pulling failed: 401 Unauthorized; the nodes have no login for the registry: "
                  "tell the server's admin to set [kubernetes] image_pull_secret");
    rollout_free(r);
}

static void test_unschedulable(void **state)
{
    struct rollout *r = one_web();
    struct rollout_failure f;
    json_t *p = pod("w", "web", "new");
    int again;

    (void) state;
    json_object_set_new(p, "status", json_loads("{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\","
                                                "\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":"
                                                "\"0/1 nodes\"}]}", 0, NULL));
    feed_pod(r, p, 1000);
    assert_int_equal(rollout_judge(r, 2000, &again, &f), ROLLOUT_GOING);
    assert_int_equal(again, 14000);
    assert_failed(r, 16000, "web finds no node to run on: 0/1 nodes");
    rollout_allow_wait(r, "w"); /* a node is being added */
    assert_going(r, 100000);
    feed_pod(r, pod("w", "web", "new"), 3000); /* placed after all */
    assert_going(r, 16000);
    rollout_free(r);
}

static void test_conditions(void **state)
{
    struct rollout *r = one_web();
    json_t *d = deployment("web", 1, 1, 1, 2, 1, 1);

    (void) state;
    json_object_set_new(json_object_get(d, "status"), "conditions",
                        json_loads("[{\"type\":\"ReplicaFailure\",\"status\":\"True\",\"reason\":\"FailedCreate\","
                                   "\"message\":\"exceeded quota\"}]", 0, NULL));
    feed_deployment(r, json_incref(d));
    assert_going(r, 0);
    assert_failed(r, 3000, "web gets no pods: exceeded quota");
    json_object_set_new(json_object_get(d, "status"), "conditions",
                        json_loads("[{\"type\":\"Progressing\",\"status\":\"False\",\"reason\":"
                                   "\"ProgressDeadlineExceeded\"}]", 0, NULL));
    feed_deployment(r, json_incref(d));
    assert_going(r, 3000); /* left from a rollout before */
    rollout_deployment(r, KUBE_DELETED, d);
    assert_failed(r, 3000, "web: somebody deleted its Deployment");
    json_decref(d);
    rollout_free(r);
}

static void test_overdue(void **state)
{
    struct rollout *r = one_web();
    struct rollout_failure f;

    (void) state;
    feed_pod(r, with_container(pod("w", "web", "new"), 0, false, RUNNING), 0);
    rollout_overdue(r, 300, &f);
    assert_string_equal(f.why, "web did not listen on 0.0.0.0:$PORT (port 8080) within 300 s");
    assert_string_equal(f.pod, "w");
    rollout_failure_release(&f);
    rollout_free(r);
}

static void test_instances(void **state)
{
    static const char *const names[] = { "b", "a", "c", "gone" };
    struct instances all = { 0 };

    (void) state;
    for (size_t i = 0; i < countof(names); i++) {
        json_t *p = pod(names[i], "web", "new");

        if (i >= 2)
            json_object_set_new(json_object_get(p, "metadata"), "creationTimestamp",
                                json_string(i == 2 ? "2025-01-01T00:00:00Z" : "2024-01-01T00:00:00Z"));
        if (i == 3)
            json_object_set_new(json_object_get(p, "metadata"), "deletionTimestamp",
                                json_string("2025-01-02T00:00:00Z"));
        assert_non_null(instances_take(&all, p));
        json_decref(p);
    }
    instances_number(&all);
    assert_string_equal(all.v[0].pod.name, "c"); /* the oldest */
    assert_string_equal(all.v[1].pod.name, "a");
    assert_int_equal(all.v[2].number, 3);
    assert_string_equal(all.v[3].pod.name, "gone"); /* older, but it is being stopped */
    instances_drop(&all, instances_find(&all, "gone"));
    instances_drop(&all, instances_find(&all, "a"));
    {
        json_t *p = pod("d", "web", "new");
        cleanup_free char *name = NULL;

        assert_non_null(instances_take(&all, p));
        assert_non_null(instances_take(&all, p)); /* known already */
        json_decref(p);
        instances_number(&all);
        assert_int_equal(all.n, 3);
        name = instance_name(instances_find(&all, "d"));
        assert_string_equal(name, "web.2"); /* the lowest free one; the others keep theirs */
    }
    instances_release(&all);
}

static void test_pod_states(void **state)
{
    static const struct { const char *container, *says, *reason; } cases[] = {
        { RUNNING, "starting", NULL },
        { CRASHED, "crashed", "ended (exit 1)" },
        { "{\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}", "starting", NULL },
        { "{\"state\":{\"waiting\":{\"reason\":\"ErrImagePull\",\"message\":\"m\"}}}", "starting",
          "ErrImagePull: m" },
        { "{\"state\":{\"terminated\":{\"exitCode\":0}}}", "crashed", "ended (exit 0)" },
        { "{\"state\":{\"terminated\":{\"exitCode\":-9223372036854775807}}}", "crashed",
          "ended (exit 0)" },
    };

    (void) state;
    for (size_t i = 0; i < countof(cases); i++) {
        json_t *doc = with_container(pod("w", "web", "new"), 0, false, cases[i].container);
        cleanup_free char *reason = NULL;
        struct pod p;

        assert_int_equal(pod_read(doc, &p, NULL), 0);
        assert_string_equal(pod_state(&p), cases[i].says);
        reason = pod_reason(&p);
        assert_string_equal(reason != NULL ? reason : "-",
                            cases[i].reason != NULL ? cases[i].reason : "-");
        pod_release(&p);
        json_decref(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_up),
        cmocka_unit_test(test_scaled_to_zero),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_troubles),
        cmocka_unit_test(test_pull_refused),
        cmocka_unit_test(test_unschedulable),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_pod_states),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
