#include "config.h"

#include "builder/misplaced.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_MAX 1000 /* a tree of very many folders is not searched for a hint */

/* What buildpacks go by. Those of the Procfile's kind stand first: they are enough alone. */
static const char *const marks[] = { "Procfile", "requirements.txt", "pyproject.toml", "package.json", "Gemfile", "go.mod",
                                     "pom.xml", "build.gradle", "composer.json", "Cargo.toml" };

static bool is_file(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void sort(struct vec *v)
{
    if (v->n > 0)
        qsort(v->v, v->n, sizeof(*v->v), compare);
}

/* The folder's files and folders by their names, sorted. */
static void list(int dir, struct vec *files, struct vec *folders)
{
    cleanup_close int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own >= 0 ? fdopendir(own) : NULL;
    const struct dirent *e;
    struct stat st;

    if (d == NULL)
        return;
    (void) steal_fd(own);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            vec_add(files, e->d_name);
        else if (S_ISDIR(st.st_mode) && folders->n < FOLDERS_MAX)
            vec_add(folders, e->d_name);
    }
    (void) closedir(d);
    sort(files);
    sort(folders);
}

static char *other_case(const struct vec *files)
{
    for (size_t m = 0; m < countof(marks); m++) {
        for (size_t i = 0; i < files->n; i++) {
            if (strcasecmp(files->v[i], marks[m]) == 0 && strcmp(files->v[i], marks[m]) != 0)
                return xasprintf("There is %s, but the name must be %s: git mv %s %s", files->v[i], marks[m], files->v[i], marks[m]);
        }
    }
    return NULL;
}

static char *below(int top, const struct vec *folders, const char *branch)
{
    for (size_t i = 0; i < folders->n; i++) {
        cleanup_close int dir = openat(top, folders->v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        for (size_t m = 0; dir >= 0 && m < countof(marks); m++) {
            cleanup_free char *shown = NULL;

            if (!is_file(dir, marks[m]))
                continue;
            shown = text_plain(folders->v[i], 200);
            return xasprintf("There is %s/%s, but a push is built from its top folder; to push that folder alone: git subtree push "
                             "--prefix=%s REMOTE %s", shown, marks[m], shown, branch);
        }
    }
    return NULL;
}

char *misplaced(const char *tree, const char *branch)
{
    cleanup_close int top = open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_vec struct vec files = VEC_INIT, folders = VEC_INIT;
    char *found;

    if (top < 0)
        return NULL;
    list(top, &files, &folders);
    found = other_case(&files);
    for (size_t m = 0; found == NULL && m < countof(marks); m++) {
        if (is_file(top, marks[m]))
            found = xasprintf("There is %s, and no buildpack of this builder took it; perhaps a file beside it is missing, such as "
                              "its lock file", marks[m]);
    }
    return found != NULL ? found : below(top, &folders, branch);
}
