#include "config.h"

#include "daemon/init.h"

#include "base/conf.h"
#include "base/mem.h"
#include "base/path.h"
#include "daemon/accounts.h"
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

#define CONFIG_MODE 0644         /* it names files with secrets and holds none; every role reads it */
#define KEY_FILE_MAX (32 * 1024) /* the longest public keys have some 3 KiB */

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

/* Reads the file, or makes it of the defaults and what was given. Where it is there already, what was given
 * must be what it says: it is a person's file, not to be rewritten. */
static int config_make(struct conf *c, const struct init_options *o, struct err *err)
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
    if (!there) {
        cleanup_free char *folder = xstrdup(o->config);
        char *slash = strrchr(folder, '/');

        if (slash != NULL && slash != folder) {
            *slash = '\0';
            if (!path_exists(folder) && path_mkdir(folder, 0755, err) < 0)
                goto fail;
        }
        if (path_write(o->config, after, strlen(after), CONFIG_MODE, err) < 0)
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

/* Reads the key's line: the first that is neither empty nor a comment. */
static int key_line(const char *file, struct buf *text, char **ret, struct err *err)
{
    if (strcmp(file, "-") == 0)
        file = "/dev/stdin";
    if (path_read(file, text, err) < 0)
        return -1;
    for (const char *at = buf_str(text); *at != '\0';) {
        size_t n = strcspn(at, "\n");

        if (n != 0 && *at != '#' && *at != '\r') {
            *ret = xstrndup(at, n);
            return 0;
        }
        at += n + (at[n] != '\0');
    }
    return err_set(err, ERR_USAGE, "%s holds no public key", file);
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

static int admin_make(const struct conf *c, const struct init_options *o, struct err *err)
{
    cleanup_free char *line = NULL;
    cleanup_buf struct buf text;
    struct store *s;
    int rc;

    buf_init(&text, KEY_FILE_MAX);
    if (o->admin_key == NULL)
        return 0;
    if (user_name_check(o->admin_name, err) < 0 || key_line(o->admin_key, &text, &line, err) < 0
        || store_open(c->state, false, &s, err) < 0)
        return -1;
    rc = admin_add(s, o, line, err);
    store_close(s);
    return rc;
}

static int init_all(struct conf *c, const struct init_options *o, struct err *err)
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
    return admin_make(c, o, err);
}

int init_run(const struct init_options *o)
{
    struct err err = ERR_INIT;
    struct conf c;
    int rc;

    (void) umask(077);
    if (config_make(&c, o, &err) < 0) {
        (void) fprintf(stderr, "slipway init: %s\n", err.msg);
        return (int) err.code;
    }
    rc = init_all(&c, o, &err);
    conf_release(&c);
    if (rc < 0) {
        (void) fprintf(stderr, "slipway init: %s\n", err.msg);
        return (int) err.code;
    }
    (void) printf("ready. Next: slipway check --config %s\n"
                  "      then: slipway serve --config %s\n", o->config, o->config);
    return 0;
}
