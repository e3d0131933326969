# Unit tests: tests/unit/test_X.c is a cmocka program that links what X's folder may use.
EXTRA_DIST += tests/lsan.supp
include tests/unit/base.mk
include tests/unit/sql.mk
include tests/unit/gateway.mk
include tests/unit/builder.mk
include tests/unit/deployer.mk
include tests/unit/daemon.mk
