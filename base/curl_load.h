/* libcurl, loaded when a process first speaks HTTP. It brings two dozen libraries along, which the
 * processes that never do (supervisor, listener, sessions, dispatchers) would pay for with 3 ms at
 * each start and 0.7 MiB of memory each. */
#ifndef SLIPWAY_BASE_CURL_LOAD_H
#define SLIPWAY_BASE_CURL_LOAD_H

#include "base/err.h"

#include <curl/curl.h>

#define CURL_SONAME "libcurl.so.4" /* libcurl's ABI since 7.16 */

/* The functions that base/http*.c call, without "curl_". */
#define CURL_FUNCTIONS(X)                                                                          \
    X(global_init_mem)                                                                             \
    X(easy_init) X(easy_cleanup) X(easy_setopt) X(easy_getinfo) X(easy_pause) X(easy_strerror)      \
    X(easy_perform) X(easy_recv) X(easy_send)                                                      \
    X(multi_init) X(multi_cleanup) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle)       \
    X(multi_perform) X(multi_poll) X(multi_info_read) X(multi_strerror)                             \
    X(slist_append) X(slist_free_all) X(url) X(url_cleanup) X(url_get) X(url_set)

struct curl_api {
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* Valid after curl_load. */
extern struct curl_api curl;

/* Loads the library; the second call does nothing. */
int curl_load(struct err *err);

#endif
