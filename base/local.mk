noinst_LIBRARIES += base/libbase.a
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS)
base_libbase_a_SOURCES = \
    base/banned.h \
    base/buf.c base/buf.h \
    base/err.c base/err.h \
    base/http.c base/http.h \
    base/mem.c base/mem.h \
    base/vec.c base/vec.h
