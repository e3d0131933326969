/* main() of a fuzz main that is built without libFuzzer: gives each file that is named, and each
 * file of each folder that is named, to LLVMFuzzerTestOneInput. Words that begin with "-" are
 * libFuzzer's options and mean nothing here. Exit 0 when all were taken; a failure is a crash. */
#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (16 << 20) /* corpora are small; a file of a bomb is not put into them */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int files;

static int replay_file(const char *path)
{
    cleanup_buf struct buf b;
    struct err err = ERR_INIT;
    cleanup_free uint8_t *exact = NULL;

    buf_init(&b, INPUT_MAX);
    if (path_read(path, &b, &err) < 0) {
        (void) fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    /* Exactly as long as the input, so that AddressSanitizer sees a read behind its end. */
    exact = xmemdup(buf_str(&b), buf_len(&b));
    (void) LLVMFuzzerTestOneInput(exact, buf_len(&b));
    files++;
    return 0;
}

static int replay(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    int rc = 0;

    if (d == NULL && errno == ENOTDIR)
        return replay_file(path);
    if (d == NULL) {
        perror(path);
        return -1;
    }
    while (rc == 0 && (e = readdir(d)) != NULL) {
        cleanup_free char *file = NULL;

        if (e->d_name[0] == '.')
            continue;
        file = xasprintf("%s/%s", path, e->d_name);
        rc = replay(file);
    }
    (void) closedir(d);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' && replay(argv[i]) < 0)
            return 1;
    (void) printf("%d inputs\n", files);
    return files != 0 ? 0 : 1;
}
