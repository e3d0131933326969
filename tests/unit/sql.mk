# Unit tests and fuzz mains of sql/.
sql_tests = tests/unit/test_app_json tests/unit/test_images tests/unit/test_key tests/unit/test_lease tests/unit/test_model tests/unit/test_people \
    tests/unit/test_rotation tests/unit/test_secrets tests/unit/test_store tests/unit/test_work
check_PROGRAMS += $(sql_tests)
TESTS += $(sql_tests)
check_LIBRARIES += tests/libsqlfixture.a
tests_libsqlfixture_a_SOURCES = tests/unit/sql_fixture.c tests/unit/sql_fixture.h
tests_libsqlfixture_a_CFLAGS = $(sql_test_cflags)
sql_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(SODIUM_CFLAGS)
sql_test_ldadd = tests/libsqlfixture.a sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) \
    $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_images_CFLAGS = $(sql_test_cflags)
tests_unit_test_images_LDADD = $(sql_test_ldadd)
tests_unit_test_key_CFLAGS = $(sql_test_cflags)
tests_unit_test_key_LDADD = $(sql_test_ldadd)
tests_unit_test_lease_CFLAGS = $(sql_test_cflags)
tests_unit_test_lease_LDADD = $(sql_test_ldadd)
tests_unit_test_model_CFLAGS = $(sql_test_cflags)
tests_unit_test_model_LDADD = $(sql_test_ldadd)
tests_unit_test_people_CFLAGS = $(sql_test_cflags)
tests_unit_test_people_LDADD = $(sql_test_ldadd)
tests_unit_test_rotation_CFLAGS = $(sql_test_cflags)
tests_unit_test_rotation_LDADD = $(sql_test_ldadd)
tests_unit_test_secrets_CFLAGS = $(sql_test_cflags)
tests_unit_test_secrets_LDADD = $(sql_test_ldadd)
tests_unit_test_store_CFLAGS = $(sql_test_cflags)
tests_unit_test_store_LDADD = $(sql_test_ldadd)
tests_unit_test_work_CFLAGS = $(sql_test_cflags)
tests_unit_test_work_LDADD = $(sql_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_key
tests_fuzz_fuzz_key_CFLAGS = $(sql_test_cflags)
tests_fuzz_fuzz_key_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_key_LDADD = tests/libreplay.a sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) \
    $(JANSSON_LIBS) $(INIH_LIBS)

fuzz_mains += tests/fuzz/fuzz_app_json
tests_fuzz_fuzz_app_json_CFLAGS = $(sql_test_cflags)
tests_fuzz_fuzz_app_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_app_json_LDADD = tests/libreplay.a sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) \
    $(JANSSON_LIBS) $(INIH_LIBS)
tests_unit_test_app_json_CFLAGS = $(sql_test_cflags)
tests_unit_test_app_json_LDADD = $(sql_test_ldadd)
