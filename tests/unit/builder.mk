# Unit tests and fuzz mains of builder/.
builder_tests = tests/unit/test_image_processes tests/unit/test_output tests/unit/test_pack tests/unit/test_procfile \
    tests/unit/test_tree
check_PROGRAMS += $(builder_tests)
TESTS += $(builder_tests)
builder_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(GIT2_CFLAGS) $(SODIUM_CFLAGS)
builder_test_ldadd = builder/libbuilder.a sql/libsql.a base/libbase.a $(LIBS_ALL) $(CMOCKA_LIBS)
tests_unit_test_image_processes_CFLAGS = $(builder_test_cflags)
tests_unit_test_image_processes_LDADD = $(builder_test_ldadd)
tests_unit_test_output_CFLAGS = $(builder_test_cflags)
tests_unit_test_output_LDADD = $(builder_test_ldadd)
tests_unit_test_pack_CFLAGS = $(builder_test_cflags)
tests_unit_test_pack_LDADD = $(builder_test_ldadd)
tests_unit_test_procfile_CFLAGS = $(builder_test_cflags)
tests_unit_test_procfile_LDADD = $(builder_test_ldadd)
tests_unit_test_tree_CFLAGS = $(builder_test_cflags)
tests_unit_test_tree_LDADD = $(builder_test_ldadd)

builder_fuzz_ldadd = tests/libreplay.a builder/libbuilder.a sql/libsql.a base/libbase.a $(LIBS_ALL)
fuzz_mains += tests/fuzz/fuzz_output tests/fuzz/fuzz_procfile tests/fuzz/fuzz_project
tests_fuzz_fuzz_output_CFLAGS = $(AM_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_output_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_output_LDADD = $(builder_fuzz_ldadd)
tests_fuzz_fuzz_procfile_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_procfile_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_procfile_LDADD = $(builder_fuzz_ldadd)
tests_fuzz_fuzz_project_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_project_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_project_LDADD = $(builder_fuzz_ldadd)
