#include "config.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/kube.h"

#include <string.h>

json_t *kube_document(const char *data, size_t n, struct err *err)
{
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, NULL);

    if (doc == NULL)
        (void) err_set(err, ERR_DOWN, "the cluster's answer is not JSON");
    return doc;
}

static enum err_code status_code(long http_status)
{
    switch (http_status) {
    case 401:
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_BUSY;
    case 429:
        return ERR_DOWN;
    default:
        return http_status >= 500 ? ERR_DOWN : ERR_FAILED;
    }
}

/* The manager in `conflict with "kubectl-edit" using apps/v1`; NULL where the text is another. */
static char *cause_manager(const char *message)
{
    const char *from = strchr(message, '"'), *to = from != NULL ? strchr(from + 1, '"') : NULL;
    cleanup_free char *name = NULL;

    if (to == NULL)
        return NULL;
    name = xstrndup(from + 1, (size_t) (to - from - 1));
    return text_plain(name, 128);
}

#define CAUSES_MAX 3 /* named in a message */

/* 409 of a server-side apply: `.spec.replicas is held by "kubectl-edit"`. False where it is
 * another one. */
static bool conflict_text(const json_t *status, struct buf *out)
{
    json_t *causes = json_at(status, "details.causes"), *cause;
    size_t i, named = 0;

    json_array_foreach(causes, i, cause) {
        cleanup_free char *manager = NULL, *field = NULL;

        if (strcmp(json_str(cause, "reason", ""), "FieldManagerConflict") != 0)
            continue;
        manager = cause_manager(json_str(cause, "message", ""));
        field = text_plain(json_str(cause, "field", "a field"), 128);
        if (++named > CAUSES_MAX) {
            (void) buf_addf(out, " and %zu more", json_array_size(causes) - i);
            break;
        }
        (void) buf_addf(out, "%s%s is held by \"%s\" with another value", named > 1 ? ", " : "",
                        field, manager != NULL ? manager : "another manager");
    }
    return named > 0;
}

int kube_status_error(const json_t *status, long http_status, struct err *err)
{
    cleanup_buf struct buf conflict;
    cleanup_free char *message = NULL;
    const char *text = json_str(status, "message", "");

    buf_init(&conflict, ERR_MSG_MAX / 2);
    if (http_status == 409 && conflict_text(status, &conflict))
        return err_set(err, ERR_BUSY, "%s", buf_str(&conflict));
    message = text_plain(text, ERR_MSG_MAX / 2);
    if (message[0] == '\0')
        return err_set(err, status_code(http_status), "the cluster answered with HTTP status %ld",
                       http_status);
    return err_set(err, status_code(http_status), "%s", message);
}
