#include "config.h"

#include "gateway/auth.h"

#include "base/log.h"
#include "base/mem.h"
#include "gateway/cidr.h"
#include "sql/tables.h"

#include <string.h>

void auth_init(struct auth *a, const struct conf *conf)
{
    memset(a, 0, sizeof(*a));
    a->conf = conf;
}

void auth_release(struct auth *a)
{
    user_release(&a->user);
    key_release(&a->key);
    store_close(a->store);
    a->store = NULL;
    a->done = false;
}

int auth_prepare(struct auth *a, struct err *err)
{
    if (a->store != NULL)
        return 0;
    return store_open(a->conf->state, false, &a->store, err);
}

int auth_none(ssh_session ssh, const char *user, struct auth *a)
{
    (void) ssh;
    (void) user;
    (void) a;
    return SSH_AUTH_DENIED; /* clients ask so for the list of methods; it is no attempt */
}

/* Does this key hold here and now? */
static bool key_holds(const struct auth *a, const struct key *k)
{
    struct cidr from;

    if (k->expires_at != 0 && store_now() >= k->expires_at) {
        log_info("key %s has expired", k->fingerprint);
        return false;
    }
    if (k->source != NULL && (cidr_parse(k->source, &from, NULL) != 0 || !cidr_contains(&from, a->address))) {
        log_info("key %s is not for this address", k->fingerprint);
        return false;
    }
    return true;
}

/* What a deploy key leaves of its user. */
static void user_bind(struct user *u, const struct key *k)
{
    if (k->app_id == 0)
        return;
    u->bound_app = k->app_id;
    u->admin = u->may_create = false;
}

/* The user and the registered key of what the client presented. ERR_NOT_FOUND where there is none. */
static int find_key(struct auth *a, ssh_key pubkey, struct user *ret_user, struct key *ret_key, struct err *err)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(pubkey));
    cleanup_free char *line = NULL;
    struct key presented = { .name = NULL };
    char *base64 = NULL;
    int rc;

    if (type == NULL || ssh_pki_export_pubkey_base64(pubkey, &base64) != SSH_OK)
        return err_set(err, ERR_NOT_FOUND, "a key that cannot be read");
    line = xasprintf("%s %s", type, base64);
    ssh_string_free_char(base64);
    if (key_parse(line, &presented, err) < 0) {
        err->code = ERR_NOT_FOUND; /* a kind of key that cannot have been registered */
        return -1;
    }
    rc = keys_find(a->store, presented.blob, presented.blob_len, ret_key, err);
    if (rc < 0 && err->code == ERR_NOT_FOUND)
        log_info("unknown key %s", presented.fingerprint);
    key_release(&presented);
    if (rc < 0)
        return -1;
    if (!key_holds(a, ret_key)) {
        key_release(ret_key);
        return err_set(err, ERR_NOT_FOUND, "a key that does not hold here and now");
    }
    if (users_get_id(a->store, ret_key->user_id, ret_user, err) < 0) {
        key_release(ret_key);
        return -1;
    }
    user_bind(ret_user, ret_key);
    return 0;
}

int auth_pubkey(ssh_session ssh, const char *user, ssh_key pubkey, char signature_state, struct auth *a)
{
    struct err err = ERR_INIT;
    struct user found_user = { .id = 0 };
    struct key found_key = { .id = 0 };
    bool right_name = user != NULL && (strcmp(user, AUTH_USER_NAME) == 0 || strcmp(user, AUTH_USER_DOKKU) == 0);

    (void) ssh;
    if (a->done || a->refused)
        return SSH_AUTH_DENIED;
    if (auth_prepare(a, &err) < 0 || (find_key(a, pubkey, &found_user, &found_key, &err) < 0 &&
                                      err.code != ERR_NOT_FOUND)) {
        log_error("%s", err.msg);
        a->refused = true;
        return SSH_AUTH_DENIED;
    }
    if (found_key.id == 0 || !right_name) {
        user_release(&found_user);
        key_release(&found_key);
        if (!right_name)
            log_info("a login as another user than " AUTH_USER_NAME " and " AUTH_USER_DOKKU);
        if (++a->attempts >= AUTH_ATTEMPTS_MAX)
            a->refused = true;
        return SSH_AUTH_DENIED;
    }
    if (signature_state == SSH_PUBLICKEY_STATE_VALID) {
        a->user = found_user;
        a->key = found_key;
        a->done = true;
        return SSH_AUTH_SUCCESS;
    }
    user_release(&found_user);
    key_release(&found_key);
    if (signature_state == SSH_PUBLICKEY_STATE_NONE)
        return SSH_AUTH_SUCCESS; /* "this key would do": the signed request comes next */
    a->refused = true;
    return SSH_AUTH_DENIED;
}
