# Unit tests and fuzz mains of deployer/docker/.
docker_tests = tests/unit/test_docker_container tests/unit/test_docker_rollout
check_PROGRAMS += $(docker_tests)
TESTS += $(docker_tests)
EXTRA_DIST += tests/unit/data/docker_release.json tests/unit/data/docker_router.json tests/unit/data/docker_router_tls.json tests/unit/data/docker_web.json
docker_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
docker_test_ldadd = $(deployer_libs) $(CMOCKA_LIBS)
tests_unit_test_docker_container_CFLAGS = $(docker_test_cflags)
tests_unit_test_docker_container_LDADD = $(docker_test_ldadd)
tests_unit_test_docker_rollout_CFLAGS = $(docker_test_cflags)
tests_unit_test_docker_rollout_LDADD = $(docker_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_docker
tests_fuzz_fuzz_docker_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_docker_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_docker_LDADD = tests/libreplay.a $(deployer_libs)
