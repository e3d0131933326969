# base/: what every layer uses. May use libc, libcurl (http), jansson (json), libinih (conf).
noinst_LIBRARIES += base/libbase.a
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS)
base_libbase_a_SOURCES = \
    base/banned.h \
    base/buf.c base/buf.h \
    base/conf.c base/conf_read.c base/conf_print.c base/conf.h \
    base/err.c base/err.h \
    base/ipc.c base/ipc.h \
    base/json.c base/json.h \
    base/log.c base/log.h \
    base/loop.c base/loop.h \
    base/mem.c base/mem.h \
    base/near.c base/near.h \
    base/path.c base/path.h \
    base/role.c base/role.h \
    base/spawn.c base/spawn.h \
    base/vec.c base/vec.h \
    base/wake.c base/wake.h
