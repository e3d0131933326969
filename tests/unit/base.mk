# Unit tests and fuzz mains of base/.
check_PROGRAMS += tests/unit/test_buf
TESTS += tests/unit/test_buf
tests_unit_test_buf_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_buf_LDADD = base/libbase.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_http
TESTS += tests/unit/test_http
EXTRA_DIST += tests/fakes/http_server.py
tests_unit_test_http_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_http_LDADD = base/libbase.a $(CURL_LIBS) $(CMOCKA_LIBS)
