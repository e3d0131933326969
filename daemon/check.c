#include "config.h"

#include "daemon/check.h"

#include "base/mem.h"
#include "base/role.h"
#include "base/spawn.h"
#include "daemon/check_line.h"
#include "daemon/roles.h"
#include "daemon/state.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT_INIT "run: slipway init"
#define ROLE_MS 60000        /* registries and clusters that do not answer have their own, shorter limits */
#define ROLE_OUTPUT_MAX 65536

/* It names the programs that are run and the socket of the engine: who may write it may become root. */
static void check_config(struct check *k, const char *path)
{
    struct err err = ERR_INIT;
    struct stat st;

    if (stat(path, &st) < 0)
        err_errno(&err, "cannot read %s", path);
    else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        err_set(&err, ERR_FAILED, "%s has mode %04o, so others may change it", path, st.st_mode & 07777);
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        err_set(&err, ERR_FAILED, "%s belongs to user %u, who may change it", path, (unsigned) st.st_uid);
    if (err.code != ERR_NONE)
        check_missing(k, "config", &err, "run: chown root FILE && chmod 644 FILE");
    else
        check_ok(k, "config", "%s", path);
}

static void check_state(struct check *k, const struct conf *c)
{
    struct err err = ERR_INIT;
    int wrong = 0;

    if (geteuid() == 0 && (state_path_open(c->state, &err) < 0 || state_path_open(c->file, &err) < 0)) {
        check_missing(k, "state", &err, NULL);
        wrong++;
    }
    for (const struct state_entry *e = state_entries; e->path != NULL; e++)
        if (state_entry_check(c, e, &err) < 0) {
            check_missing(k, "state", &err, HINT_INIT);
            wrong++;
        }
    if (wrong == 0)
        check_ok(k, "state", "%s", c->state);
}

/* Runs a role that checks, as its user, and passes its lines on. */
static void check_role(struct check *k, const struct conf *c, const char *name)
{
    cleanup_vec struct vec argv = VEC_INIT, env = VEC_INIT;
    cleanup_buf struct buf said, failed;
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    struct err err = ERR_INIT;

    buf_init(&said, ROLE_OUTPUT_MAX);
    buf_init(&failed, ROLE_OUTPUT_MAX);
    role_argv(c, name, &argv);
    role_env(c, &env);
    s.argv = vec_argv(&argv);
    s.env = vec_argv(&env);
    s.cwd = "/";
    if (role_spawn(c, role_find(name), &s, &err) < 0
        || spawn_run(&s, NULL, &said, &failed, ROLE_MS, &result, &err) < 0) {
        (void) fputs(buf_str(&said), stdout);
        check_missing(k, name, &err, NULL);
        return;
    }
    (void) fputs(buf_str(&said), stdout);
    (void) fputs(buf_str(&failed), stderr);
    if (result.signaled || result.code > 1) {
        err_set(&err, ERR_FAILED, "the check itself ended with %s %d", result.signaled ? "signal" : "exit code",
                result.code);
        check_missing(k, name, &err, NULL);
    } else {
        k->missing += result.code;
    }
}

int check_run(const char *config)
{
    struct check k = { 0 };
    struct err err = ERR_INIT;
    struct conf c;

    if (conf_load(&c, config, &err) < 0) {
        check_missing(&k, "config", &err, err.code == ERR_NOT_FOUND ? HINT_INIT : NULL);
        return 1;
    }
    check_config(&k, c.file);
    if (geteuid() != 0)
        check_ok(&k, "users", "not root: all roles run as the same user");
    check_state(&k, &c);
    check_role(&k, &c, "check-git");
    check_role(&k, &c, "check-build");
    check_role(&k, &c, "check-deploy");
    conf_release(&c);
    return k.missing != 0;
}
