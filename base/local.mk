# base/: what every layer uses. May use libc, libcurl (http), jansson (json), libinih (conf),
# libsodium (digest, base64).
noinst_LIBRARIES += base/libbase.a
base_libbase_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) \
    $(SODIUM_CFLAGS)
base_libbase_a_SOURCES = \
    base/banned.h \
    base/buf.c base/buf.h \
    base/challenge.c base/challenge.h \
    base/conf.c base/conf_read.c base/conf_print.c base/conf.h \
    base/cron.c base/cron.h \
    base/curl_load.c base/curl_load.h \
    base/digest.c base/digest.h \
    base/docker_auth.c base/docker_auth.h \
    base/err.c base/err.h \
    base/http.c base/http_certificate.c base/http.h base/http_link.h \
    base/image_file.c base/image_file.h \
    base/image_ref.c base/image_ref.h \
    base/ipc.c base/ipc.h \
    base/json.c base/json.h \
    base/library.c base/library.h \
    base/log.c base/log.h \
    base/log_view.h \
    base/loop.c base/loop.h \
    base/mem.c base/mem.h \
    base/near.c base/near.h \
    base/oci.c base/oci_image.c base/oci.h \
    base/path.c base/path.h \
    base/role.c base/role.h \
    base/spawn.c base/spawn.h \
    base/text.c base/text.h \
    base/vec.c base/vec.h \
    base/wake.c base/wake.h \
    base/word.c base/word.h
