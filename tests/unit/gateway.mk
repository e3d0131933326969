# Unit tests and fuzz mains of gateway/.

# Commands.
command_tests = tests/unit/test_command tests/unit/test_commands tests/unit/test_permission
check_PROGRAMS += $(command_tests)
TESTS += $(command_tests)
EXTRA_DIST += docs/commands.md
check_LIBRARIES += tests/libcommandfixture.a
tests_libcommandfixture_a_SOURCES = tests/unit/command_fixture.c tests/unit/command_fixture.h
tests_libcommandfixture_a_CFLAGS = $(sql_test_cflags)
command_test_ldadd = tests/libcommandfixture.a tests/libsqlfixture.a gateway/libgateway.a sql/libsql.a base/libbase.a \
    $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_command_CFLAGS = $(sql_test_cflags)
tests_unit_test_command_LDADD = $(command_test_ldadd)
tests_unit_test_commands_CFLAGS = $(sql_test_cflags)
tests_unit_test_commands_LDADD = $(command_test_ldadd)
tests_unit_test_permission_CFLAGS = $(sql_test_cflags)
tests_unit_test_permission_LDADD = $(command_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_split
tests_fuzz_fuzz_split_CFLAGS = $(sql_test_cflags)
tests_fuzz_fuzz_split_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_split_LDADD = tests/libreplay.a gateway/libgateway.a base/libbase.a
