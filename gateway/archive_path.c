#include "config.h"

#include "gateway/archive_path.h"

#include "gateway/policy.h"

#include <stdio.h>
#include <string.h>

#define PART_MAX 255 /* NAME_MAX of every common file system */

const char *archive_path_shown(const char *path, char ret[ARCHIVE_SHOWN])
{
    if (snprintf(ret, ARCHIVE_SHOWN, "%s", path) >= ARCHIVE_SHOWN)
        memcpy(ret + ARCHIVE_SHOWN - 4, "...", 4);
    for (char *p = ret; *p != '\0'; p++) {
        if ((unsigned char) *p < ' ' || *p == 0x7f)
            *p = '?';
    }
    return ret;
}

int archive_path_refuse(const char *path, const char *why, struct err *err)
{
    char shown[ARCHIVE_SHOWN];

    return err_set(err, ERR_FAILED, "the archive's entry %s %s", archive_path_shown(path, shown), why);
}

static int add_part(const char *path, const char *part, size_t n, struct buf *ret, struct err *err)
{
    char name[PART_MAX + 1];

    if (n == 2 && part[0] == '.' && part[1] == '.')
        return archive_path_refuse(path, "leads out of the archive with \"..\"", err);
    if (n > PART_MAX)
        return archive_path_refuse(path, "has too long a path", err);
    memcpy(name, part, n);
    name[n] = '\0';
    if (policy_name_is_git(name))
        return archive_path_refuse(path, "is named like a repository's own folder", err);
    if (buf_len(ret) + n + 1 > ARCHIVE_PATH_MAX)
        return archive_path_refuse(path, "has too long a path", err);
    return buf_addf(ret, "%s%s", buf_len(ret) > 0 ? "/" : "", name);
}

int archive_path_clean(const char *path, int64_t max_depth, struct buf *ret, struct err *err)
{
    int64_t depth = -1; /* folders around the last part */

    if (path[0] == '/')
        return archive_path_refuse(path, "has an absolute path", err);
    for (const char *p = path; *p != '\0'; p += *p == '/') {
        size_t n = strcspn(p, "/");

        if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (++depth > max_depth)
                return archive_path_refuse(path, "lies deeper than max_depth allows", err);
            if (add_part(path, p, n, ret, err) < 0)
                return -1;
        }
        p += n;
    }
    return 0;
}

void archive_path_quote(const char *path, struct buf *out)
{
    (void) buf_addch(out, '"');
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            (void) buf_addf(out, "\\%c", *p);
        else if ((unsigned char) *p < ' ' || *p == 0x7f)
            (void) buf_addf(out, "\\%03o", (unsigned) (unsigned char) *p);
        else
            (void) buf_addch(out, *p);
    }
    (void) buf_addch(out, '"');
}
