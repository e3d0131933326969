# Unit tests and fuzz mains of deployer/kubernetes/.
kubernetes_tests = tests/unit/test_kube tests/unit/test_kube_faults tests/unit/test_kubeconfig \
    tests/unit/test_manifest tests/unit/test_remote tests/unit/test_rollout
check_PROGRAMS += $(kubernetes_tests)
TESTS += $(kubernetes_tests)
EXTRA_DIST += tests/unit/data/manifest_certificate.json tests/unit/data/manifest_ingress.json tests/unit/data/manifest_job.json \
    tests/unit/data/manifest_nodeport.json tests/unit/data/manifest_public.json \
    tests/fakes/kube_server.py
kubernetes_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
kubernetes_test_ldadd = $(deployer_libs) $(CMOCKA_LIBS)
tests_unit_test_kube_CFLAGS = $(kubernetes_test_cflags)
tests_unit_test_kube_LDADD = $(kubernetes_test_ldadd)
tests_unit_test_kube_faults_CFLAGS = $(kubernetes_test_cflags)
tests_unit_test_kube_faults_LDADD = $(kubernetes_test_ldadd)
tests_unit_test_kubeconfig_CFLAGS = $(kubernetes_test_cflags)
tests_unit_test_kubeconfig_LDADD = $(kubernetes_test_ldadd)
tests_unit_test_manifest_CFLAGS = $(kubernetes_test_cflags)
tests_unit_test_manifest_LDADD = $(kubernetes_test_ldadd)
tests_unit_test_remote_CFLAGS = $(kubernetes_test_cflags) $(SQLITE_CFLAGS)
tests_unit_test_remote_LDADD = $(kubernetes_test_ldadd)
tests_unit_test_rollout_CFLAGS = $(kubernetes_test_cflags)
tests_unit_test_rollout_LDADD = $(kubernetes_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_kubeconfig tests/fuzz/fuzz_kube tests/fuzz/fuzz_remote
tests_fuzz_fuzz_kubeconfig_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_kubeconfig_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_kubeconfig_LDADD = tests/libreplay.a $(deployer_libs)
tests_fuzz_fuzz_kube_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_kube_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_kube_LDADD = tests/libreplay.a $(deployer_libs)
tests_fuzz_fuzz_remote_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_remote_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_remote_LDADD = tests/libreplay.a $(deployer_libs)
