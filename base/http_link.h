/* A bare connection before it is made, for what has more to say to libcurl: internal to base/http*.c. */
#ifndef SLIPWAY_BASE_HTTP_LINK_H
#define SLIPWAY_BASE_HTTP_LINK_H

#include "base/curl_load.h"
#include "base/http.h"

/* As http_link_open, without connecting: http_link_easy's handle may get more options, and is performed by the caller. Close it
 * by http_link_close. NULL and err on failure. */
struct http_link *http_link_new(struct http *h, const char *url, struct err *err);
/* Its handle; borrowed. */
CURL *http_link_easy(const struct http_link *l);
/* Who is spoken to, for errors; borrowed. */
const char *http_link_peer(const struct http_link *l);
/* err of an action of its handle that failed: ERR_DOWN; always -1. */
int http_link_failed(const struct http_link *l, CURLcode rc, struct err *err);

#endif
