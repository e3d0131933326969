# Unit tests and fuzz mains of deployer/.

# Registries
check_PROGRAMS += tests/unit/publish_tool tests/unit/retain_tool
TESTS += tests/unit/test_publish.sh
EXTRA_DIST += tests/unit/test_publish.sh tests/unit/publish.py tests/fakes/registry_proxy.py
tests_unit_publish_tool_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_publish_tool_LDADD = deployer/libdeployer.a base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) \
    $(SODIUM_LIBS) $(INIH_LIBS)
tests_unit_retain_tool_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_retain_tool_LDADD = tests/libsqlfixture.a $(deployer_libs) $(CMOCKA_LIBS)

# Releases
EXTRA_DIST += docs/targets.md
release_tests = tests/unit/test_deployer tests/unit/test_log_fan tests/unit/test_log_lines tests/unit/test_plan tests/unit/test_release \
    tests/unit/test_release_move tests/unit/test_release_rename tests/unit/test_step tests/unit/test_targets
check_PROGRAMS += $(release_tests)
TESTS += $(release_tests)
release_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(SODIUM_CFLAGS)
release_test_ldadd = tests/libsqlfixture.a $(deployer_libs) $(CMOCKA_LIBS)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c tests/fakes/fake_target.c tests/fakes/fake_target.h
tests_unit_test_plan_CFLAGS = $(release_test_cflags)
tests_unit_test_plan_LDADD = $(release_test_ldadd)
release_fixture = tests/unit/release_fixture.c tests/unit/release_fixture.h tests/fakes/fake_target.c tests/fakes/fake_target.h
tests_unit_test_release_SOURCES = tests/unit/test_release.c $(release_fixture)
tests_unit_test_release_CFLAGS = $(release_test_cflags)
tests_unit_test_release_LDADD = $(release_test_ldadd)
tests_unit_test_release_move_SOURCES = tests/unit/test_release_move.c $(release_fixture)
tests_unit_test_release_move_CFLAGS = $(release_test_cflags)
tests_unit_test_release_move_LDADD = $(release_test_ldadd)
tests_unit_test_release_rename_SOURCES = tests/unit/test_release_rename.c $(release_fixture)
tests_unit_test_release_rename_CFLAGS = $(release_test_cflags)
tests_unit_test_release_rename_LDADD = $(release_test_ldadd)
tests_unit_test_targets_CFLAGS = $(release_test_cflags)
tests_unit_test_targets_LDADD = $(release_test_ldadd)
tests_unit_test_log_fan_CFLAGS = $(release_test_cflags)
tests_unit_test_log_fan_LDADD = $(release_test_ldadd)
tests_unit_test_log_lines_CFLAGS = $(release_test_cflags)
tests_unit_test_log_lines_LDADD = $(release_test_ldadd)
tests_unit_test_deployer_CFLAGS = $(release_test_cflags)
tests_unit_test_deployer_LDADD = $(release_test_ldadd)
tests_unit_test_step_CFLAGS = $(release_test_cflags)
tests_unit_test_step_LDADD = $(release_test_ldadd)

include tests/unit/docker.mk
include tests/unit/kubernetes.mk
