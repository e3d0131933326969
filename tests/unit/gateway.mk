# Unit tests and fuzz mains of gateway/.

# The listener, sessions, and git's protocol.
gateway_tests = tests/unit/test_admission tests/unit/test_pktline tests/unit/test_push tests/unit/test_request \
    tests/unit/test_text
check_PROGRAMS += $(gateway_tests)
TESTS += $(gateway_tests)
EXTRA_DIST += tests/unit/hostile_lines.py tests/unit/hostile_lines.txt
gateway_test_cflags = $(sql_test_cflags) $(GIT2_CFLAGS)
gateway_test_ldadd = gateway/libgateway.a sql/libsql.a base/libbase.a $(GIT2_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) \
    $(JANSSON_LIBS) $(INIH_LIBS) $(CMOCKA_LIBS)
tests_unit_test_admission_CFLAGS = $(gateway_test_cflags)
tests_unit_test_admission_LDADD = $(gateway_test_ldadd)
tests_unit_test_pktline_CFLAGS = $(gateway_test_cflags)
tests_unit_test_pktline_LDADD = $(gateway_test_ldadd)
tests_unit_test_push_CFLAGS = $(gateway_test_cflags)
tests_unit_test_push_LDADD = $(gateway_test_ldadd)
tests_unit_test_request_CFLAGS = $(gateway_test_cflags)
tests_unit_test_request_LDADD = $(gateway_test_ldadd)
tests_unit_test_text_CFLAGS = $(gateway_test_cflags)
tests_unit_test_text_LDADD = $(gateway_test_ldadd)

gateway_fuzz_ldadd = tests/libreplay.a gateway/libgateway.a sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) \
    $(JANSSON_LIBS)
fuzz_mains += tests/fuzz/fuzz_pktline tests/fuzz/fuzz_push tests/fuzz/fuzz_request tests/fuzz/fuzz_text
tests_fuzz_fuzz_pktline_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_pktline_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_pktline_LDADD = $(gateway_fuzz_ldadd)
tests_fuzz_fuzz_push_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_push_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_push_LDADD = $(gateway_fuzz_ldadd)
tests_fuzz_fuzz_request_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_request_LDADD = $(gateway_fuzz_ldadd)
tests_fuzz_fuzz_text_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_text_LDADD = $(gateway_fuzz_ldadd)

# Commands.
command_tests = tests/unit/test_apply tests/unit/test_certs tests/unit/test_clone tests/unit/test_command tests/unit/test_commands tests/unit/test_daily tests/unit/test_domains tests/unit/test_dotenv \
    tests/unit/test_move tests/unit/test_permission tests/unit/test_plan_diff \
    tests/unit/test_rename tests/unit/test_run tests/unit/test_tasks tests/unit/test_teams \
    tests/unit/test_wrong_words
command_tests += tests/unit/test_code_range
check_PROGRAMS += $(command_tests)
TESTS += $(command_tests)
EXTRA_DIST += docs/commands.md
check_LIBRARIES += tests/libcommandfixture.a
tests_libcommandfixture_a_SOURCES = tests/unit/command_fixture.c tests/unit/command_fixture.h
tests_libcommandfixture_a_CFLAGS = $(sql_test_cflags)
command_test_ldadd = tests/libcommandfixture.a tests/libsqlfixture.a gateway/libgateway.a sql/libsql.a base/libbase.a \
    $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(YAML_LIBS) $(GIT2_LIBS) $(SSH_LIBS) $(CRYPTO_LIBS) \
    $(CMOCKA_LIBS)
tests_unit_test_code_range_CFLAGS = $(sql_test_cflags) $(GIT2_CFLAGS)
tests_unit_test_code_range_LDADD = $(command_test_ldadd)
tests_unit_test_command_CFLAGS = $(sql_test_cflags)
tests_unit_test_command_LDADD = $(command_test_ldadd)
tests_unit_test_commands_CFLAGS = $(sql_test_cflags)
tests_unit_test_commands_LDADD = $(command_test_ldadd)
tests_unit_test_wrong_words_CFLAGS = $(sql_test_cflags)
tests_unit_test_wrong_words_LDADD = $(command_test_ldadd)
tests_unit_test_teams_CFLAGS = $(sql_test_cflags)
tests_unit_test_teams_LDADD = $(command_test_ldadd)
tests_unit_test_permission_CFLAGS = $(sql_test_cflags)
tests_unit_test_permission_LDADD = $(command_test_ldadd)
tests_unit_test_run_CFLAGS = $(sql_test_cflags)
tests_unit_test_run_LDADD = $(command_test_ldadd)
tests_unit_test_plan_diff_CFLAGS = $(sql_test_cflags)
tests_unit_test_plan_diff_LDADD = $(command_test_ldadd)
tests_unit_test_move_CFLAGS = $(sql_test_cflags)
tests_unit_test_move_LDADD = $(command_test_ldadd)
tests_unit_test_apply_CFLAGS = $(sql_test_cflags)
tests_unit_test_apply_LDADD = $(command_test_ldadd)
tests_unit_test_clone_CFLAGS = $(sql_test_cflags)
tests_unit_test_clone_LDADD = $(command_test_ldadd)
tests_unit_test_certs_CFLAGS = $(sql_test_cflags) $(CRYPTO_CFLAGS)
tests_unit_test_certs_LDADD = $(command_test_ldadd)
tests_unit_test_domains_CFLAGS = $(sql_test_cflags)
tests_unit_test_domains_LDADD = $(command_test_ldadd)
tests_unit_test_rename_CFLAGS = $(sql_test_cflags)
tests_unit_test_rename_LDADD = $(command_test_ldadd)
tests_unit_test_tasks_CFLAGS = $(sql_test_cflags)
tests_unit_test_tasks_LDADD = $(command_test_ldadd)

fuzz_mains += tests/fuzz/fuzz_split
tests_fuzz_fuzz_split_CFLAGS = $(sql_test_cflags)
tests_fuzz_fuzz_split_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_split_LDADD = tests/libreplay.a gateway/libgateway.a base/libbase.a


tests_unit_test_daily_CFLAGS = $(sql_test_cflags)
tests_unit_test_daily_LDADD = $(command_test_ldadd)
tests_unit_test_dotenv_CFLAGS = $(sql_test_cflags)
tests_unit_test_dotenv_LDADD = $(command_test_ldadd)
fuzz_mains += tests/fuzz/fuzz_dotenv
tests_fuzz_fuzz_dotenv_CFLAGS = $(sql_test_cflags)
tests_fuzz_fuzz_dotenv_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dotenv_LDADD = tests/libreplay.a gateway/libgateway.a base/libbase.a $(JANSSON_LIBS) $(YAML_LIBS)

# A worker that only writes rows, behind the listener in tests/e2e/receive and tests/e2e/attacks.
check_PROGRAMS += tests/fakes/fake_worker
tests_fakes_fake_worker_CFLAGS = $(sql_test_cflags)
tests_fakes_fake_worker_LDADD = sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)
EXTRA_DIST += tests/e2e/receive tests/e2e/attacks

# Archives.
check_PROGRAMS += tests/unit/test_archive
TESTS += tests/unit/test_archive
tests_unit_test_archive_CFLAGS = $(gateway_test_cflags) $(ARCHIVE_CFLAGS)
tests_unit_test_archive_LDADD = $(gateway_test_ldadd) $(ARCHIVE_LIBS)
check_PROGRAMS += tests/unit/test_image_archive
TESTS += tests/unit/test_image_archive
tests_unit_test_image_archive_CFLAGS = $(gateway_test_cflags) $(ARCHIVE_CFLAGS)
tests_unit_test_image_archive_LDADD = $(gateway_test_ldadd) $(ARCHIVE_LIBS)
fuzz_mains += tests/fuzz/fuzz_image_manifest
tests_fuzz_fuzz_image_manifest_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_image_manifest_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_image_manifest_LDADD = tests/libreplay.a gateway/libgateway.a \
    sql/libsql.a base/libbase.a $(GIT2_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)
fuzz_mains += tests/fuzz/fuzz_certificate
tests_fuzz_fuzz_certificate_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_certificate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_certificate_LDADD = tests/libreplay.a gateway/libgateway.a \
    sql/libsql.a base/libbase.a $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
fuzz_mains += tests/fuzz/fuzz_archive_path
tests_fuzz_fuzz_archive_path_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_archive_path_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_archive_path_LDADD = tests/libreplay.a gateway/libgateway.a \
    sql/libsql.a base/libbase.a $(GIT2_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)
