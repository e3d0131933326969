# deployer/: releases made to run. May use sql, base, libyaml (kubeconfig), libwslay (exec).
noinst_LIBRARIES += deployer/libdeployer.a
deployer_libdeployer_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS) $(SQLITE_CFLAGS) \
    $(YAML_CFLAGS)
deployer_libdeployer_a_SOURCES = \
    deployer/log_fan.c deployer/log_fan.h \
    deployer/log_join.c deployer/log_join.h \
    deployer/log_lines.c deployer/log_lines.h \
    deployer/one_off.c deployer/one_off.h \
    deployer/rfc3339.c deployer/rfc3339.h \
    deployer/stream.c deployer/stream.h \
    deployer/stream_plan.c deployer/stream_plan.h \
    deployer/stream_run.c deployer/stream_run.h \
    deployer/target.c deployer/target.h \
    deployer/target_document.c
# Releases: the queue, their steps, registries.
deployer_libdeployer_a_SOURCES += \
    deployer/blob.c deployer/blob.h \
    deployer/config_open.c deployer/config_open.h \
    deployer/deployer.c deployer/deployer.h \
    deployer/image_sweep.c deployer/image_sweep.h \
    deployer/mask.c deployer/mask.h \
    deployer/process.c deployer/process.h \
    deployer/publish.c deployer/publish.h \
    deployer/pulse.c deployer/pulse.h \
    deployer/release.c deployer/release.h \
    deployer/release_restore.c deployer/release_run.h deployer/release_postdeploy.c deployer/release_steps.c \
    deployer/release_log.c deployer/release_log.h \
    deployer/retention.c deployer/retention.h \
    deployer/remove.c deployer/remove.h \
    deployer/step.c deployer/step.h \
    deployer/worker.c
deployer_libs = deployer/libdeployer.a sql/libsql.a base/libbase.a $(YAML_LIBS) $(WSLAY_LIBS) $(CURL_LIBS) \
    $(JANSSON_LIBS) $(INIH_LIBS) $(SQLITE_LIBS) $(SODIUM_LIBS)

include deployer/docker/local.mk
include deployer/kubernetes/local.mk
