#include "config.h"

#include "daemon/init.h"

#include "base/conf.h"
#include "base/mem.h"
#include "base/path.h"
#include "daemon/accounts.h"
#include "daemon/admin_key.h"
#include "daemon/ask.h"
#include "daemon/hostkey.h"
#include "daemon/state.h"
#include "sql/seal.h"
#include "sql/tables.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEMD_RUNS "/run/systemd/system" /* sd_booted(3) */
#define CONFIG_MODE 0644         /* it names files with secrets and holds none; every role reads it */

/* The configuration as a text, for comparing and writing; the caller frees it. */
static char *conf_text(const struct conf *c)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    conf_print(c, f);
    (void) fclose(f);
    return text;
}

static int conf_apply(struct conf *c, const struct init_options *o, struct err *err)
{
    cleanup_free char *state = o->state != NULL ? xasprintf("server.state=%s", o->state) : NULL;

    if (state != NULL && conf_set(c, state, err) < 0)
        return -1;
    for (size_t i = 0; i < o->settings.n; i++)
        if (conf_set(c, o->settings.v[i], err) < 0)
            return -1;
    return 0;
}

/* Has nobody a key yet? A database that can't be read (of an older version, say) was made by an init with one. */
static bool keyless(const struct conf *c)
{
    cleanup_free char *database = conf_state_path(c, "slipway.db");
    struct key *keys = NULL;
    struct store *s;
    size_t n = 0;
    bool none;

    if (!path_exists(database))
        return true;
    if (store_open(c->state, true, &s, NULL) < 0)
        return false;
    none = keys_list(s, 0, &keys, &n, NULL) == 0 && n == 0;
    store_close(s);
    for (size_t i = 0; i < n; i++)
        key_release(&keys[i]);
    free(keys);
    return none;
}

/* On a terminal, what nobody has said yet. All of it before anything is made. */
static int questions(struct conf *c, const struct init_options *o, bool fresh, char **key, struct err *err)
{
    bool ask_admin = *key == NULL && keyless(c);

    if (!ask_possible() || !(ask_admin || fresh))
        return 0;
    (void) printf("Enter takes what stands in brackets; Ctrl-C ends this with nothing changed.\n");
    if (ask_admin && ask_key(key, err) < 0)
        return -1;
    return fresh ? ask_settings(c, o, err) : 0;
}

/* Reads the file, or makes it of the defaults, what was given and what is answered. Where it is there already, what was
 * given must be what it says: it is a person's file, not to be rewritten. */
static int config_make(struct conf *c, const struct init_options *o, char **key, struct err *err)
{
    cleanup_free char *before = NULL, *after = NULL;
    bool there = path_exists(o->config);

    if (conf_load(c, there ? o->config : NULL, err) < 0)
        return -1;
    before = conf_text(c);
    if (conf_apply(c, o, err) < 0)
        goto fail;
    after = conf_text(c);
    if (there && strcmp(before, after) != 0) {
        err_set(err, ERR_USAGE, "%s is there already and says otherwise than the command line: change it there",
                o->config);
        goto fail;
    }
    if (questions(c, o, !there, key, err) < 0)
        goto fail;
    if (!there) {
        cleanup_free char *text = conf_text(c);
        cleanup_free char *folder = xstrdup(o->config);
        char *slash = strrchr(folder, '/');

        if (slash != NULL && slash != folder) {
            *slash = '\0';
            if (!path_exists(folder) && path_mkdir(folder, 0755, err) < 0)
                goto fail;
        }
        if (path_write(o->config, text, strlen(text), CONFIG_MODE, err) < 0)
            goto fail;
        (void) printf("made %s\n", o->config);
        conf_release(c);
        return conf_load(c, o->config, err);
    }
    return 0;
fail:
    conf_release(c);
    return -1;
}

/* The state folder and those in it. Its parents must be there, but for the last one. */
static int folders_make(const struct conf *c, struct err *err)
{
    if (geteuid() == 0 && (state_path_open(c->state, err) < 0 || state_path_open(c->file, err) < 0))
        return -1;
    for (const struct state_entry *e = state_entries; e->path != NULL; e++) {
        cleanup_free char *path = state_entry_path(c, e);
        bool there = path_exists(path);

        if (!e->folder)
            continue;
        if (path_mkdir(path, e->mode, err) < 0 || state_entry_set(c, e, err) < 0)
            return -1;
        if (!there && e->path[0] == '\0')
            (void) printf("made %s\n", path);
    }
    return 0;
}

static int files_set(const struct conf *c, struct err *err)
{
    for (const struct state_entry *e = state_entries; e->path != NULL; e++)
        if (!e->folder && state_entry_set(c, e, err) < 0)
            return -1;
    return 0;
}

/* The user, and the key where it is not there yet. */
static int admin_add(struct store *s, const struct init_options *o, const char *line, struct err *err)
{
    struct key key = { 0 }, known = { 0 };
    struct user user = { 0 };
    struct err missing = ERR_INIT;
    int64_t id;
    int rc = -1;

    if (key_parse(line, &key, err) < 0)
        return err_wrap(err, "the admin's key");
    if (keys_find(s, key.blob, key.blob_len, &known, &missing) == 0) {
        if (strcmp(known.user_name, o->admin_name) == 0)
            rc = 0;
        else
            err_set(err, ERR_FAILED, "the key %s is %s's already", key.fingerprint, known.user_name);
        goto out;
    }
    if (missing.code == ERR_NOT_FOUND && users_get(s, o->admin_name, &user, &missing) == 0) {
        id = user.id;
    } else if (missing.code != ERR_NOT_FOUND) {
        err_set(err, missing.code, "%s", missing.msg);
        goto out;
    } else {
        if (users_add(s, o->admin_name, true, true, &id, err) < 0)
            goto out;
        (void) printf("made admin %s\n", o->admin_name);
    }
    key_release(&known);
    if (keys_add(s, id, NULL, line, &known, err) < 0)
        goto out;
    (void) printf("added key %s of %s\n", known.fingerprint, o->admin_name);
    rc = 0;
out:
    key_release(&key);
    key_release(&known);
    user_release(&user);
    return rc;
}

static int admin_make(const struct conf *c, const struct init_options *o, const char *key, struct err *err)
{
    struct store *s;
    int rc;

    if (key == NULL)
        return 0;
    if (store_open(c->state, false, &s, err) < 0)
        return -1;
    rc = admin_add(s, o, key, err);
    store_close(s);
    return rc;
}

static int init_all(struct conf *c, const struct init_options *o, const char *key, struct err *err)
{
    if (geteuid() == 0) {
        if (accounts_make(c, err) < 0 || accounts_let_read(c, err) < 0)
            return -1;
    } else {
        struct passwd *p = getpwuid(geteuid());

        (void) printf("not started as root: all roles will run as %s\n", p != NULL ? p->pw_name : "the starter");
    }
    if (folders_make(c, err) < 0 || hostkey_make(c, err) < 0 || seal_init(c->state, err) < 0
        || store_migrate(c->state, err) < 0 || files_set(c, err) < 0)
        return -1;
    return admin_make(c, o, key, err);
}

/* What to type next. Where systemd runs, our unit is there with the default configuration. */
static void next_say(const struct conf *c, const struct init_options *o)
{
    cleanup_free char *port = c->port != 22 ? xasprintf("-p %lld ", c->port) : xstrdup("");

    (void) printf("ready. Next: slipway check --config %s\n", o->config);
    if (path_exists(SYSTEMD_RUNS) && strcmp(o->config, CONFIG_DEFAULT) == 0)
        (void) printf("      then: systemctl enable --now slipway\n");
    else
        (void) printf("      then: slipway serve --config %s\n", o->config);
    if (ask_possible())
        (void) printf("and, from where your key is: ssh %sgit@%s apps:create shop\n", port, c->host);
}

int init_run(const struct init_options *o)
{
    cleanup_free char *key = NULL;
    struct err err = ERR_INIT;
    struct conf c;
    int rc;

    (void) umask(077);
    /* What is wrong with the admin is said before anything is made. */
    if (user_name_check(o->admin_name, &err) < 0
        || (o->admin_key != NULL && admin_key_read(o->admin_key, &key, &err) < 0)
        || config_make(&c, o, &key, &err) < 0) {
        (void) fprintf(stderr, "slipway init: %s\n", err.msg);
        return (int) err.code;
    }
    rc = init_all(&c, o, key, &err);
    if (rc == 0)
        next_say(&c, o);
    conf_release(&c);
    if (rc < 0) {
        (void) fprintf(stderr, "slipway init: %s\n", err.msg);
        return (int) err.code;
    }
    return 0;
}
