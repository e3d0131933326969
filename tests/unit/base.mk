# Unit tests and fuzz mains of base/.
base_tests = tests/unit/test_buf tests/unit/test_conf tests/unit/test_cron tests/unit/test_ipc tests/unit/test_json \
    tests/unit/test_log tests/unit/test_loop tests/unit/test_path tests/unit/test_role \
    tests/unit/test_spawn tests/unit/test_wake
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
base_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
base_test_ldadd = base/libbase.a $(JANSSON_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_buf_CFLAGS = $(base_test_cflags)
tests_unit_test_buf_LDADD = $(base_test_ldadd)
tests_unit_test_conf_CFLAGS = $(base_test_cflags)
tests_unit_test_conf_LDADD = $(base_test_ldadd)
tests_unit_test_ipc_CFLAGS = $(base_test_cflags)
tests_unit_test_ipc_LDADD = $(base_test_ldadd)
tests_unit_test_json_CFLAGS = $(base_test_cflags)
tests_unit_test_json_LDADD = $(base_test_ldadd)
tests_unit_test_log_CFLAGS = $(base_test_cflags)
tests_unit_test_log_LDADD = $(base_test_ldadd)
tests_unit_test_loop_CFLAGS = $(base_test_cflags)
tests_unit_test_loop_LDADD = $(base_test_ldadd)
tests_unit_test_path_CFLAGS = $(base_test_cflags)
tests_unit_test_path_LDADD = $(base_test_ldadd)
tests_unit_test_role_CFLAGS = $(base_test_cflags)
tests_unit_test_role_LDADD = $(base_test_ldadd)
tests_unit_test_spawn_CFLAGS = $(base_test_cflags)
tests_unit_test_spawn_LDADD = $(base_test_ldadd)
tests_unit_test_wake_CFLAGS = $(base_test_cflags)
tests_unit_test_wake_LDADD = $(base_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_conf_LDADD = tests/libreplay.a base/libbase.a $(INIH_LIBS)

# HTTP and registries
registry_tests = tests/unit/test_http tests/unit/test_image
check_PROGRAMS += $(registry_tests)
TESTS += $(registry_tests)
EXTRA_DIST += tests/fakes/http_server.py
registry_test_ldadd = base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
tests_unit_test_http_CFLAGS = $(base_test_cflags)
tests_unit_test_http_LDADD = $(registry_test_ldadd)
tests_unit_test_image_CFLAGS = $(base_test_cflags)
tests_unit_test_image_LDADD = $(registry_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_challenge tests/fuzz/fuzz_image_ref tests/fuzz/fuzz_registry
tests_fuzz_fuzz_challenge_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_challenge_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_challenge_LDADD = tests/libreplay.a base/libbase.a
tests_fuzz_fuzz_image_ref_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_image_ref_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_image_ref_LDADD = tests/libreplay.a base/libbase.a $(SODIUM_LIBS)
tests_fuzz_fuzz_registry_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_registry_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_registry_LDADD = tests/libreplay.a base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) \
    $(SODIUM_LIBS)

fuzz_mains += tests/fuzz/fuzz_cron
tests_fuzz_fuzz_cron_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_cron_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cron_LDADD = tests/libreplay.a base/libbase.a
tests_unit_test_cron_CFLAGS = $(base_test_cflags)
tests_unit_test_cron_LDADD = $(base_test_ldadd)
