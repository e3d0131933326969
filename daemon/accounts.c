#include "config.h"

#include "daemon/accounts.h"

#include "base/mem.h"
#include "base/spawn.h"
#include "daemon/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOOL_MS 30000 /* useradd waits up to 15 s for another one's lock */

static int tool_run(const struct vec *argv, struct err *err)
{
    struct spawn s = SPAWN_INIT;
    struct spawn_result result;
    cleanup_buf struct buf said;

    buf_init(&said, 4096);
    s.argv = vec_argv(argv);
    if (spawn_run(&s, NULL, NULL, &said, TOOL_MS, &result, err) < 0)
        return -1;
    if (result.signaled || result.code != 0)
        return err_set(err, ERR_FAILED, "%s failed (%d): %.*s", argv->v[0], result.code,
                       (int) strcspn(buf_str(&said), "\n"), buf_str(&said));
    return 0;
}

static int group_make(const char *name, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT;

    if (getgrnam(name) != NULL)
        return 0;
    vec_addl(&argv, "/usr/sbin/groupadd", "--system", name, NULL);
    if (tool_run(&argv, err) < 0)
        return -1;
    (void) printf("made group %s\n", name);
    return 0;
}

static int user_make(const struct conf *c, const char *name, struct err *err)
{
    cleanup_vec struct vec argv = VEC_INIT;

    if (group_make(name, err) < 0)
        return -1;
    if (getpwnam(name) != NULL)
        return 0;
    vec_addl(&argv, "/usr/sbin/useradd", "--system", "--gid", name, "--no-create-home", "--home-dir", c->state,
             "--shell", "/usr/sbin/nologin", "--comment", "Slipway", name, NULL);
    if (tool_run(&argv, err) < 0)
        return -1;
    (void) printf("made user %s\n", name);
    return 0;
}

int accounts_make(const struct conf *c, struct err *err)
{
    static const char *const users[] = { USER_GIT, USER_BUILD, USER_DEPLOY, USER_ROUTER };

    if (group_make(GROUP_ALL, err) < 0 || group_make(GROUP_REGISTRY, err) < 0)
        return -1;
    for (size_t i = 0; i < countof(users); i++)
        if (user_make(c, users[i], err) < 0)
            return -1;
    return 0;
}

static int let_read(const char *path, const char *group, struct err *err)
{
    cleanup_close int fd = -1;
    struct group *g;
    struct stat st;

    if (path[0] == '\0')
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0; /* slipway check says what is missing */
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, "cannot open %s", path);
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_gid != 0 || (st.st_mode & 077) != 0)
        return 0;
    g = getgrnam(group);
    if (g == NULL || fchown(fd, (uid_t) -1, g->gr_gid) < 0 || fchmod(fd, (st.st_mode & 0777) | S_IRGRP) < 0)
        return err_errno(err, "cannot let group %s read %s", group, path);
    (void) printf("let group %s read %s\n", group, path);
    return 0;
}

int accounts_let_read(const struct conf *c, struct err *err)
{
    if (let_read(c->registry_auth, GROUP_REGISTRY, err) < 0
        || let_read(c->release_registry_auth, USER_DEPLOY, err) < 0
        || let_read(c->image_pull_secret, USER_DEPLOY, err) < 0 || let_read(c->kubeconfig, USER_DEPLOY, err) < 0)
        return -1;
    return 0;
}
