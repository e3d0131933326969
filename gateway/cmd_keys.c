#include "config.h"

#include "base/mem.h"
#include "gateway/cmd.h"

#include <stdlib.h>
#include <string.h>

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

int cmd_keys_add(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    int from = argc > 0 && !is_key_type(argv[0]) ? 1 : 0;
    const char *name = from == 1 ? argv[0] : NULL, *owner = NULL;
    cleanup_buf struct buf line = { 0 };
    int64_t user_id = 0;
    struct key k;

    buf_init(&line, KEY_INPUT_MAX);
    if (owner_find(c, &user_id, &owner, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, "--user %s", owner);
    if ((from < argc ? line_join(argv, argc, from, &line, err) : io_read_all(c->io, &line, err)) != 0)
        return -1;
    if (memchr(buf_str(&line), '\0', buf_len(&line)) != NULL)
        return err_set(err, ERR_USAGE, "the key line holds a NUL byte");
    if (keys_add(c->store, user_id, name, buf_str(&line), &k, err) != 0)
        return -1;
    (void) buf_addf(&c->detail, " %s", k.fingerprint);
    if (c->json)
        (void) show_json(c, json_pack("{s:s, s:o, s:s, s:s}", "user", owner, "name", show_json_text(k.name), "type",
                                      k.type, "fingerprint", k.fingerprint));
    else
        (void) io_outf(c->io, "Adding %s key %s for %s... done\n", k.type, k.fingerprint, owner);
    key_release(&k);
    return 0;
}

static void key_row(struct table *t, const struct key *k)
{
    table_add(t, k->user_name);
    table_add(t, k->name);
    table_add(t, k->type);
    table_add(t, k->fingerprint);
    if (k->last_used_at != 0)
        table_addf(t, "used %s ago", show_age(k->last_used_at).s);
    else
        table_add(t, "never used");
}

int cmd_keys_list(struct command_ctx *c, char *const *argv, int argc, struct err *err)
{
    bool every = command_option(c, "--all") != NULL;
    struct table t = TABLE_INIT(5);
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
        (void) json_array_append_new(all, json_pack("{s:s, s:o, s:s, s:s, s:o, s:o}", "user", v[i].user_name, "name",
                                                    show_json_text(v[i].name), "type", v[i].type, "fingerprint",
                                                    v[i].fingerprint, "created_at", show_json_time(v[i].created_at),
                                                    "last_used_at", show_json_time(v[i].last_used_at)));
        key_row(&t, &v[i]);
        key_release(&v[i]);
    }
    free(v);
    if (c->json) {
        (void) show_json(c, all);
    } else {
        json_decref(all);
        table_print(&t, c);
    }
    table_release(&t);
    return 0;
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
