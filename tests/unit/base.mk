# Unit tests and fuzz mains of base/.
base_tests = tests/unit/test_buf tests/unit/test_conf tests/unit/test_path tests/unit/test_spawn \
    tests/unit/test_wake
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
base_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
base_test_ldadd = base/libbase.a $(JANSSON_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_buf_CFLAGS = $(base_test_cflags)
tests_unit_test_buf_LDADD = $(base_test_ldadd)
tests_unit_test_conf_CFLAGS = $(base_test_cflags)
tests_unit_test_conf_LDADD = $(base_test_ldadd)
tests_unit_test_path_CFLAGS = $(base_test_cflags)
tests_unit_test_path_LDADD = $(base_test_ldadd)
tests_unit_test_spawn_CFLAGS = $(base_test_cflags)
tests_unit_test_spawn_LDADD = $(base_test_ldadd)
tests_unit_test_wake_CFLAGS = $(base_test_cflags)
tests_unit_test_wake_LDADD = $(base_test_ldadd)
