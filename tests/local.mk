# Unit tests: tests/unit/test_X.c is a cmocka program that links what X's folder may use.
EXTRA_DIST += tests/lsan.supp tests/tap.sh tests/daemon.sh tests/layers.sh tests/promises.sh tests/result.sh tests/fuzz/replay.sh \
    tests/fuzz/corpus

# Fuzz mains: tests/fuzz/fuzz_X.c has LLVMFuzzerTestOneInput. In X's folder's file:
#     fuzz_mains += tests/fuzz/fuzz_X
#     tests_fuzz_fuzz_X_CFLAGS = $(AM_CFLAGS)
#     tests_fuzz_fuzz_X_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
#     tests_fuzz_fuzz_X_LDADD = tests/libreplay.a base/libbase.a ...
# make check gives each its corpus, tests/fuzz/corpus/X. With --enable-fuzzers libFuzzer's main() is
# linked, which comes before the one in libreplay.a.
fuzz_mains =
check_PROGRAMS += $(fuzz_mains)
check_LIBRARIES += tests/libreplay.a
tests_libreplay_a_SOURCES = tests/fuzz/replay.c
TESTS += tests/layers.sh tests/promises.sh tests/fuzz/replay.sh tests/daemon.sh
AM_TESTS_ENVIRONMENT += export FUZZ_MAINS='$(fuzz_mains)';

include tests/unit/base.mk
include tests/unit/sql.mk
include tests/unit/gateway.mk
include tests/unit/builder.mk
include tests/unit/deployer.mk
include tests/unit/daemon.mk
