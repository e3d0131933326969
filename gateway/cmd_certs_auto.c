/* certs:auto: what a visitor of each of an app's host names is shown, and what keeps a certificate from coming. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "gateway/cmd.h"
#include "gateway/live.h"

#include <stdlib.h>
#include <string.h>

/* "None: REASON (2026-01-02 03:04:05)", and so on. */
static char *text_make(const json_t *v, bool own)
{
    const char *issuer = json_str(v, "issuer", NULL), *error = json_str(v, "error", NULL);
    int64_t until = json_int(v, "not_after", 0);
    cleanup_free char *end = issuer != NULL && (own || error != NULL) ? certificate_end_text(until) : NULL;
    cleanup_free char *why = error != NULL ? xasprintf(": %s (%s)", error, show_time(json_int(v, "error_at", 0)).s) : xstrdup("");

    if (issuer == NULL)
        return error != NULL ? xasprintf("none%s", why) : xstrdup("none yet: Caddy is asking for it");
    if (own)
        return xasprintf("your own, by %s%s%s", issuer, end != NULL ? "; it " : "", end != NULL ? end : "");
    if (error == NULL)
        return xasprintf("by %s", issuer);
    return xasprintf("by %s; no new one comes%s", issuer, why);
}

static json_t *row_json(const json_t *v, bool own)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "host", json_str(v, "host", ""), "own", (int) own, "issuer",
                     show_json_text(json_str(v, "issuer", NULL)), "not_before", show_json_time(json_int(v, "not_before", 0)),
                     "not_after", show_json_time(json_int(v, "not_after", 0)), "error",
                     show_json_text(json_str(v, "error", NULL)), "error_at", show_json_time(json_int(v, "error_at", 0)));
}

int cmd_certs_auto(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    json_auto_t *request = json_pack("{s:s, s:I}", "op", "certificates", "app_id", (json_int_t) c->app.id), *all = NULL;
    struct certificate own = { .chain = NULL };
    struct table t = TABLE_INIT(3);
    json_t *rows, *v;
    size_t i;

    (void) argv, (void) argc;
    if (c->app.live_release_id == 0)
        return err_set(err, ERR_FAILED, "%s runs nothing yet, so nothing is shown at its host names", c->app.name);
    if (c->app.certificate != NULL && certificates_get(c->store, c->app.id, &own, err) != 0)
        return -1;
    all = live_document(c, request, err);
    if (all == NULL) {
        certificate_release(&own);
        return err->code == ERR_NONE ? 0 : -1;
    }
    rows = json_array();
    json_array_foreach(all, i, v) {
        const char *host = json_str(v, "host", "");
        bool is_own = c->app.certificate != NULL && certificate_covers(&own, host);
        cleanup_free char *text = text_make(v, is_own);

        (void) json_array_append_new(rows, row_json(v, is_own));
        table_add(&t, host);
        table_add(&t, show_time(json_int(v, "not_after", 0)).s);
        table_add(&t, text);
    }
    certificate_release(&own);
    return show_list(c, rows, &t);
}
