# Unit tests of daemon/.
check_PROGRAMS += tests/unit/test_daemon
TESTS += tests/unit/test_daemon
tests_unit_test_daemon_CFLAGS = $(daemon_cflags) $(CMOCKA_CFLAGS)
tests_unit_test_daemon_LDADD = $(slipway_LDADD) $(CMOCKA_LIBS)

# The questions of `slipway init`, on a terminal.
TESTS += tests/unit/test_init.sh
EXTRA_DIST += tests/unit/test_init.sh tests/unit/init.py tests/tap.py tests/terminal.py
