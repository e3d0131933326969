/* Diagnostics of the daemon, on stderr: a line of text or one JSON object a line. What a
 * person who pushes reads goes another way (the build's and the release's log files). */
#ifndef SLIPWAY_BASE_LOG_H
#define SLIPWAY_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What this process is working for. A process serves one connection, one build or one release
 * at a time, so the context is the process's own; every line carries what is set. */
enum log_field { LOG_CONNECTION, LOG_USER, LOG_APP, LOG_BUILD, LOG_RELEASE, LOG_FIELD_COUNT };

/* role: the process's role ("listener"), a string that outlives the process's logging. */
void log_init(const char *role, enum log_level level, bool json);

/* Sets a context field (copied, at most 63 bytes); NULL or "" removes it. */
void log_set(enum log_field field, const char *value);

/* One line. Control characters in the formatted text are escaped; at most 4 KiB are kept.
 * Never pass a secret. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
