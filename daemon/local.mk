# daemon/: the program. May use all layers.
bin_PROGRAMS += slipway
noinst_LIBRARIES += daemon/libdaemon.a
daemon_cflags = $(AM_CFLAGS) $(SSH_CFLAGS) $(GIT2_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
    $(SODIUM_CFLAGS)
daemon_libdaemon_a_CFLAGS = $(daemon_cflags)
daemon_libdaemon_a_SOURCES = \
    daemon/accounts.c daemon/accounts.h \
    daemon/admin.c daemon/admin.h \
    daemon/admin_key.c daemon/admin_key.h \
    daemon/ask.c daemon/ask.h \
    daemon/backoff.c daemon/backoff.h \
    daemon/check.c daemon/check.h \
    daemon/check_line.c daemon/check_line.h \
    daemon/check_roles.c \
    daemon/hostkey.c daemon/hostkey.h \
    daemon/init.c daemon/init.h \
    daemon/listen.c daemon/listen.h \
    daemon/lock.c daemon/lock.h \
    daemon/notify.c daemon/notify.h \
    daemon/roles.c daemon/roles.h \
    daemon/state.c daemon/state.h \
    daemon/supervisor.c daemon/supervisor.h \
    daemon/unseal.c daemon/unseal.h
slipway_CFLAGS = $(daemon_cflags)
slipway_SOURCES = daemon/main.c
slipway_LDADD = daemon/libdaemon.a gateway/libgateway.a builder/libbuilder.a deployer/libdeployer.a sql/libsql.a base/libbase.a \
    $(SSH_LIBS) $(YAML_LIBS) $(WSLAY_LIBS) $(CRYPTO_LIBS) $(LIBS_ALL)

# systemd reads units and kernel settings below /usr/local/lib, too.
systemdsystemunitdir = $(prefix)/lib/systemd/system
nodist_systemdsystemunit_DATA = daemon/slipway.service
sysctldir = $(prefix)/lib/sysctl.d
dist_sysctl_DATA = daemon/50-slipway.conf
EXTRA_DIST += daemon/slipway.service.in
CLEANFILES += daemon/slipway.service
daemon/slipway.service: $(srcdir)/daemon/slipway.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) daemon && sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    $(srcdir)/daemon/slipway.service.in > $@.tmp && mv $@.tmp $@
