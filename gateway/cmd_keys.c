#include "config.h"

#include "base/mem.h"
#include "base/word.h"
#include "gateway/cidr.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

#define VERBS_MAX 1000
#define EXPIRES_MAX (3660LL * 86400) /* ten years */
#define KEY_INPUT_MAX (32 * 1024) /* twice what a key line may have; the rest gets a clear sentence */

/* Whose keys: one's own, or with --user another's. */
static int owner_find(struct command_ctx *c, int64_t *ret_id, const char **ret_name, struct err *err)
{
    const char *name = command_option(c, "--user");
    struct user u;

    if (name == NULL || strcmp(name, c->user.name) == 0) {
        *ret_id = c->user.id;
        *ret_name = c->user.name;
        return 0;
    }
    if (!c->user.admin)
        return err_set(err, ERR_DENIED, "only admins of this server may manage the keys of others");
    if (user_name_check(name, err) != 0 || users_get(c->store, name, &u, err) != 0)
        return -1;
    *ret_id = u.id;
    *ret_name = name;
    user_release(&u);
    return 0;
}

static bool is_key_type(const char *s)
{
    return strncmp(s, "ssh-", 4) == 0 || strncmp(s, "ecdsa-", 6) == 0 || strncmp(s, "sk-", 3) == 0;
}

/* The words from `from` on, as the line that they were before ssh and the splitter took them apart. */
static int line_join(char *const *argv, int argc, int from, struct buf *b, struct err *err)
{
    for (int i = from; i < argc; i++) {
        if (buf_addf(b, "%s%s", i == from ? "" : " ", argv[i]) != 0)
            return err_set(err, ERR_USAGE, "the key line is too long");
    }
    return 0;
}

/* One verb of a deploy key: push, fetch, or a command on one app that does not need to own it. */
static int verb_add(const char *word, struct buf *out, struct err *err)
{
    const struct command *cmd = command_find(word);
    const char *name = cmd != NULL ? cmd->name : word;

    if (strcmp(word, "push") != 0 && strcmp(word, "fetch") != 0
        && (cmd == NULL || (cmd->flags & (CMD_APP | CMD_BUILD)) == 0 || cmd->role > ROLE_OPERATE))
        return err_set(err, ERR_USAGE, "--verbs takes push, fetch and commands on an app that need at most the role "
                       "operate, separated by commas, not \"%s\"; for example: --verbs push,logs", word_shown(word).s);
    if (command_verb_in(buf_str(out), name))
        return 0;
    if (buf_addf(out, "%s%s", buf_len(out) > 0 ? " " : "", name) != 0)
        return err_set(err, ERR_USAGE, "--verbs has too many words");
    return 0;
}

static int verbs_parse(const char *list, struct buf *out, struct err *err)
{
    for (;;) {
        size_t n = strcspn(list, ",");
        cleanup_free char *word = xstrndup(list, n);

        if (verb_add(word, out, err) != 0)
            return -1;
        if (list[n] == '\0')
            return 0;
        list += n + 1;
    }
}

/* The app of a deploy key: one in which the person may deploy. */
static int deploy_app(struct command_ctx *c, const char *name, int64_t *ret, struct err *err)
{
    enum role role = ROLE_NONE;
    struct app a;

    if (app_name_check(name, err) != 0)
        return -1;
    if (apps_get(c->store, name, &a, err) != 0)
        return err->code == ERR_NOT_FOUND ? err_set(err, ERR_NOT_FOUND, "app %s not found", name) : -1;
    *ret = a.id;
    app_release(&a);
    if (access_role(c->store, &c->user, *ret, &role, err) != 0)
        return -1;
    if (role == ROLE_NONE)
        return err_set(err, ERR_NOT_FOUND, "app %s not found", name);
    if (role < ROLE_DEPLOY)
        return err_set(err, ERR_DENIED, "a deploy key needs the role deploy in %s, and yours is %s", name,
                       role_name(role));
    return 0;
}

/* What --deploy, --verbs, --from and --expires say; verbs: where the words of *ret live. */
static int bounds_parse(struct command_ctx *c, struct buf *verbs, struct key_bounds *ret, struct err *err)
{
    const char *app = command_option(c, "--deploy"), *list = command_option(c, "--verbs");
    const char *from = command_option(c, "--from"), *expires = command_option(c, "--expires");
    long long seconds = 0;
    struct cidr range;

    if (app == NULL && (list != NULL || from != NULL || expires != NULL))
        return err_set(err, ERR_USAGE, "--verbs, --from and --expires are for deploy keys; for example: keys:add ci "
                       "--deploy shop --expires 90d");
    if (app == NULL)
        return 0;
    if (command_option(c, "--user") != NULL)
        return err_set(err, ERR_USAGE, "a deploy key acts for you; --user does not go with --deploy");
    if (deploy_app(c, app, &ret->app_id, err) != 0 || verbs_parse(list != NULL ? list : "push", verbs, err) != 0
        || (from != NULL && cidr_parse(from, &range, err) != 0)
        || (expires != NULL && show_duration(expires, "--expires", EXPIRES_MAX, &seconds, err) != 0))
        return -1;
    ret->verbs = buf_str(verbs);
    ret->source = from;
    ret->expires_at = seconds != 0 ? store_now() + seconds * 1000 : 0;
    (void) buf_addf(&c->detail, " --deploy %s --verbs %s%s%s%s%s", app, ret->verbs, from != NULL ? " --from " : "",
                    from != NULL ? from : "", expires != NULL ? " --expires " : "", expires != NULL ? expires : "");
    return 0;
}

static json_t *key_json(const char *user, const struct key *k)
{
    json_t *verbs = k->app_id != 0 ? json_array() : json_null();

    for (const char *p = k->app_id != 0 ? k->verbs : ""; *p != '\0';) {
        size_t n = strcspn(p, " ");

        (void) json_array_append_new(verbs, json_stringn(p, n));
        p += n + strspn(p + n, " ");
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "user", user, "name",
                     show_json_text(k->name), "type", k->type, "fingerprint", k->fingerprint, "created_at",
                     show_json_time(k->created_at), "last_used_at", show_json_time(k->last_used_at), "deploy",
                     show_json_text(k->app), "verbs", verbs, "from", show_json_text(k->source), "expires_at",
                     show_json_time(k->expires_at));
}

int cmd_keys_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    int from = argc > 0 && !is_key_type(argv[0]) ? 1 : 0;
    const char *name = from == 1 ? argv[0] : NULL, *owner = NULL;
    cleanup_buf struct buf line = { 0 };
    int64_t user_id = 0;
    cleanup_buf struct buf verbs = { 0 };
    struct key_bounds bounds = { .app_id = 0 };
    struct key k;

    buf_init(&verbs, VERBS_MAX);
    buf_init(&line, KEY_INPUT_MAX);
    if (owner_find(c, &user_id, &owner, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "--user %s", owner);
    if (bounds_parse(c, &verbs, &bounds, err) != 0)
        return -1;
    if ((from < argc ? line_join(argv, argc, from, &line, err) : command_read_all(c, &line, err)) != 0
        || owner_find(c, &user_id, &owner, err) != 0)
        return -1;
    if (memchr(buf_str(&line), '\0', buf_len(&line)) != NULL)
        return err_set(err, ERR_USAGE, "the key line holds a NUL byte");
    if (keys_add_bound(c->store, user_id, name, buf_str(&line), &bounds, &k, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, " %s", k.fingerprint);
    if (c->json)
        (void) show_json(c, key_json(owner, &k));
    else if (k.app_id != 0)
        (void) io_outf(c->io, "Adding deploy key %s for %s (%s)... done\n", k.fingerprint, k.app, k.verbs);
    else
        (void) io_outf(c->io, "Adding %s key %s for %s... done\n", k.type, k.fingerprint, owner);
    key_release(&k);
    return 0;
}

static void key_row(struct table *t, const struct key *k)
{
    bool gone = k->expires_at != 0 && store_now() >= k->expires_at;

    table_add(t, k->user_name);
    table_add(t, k->name);
    table_add(t, k->type);
    table_add(t, k->fingerprint);
    if (k->last_used_at != 0)
        table_addf(t, "used %s ago", show_age(k->last_used_at).s);
    else
        table_add(t, "never used");
    if (k->app_id == 0) {
        table_add(t, "");
        return;
    }
    table_addf(t, "deploys %s: %s%s%s%s%s", k->app, k->verbs, k->source != NULL ? ", from " : "",
               k->source != NULL ? k->source : "", k->expires_at == 0 ? "" : gone ? ", expired " : ", until ",
               k->expires_at != 0 ? show_time(k->expires_at).s : "");
}

int cmd_keys_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool every = command_option(c, "--all") != NULL;
    struct table t = TABLE_INIT(6);
    const char *owner = NULL;
    struct key *v = NULL;
    int64_t user_id = 0;
    json_t *all;
    size_t n = 0;

    (void) argv;
    (void) argc;
    if (every && !c->user.admin)
        return err_set(err, ERR_DENIED, "only admins of this server may list the keys of all");
    if (!every && owner_find(c, &user_id, &owner, err) != 0)
        return -1;
    if (keys_list(c->store, user_id, &v, &n, err) != 0)
        return -1;
    all = json_array();
    for (size_t i = 0; i < n; i++) {
        (void) json_array_append_new(all, key_json(v[i].user_name, &v[i]));
        key_row(&t, &v[i]);
        key_release(&v[i]);
    }
    free(v);
    return show_list(c, all, &t);
}

int cmd_keys_remove(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    const char *owner = NULL;
    int64_t user_id = 0;

    (void) argc;
    if (owner_find(c, &user_id, &owner, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "--user %s %.100s", owner, argv[0]);
    if (keys_remove(c->store, user_id, argv[0], err) != 0)
        return -1;
    if (c->json)
        return show_json(c, json_pack("{s:s, s:o}", "user", owner, "removed", show_json_text(argv[0])));
    (void) io_outf(c->io, "Removing the key from %s... done\n", owner);
    return 0;
}
