#include "config.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "sql/store.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_STAT_MAX 4096 /* proc(5): one line; the command's name has at most 64 bytes */

static int boot_read(char *ret, size_t size, struct err *err)
{
    struct buf b;
    size_t n;

    buf_init(&b, 256);
    if (path_read("/proc/sys/kernel/random/boot_id", &b, err) != 0) {
        buf_release(&b);
        return err_wrap(err, "reading the machine's boot id");
    }
    n = strcspn(buf_str(&b), "\n");
    if (n == 0 || n >= size) {
        buf_release(&b);
        return err_set(err, ERR_FAILED, "the machine's boot id has an unexpected form");
    }
    memcpy(ret, buf_str(&b), n);
    ret[n] = '\0';
    buf_release(&b);
    return 0;
}

/* Start time in clock ticks since boot: field 22 of /proc/PID/stat, proc(5). 0 and *ret -1 for a zombie: it
 * holds nothing any more. -1 where the file is not readable. */
static int start_read(int64_t pid, int64_t *ret)
{
    char path[64];
    struct buf b;
    const char *p;
    char state;
    int rc = -1;

    buf_init(&b, PROC_STAT_MAX);
    (void) snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    if (path_read(path, &b, NULL) != 0)
        goto out;
    /* The name stands in parentheses and may hold any byte: fields are counted behind the last one. */
    p = strrchr(buf_str(&b), ')');
    if (p == NULL || p[1] != ' ')
        goto out;
    p += 2;
    state = *p;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (p == NULL)
            goto out;
        p++;
    }
    *ret = state == 'Z' || state == 'X' ? -1 : (int64_t) strtoll(p, NULL, 10);
    rc = 0;
out:
    buf_release(&b);
    return rc;
}

int lease_self(const char *owner, struct lease *ret, struct err *err)
{
    struct lease l = { .pid = getpid() };

    if (strlen(owner) >= sizeof(l.owner))
        return err_set(err, ERR_FAILED, "the lease owner's name is too long");
    memcpy(l.owner, owner, strlen(owner) + 1);
    if (boot_read(l.boot, sizeof(l.boot), err) != 0)
        return -1;
    if (start_read(l.pid, &l.start) != 0)
        return err_set(err, ERR_FAILED, "/proc/self/stat cannot be read");
    *ret = l;
    return 0;
}

bool lease_is_dead(const char *boot, int64_t pid, int64_t start, int64_t expires)
{
    static char this_boot[sizeof(((struct lease *) 0)->boot)];
    int64_t now_start;

    if (expires <= store_now() || boot == NULL || pid <= 0)
        return true;
    if (this_boot[0] == '\0' && boot_read(this_boot, sizeof(this_boot), NULL) != 0)
        return false; /* cannot tell: wait until it expires */
    if (strcmp(boot, this_boot) != 0)
        return true;
    if (kill((pid_t) pid, 0) != 0 && errno == ESRCH)
        return true;
    if (start_read(pid, &now_start) != 0)
        return false; /* hidden from us (hidepid), or just gone: wait until it expires */
    return now_start != start;
}
