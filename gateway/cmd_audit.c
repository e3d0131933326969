#include "config.h"

#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

#define AUDIT_SHOWN 50
#define AUDIT_MAX 10000

static json_t *audit_json(const struct audit_row *a)
{
    return json_pack("{s:I, s:o, s:o, s:s, s:s, s:o, s:s, s:o, s:i}", "id", (json_int_t) a->id, "at",
                     show_json_time(a->at), "user", show_json_text(a->user), "fingerprint", a->fingerprint, "address",
                     a->address, "app", a->app[0] != '\0' ? show_json_text(a->app) : json_null(), "command", a->verb,
                     "detail", show_json_text(a->detail), "result", a->result);
}

static void audit_line(struct table *t, const struct audit_row *a)
{
    table_add(t, show_time(a->at).s);
    table_add(t, a->user);
    table_add(t, a->app[0] != '\0' ? a->app : "-");
    table_add(t, a->verb);
    table_add(t, a->detail);
    if (a->result == 0)
        table_add(t, "ok");
    else
        table_addf(t, "exit %d", a->result);
    table_add(t, a->address);
    table_addf(t, "%.20s", a->fingerprint);
}

int cmd_audit(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *num = command_option(c, "--num");
    long long limit = AUDIT_SHOWN;
    struct table t = TABLE_INIT(8);
    struct audit_row *v = NULL;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (num != NULL && show_number(num, "-n", 1, AUDIT_MAX, &limit, err) != 0)
        return -1;
    if (audit_list(c->store, c->app.id != 0 ? &c->app : NULL, (int) limit, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, audit_json(&v[i]));
        audit_line(&t, &v[i]);
        audit_row_release(&v[i]);
    }
    free(v);
    return show_list(c, all, &t);
}
