#include "config.h"

#include "daemon/state.h"

#include "base/mem.h"
#include "daemon/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_ROOT "root"

/* Folders that several roles write to are sticky, so that none can move another's files away. Set-group-id
 * hands the group on to what is made in them. */
const struct state_entry state_entries[] = {
    { "", true, 03770, OWNER_ROOT, GROUP_ALL },
    { "keys", true, 02750, OWNER_ROOT, GROUP_ALL },
    { "keys/build", true, 02750, USER_BUILD, GROUP_ALL },
    { "keys/run", true, 02750, USER_DEPLOY, GROUP_ALL },
    { "repos", true, 02750, USER_GIT, USER_BUILD },
    { "logs", true, 02750, OWNER_ROOT, GROUP_ALL },
    { "logs/builds", true, 02770, OWNER_ROOT, GROUP_ALL },
    { "logs/releases", true, 02770, OWNER_ROOT, GROUP_ALL },
    { "images", true, 02770, USER_GIT, USER_DEPLOY }, /* a session writes, a release worker reads and removes */
    { "spool", true, 02750, USER_BUILD, USER_BUILD },
    { "run", true, 03770, OWNER_ROOT, GROUP_ALL },
    { "keys/ssh_host_ed25519_key", false, 0400, USER_GIT, USER_GIT },
    { "keys/ssh_host_rsa_key", false, 0400, USER_GIT, USER_GIT },
    { "keys/build/public", false, 0440, USER_BUILD, GROUP_ALL },
    { "keys/build/secret", false, 0400, USER_BUILD, GROUP_ALL },
    { "keys/run/public", false, 0440, USER_DEPLOY, GROUP_ALL },
    { "keys/run/secret", false, 0400, USER_DEPLOY, GROUP_ALL },
    { "keys/digest.key", false, 0440, OWNER_ROOT, GROUP_ALL },
    { "slipway.db", false, 0660, OWNER_ROOT, GROUP_ALL },
    { NULL },
};

char *state_entry_path(const struct conf *c, const struct state_entry *e)
{
    return e->path[0] == '\0' ? xstrdup(c->state) : conf_state_path(c, "%s", e->path);
}

static int owner_find(const struct state_entry *e, uid_t *uid, gid_t *gid, struct err *err)
{
    struct passwd *p = getpwnam(e->owner);
    struct group *g = getgrnam(e->group);

    if (p == NULL || g == NULL)
        return err_set(err, ERR_FAILED, "there is no %s %s; run as root: slipway init",
                       p == NULL ? "user" : "group", p == NULL ? e->owner : e->group);
    *uid = p->pw_uid;
    *gid = g->gr_gid;
    return 0;
}

/* Opens the entry itself, so that what is then changed is what was looked at. */
static int entry_open(const char *path, const struct state_entry *e, struct stat *st, struct err *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (e->folder ? O_DIRECTORY : 0));

    if (fd < 0)
        return err_errno(err, "cannot open %s", path);
    if (fstat(fd, st) < 0 || (!e->folder && !S_ISREG(st->st_mode))) {
        (void) close(fd);
        return err_set(err, ERR_FAILED, "%s is not a %s", path, e->folder ? "folder" : "file");
    }
    return fd;
}

int state_entry_set(const struct conf *c, const struct state_entry *e, struct err *err)
{
    cleanup_free char *path = state_entry_path(c, e);
    struct stat st;
    cleanup_close int fd = entry_open(path, e, &st, err);
    uid_t uid;
    gid_t gid;

    if (fd < 0)
        return -1;
    if (geteuid() == 0) {
        if (owner_find(e, &uid, &gid, err) < 0)
            return -1;
        if (fchown(fd, uid, gid) < 0)
            return err_errno(err, "cannot give %s to %s", path, e->owner);
    }
    if (fchmod(fd, e->mode) < 0) /* after fchown, which takes set-group-id away */
        return err_errno(err, "cannot set the mode of %s", path);
    return 0;
}

int state_entry_check(const struct conf *c, const struct state_entry *e, struct err *err)
{
    cleanup_free char *path = state_entry_path(c, e);
    struct stat st;
    uid_t uid;
    gid_t gid;

    if (lstat(path, &st) < 0)
        return err_errno(err, "%s", path);
    if (e->folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
        return err_set(err, ERR_FAILED, "%s is not a %s", path, e->folder ? "folder" : "file");
    if ((st.st_mode & 07777) != e->mode)
        return err_set(err, ERR_FAILED, "%s has mode %04o and needs %04o", path, st.st_mode & 07777,
                       (unsigned) e->mode);
    if (geteuid() != 0)
        return 0;
    if (owner_find(e, &uid, &gid, err) < 0)
        return -1;
    if (st.st_uid != uid || st.st_gid != gid)
        return err_set(err, ERR_FAILED, "%s must belong to %s:%s", path, e->owner, e->group);
    return 0;
}

int state_journal_make(const struct conf *c, struct err *err)
{
    cleanup_free char *path = conf_state_path(c, "slipway.db-journal");
    struct stat st;
    cleanup_close int fd = -1;

    if (lstat(path, &st) == 0) {
        if (st.st_uid == geteuid())
            return 0;
        if (st.st_size > 0)
            return err_set(err, ERR_FAILED, "%s isn't the starter's, and roles can't use it; as root: chown root %s", path, path);
        if (unlink(path) < 0)
            return err_errno(err, "cannot remove %s", path);
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
    if (fd < 0)
        return err_errno(err, "cannot make %s", path);
    if (fchmod(fd, 0660) < 0)
        return err_errno(err, "cannot set the mode of %s", path);
    return 0;
}

int state_path_open(const char *path, struct err *err)
{
    cleanup_free char *real = NULL, *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    struct stat st;

    if (slash == NULL)
        return 0;
    slash[slash == above] = '\0';
    real = realpath(above, NULL);
    if (real == NULL)
        return err_errno(err, "cannot find %s", above);
    for (;;) {
        if (stat(real, &st) < 0)
            return err_errno(err, "cannot read %s", real);
        if ((st.st_mode & S_IXOTH) == 0)
            return err_set(err, ERR_FAILED, "the roles' users cannot enter %s: choose another place, "
                           "or open it with: chmod o+x %s", real, real);
        slash = strrchr(real, '/');
        if (slash == real)
            return 0;
        *slash = '\0';
    }
}
