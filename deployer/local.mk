# deployer/: releases made to run. May use sql, base, libyaml (kubeconfig), libwslay (exec).
noinst_LIBRARIES += deployer/libdeployer.a
deployer_libdeployer_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS) $(SQLITE_CFLAGS) \
    $(YAML_CFLAGS)
deployer_libdeployer_a_SOURCES = \
    deployer/stream.c deployer/stream.h \
    deployer/target.c deployer/target.h \
    deployer/text.c deployer/text.h
deployer_libs = deployer/libdeployer.a sql/libsql.a base/libbase.a $(YAML_LIBS) $(CURL_LIBS) \
    $(JANSSON_LIBS) $(INIH_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS)

include deployer/kubernetes/local.mk
