#include "config.h"

#include "deployer/kubernetes/channels.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "deployer/kubernetes/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_MAX 255

static int exit_code_of(const json_t *status)
{
    json_t *causes = json_at(status, "details.causes"), *c;
    size_t i;

    json_array_foreach(causes, i, c) {
        const char *text = json_str(c, "message", "");
        char *end;
        long code = strtol(text, &end, 10);

        if (strcmp(json_str(c, "reason", ""), "ExitCode") == 0 && end != text && *end == '\0' && code > 0 &&
            code <= EXIT_MAX)
            return (int) code;
    }
    return -1;
}

void channels_status_parse(const char *data, size_t n, struct channels_status *ret)
{
    json_auto_t *doc = kube_document(data, n, NULL);
    cleanup_free char *message = NULL;

    *ret = (struct channels_status) { .is = true, .exit_code = -1 };
    if (strcmp(json_str(doc, "status", ""), "Success") == 0) {
        ret->exit_code = 0;
        return;
    }
    if (strcmp(json_str(doc, "reason", ""), "NonZeroExitCode") == 0)
        ret->exit_code = exit_code_of(doc);
    message = text_plain(json_str(doc, "message", "the cluster doesn't say why"), sizeof(ret->message) - 1);
    (void) snprintf(ret->message, sizeof(ret->message), "%s", message);
}

bool channels_take(const uint8_t *message, size_t n, struct channels_status *status, enum channel *ret,
                   const char **ret_data, size_t *ret_n)
{
    if (n < 2)
        return false;
    *ret = (enum channel) message[0];
    *ret_data = (const char *) message + 1;
    *ret_n = n - 1;
    if (*ret == CHANNEL_STATUS) {
        if (!status->is)
            channels_status_parse(*ret_data, *ret_n, status);
        return false;
    }
    return *ret == CHANNEL_STDOUT || *ret == CHANNEL_STDERR;
}

void channels_resize(struct buf *out, int cols, int rows)
{
    (void) buf_addf(out, "%c{\"Width\":%d,\"Height\":%d}", CHANNEL_RESIZE, cols, rows);
}
