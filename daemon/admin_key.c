#include "config.h"

#include "daemon/admin_key.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "sql/tables.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int admin_key_read(const char *file, char **ret, struct err *err)
{
    struct err first = ERR_INIT;
    cleanup_buf struct buf text;

    buf_init(&text, ADMIN_KEY_MAX);
    if (strcmp(file, "-") == 0)
        file = "/dev/stdin";
    if (path_read(file, &text, err) < 0)
        return -1;
    for (const char *at = buf_str(&text); *at != '\0';) {
        size_t n = strcspn(at, "\n");

        if (n != 0 && *at != '#' && *at != '\r') {
            cleanup_free char *line = xstrndup(at, n);
            struct key key = { 0 };
            struct err why = ERR_INIT;

            if (key_parse(line, &key, &why) == 0) {
                key_release(&key);
                *ret = steal_ptr(line);
                return 0;
            }
            if (first.code == ERR_NONE)
                first = why;
        }
        at += n + (at[n] != '\0');
    }
    if (first.code != ERR_NONE)
        return err_set(err, ERR_USAGE, "%s: %s", file, first.msg);
    return err_set(err, ERR_USAGE, "%s holds no public key", file);
}

void admin_key_find(char **ret_file, char **ret)
{
    static const char *const names[] = { "authorized_keys", "id_ed25519.pub", "id_ecdsa.pub", "id_ed25519_sk.pub",
                                         "id_ecdsa_sk.pub", "id_rsa.pub" };
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *p = geteuid() == 0 && sudo != NULL ? getpwnam(sudo) : getpwuid(geteuid());

    *ret_file = *ret = NULL;
    for (size_t i = 0; p != NULL && i < countof(names); i++) {
        cleanup_free char *file = xasprintf("%s/.ssh/%s", p->pw_dir, names[i]);

        if (admin_key_read(file, ret, NULL) == 0) {
            *ret_file = steal_ptr(file);
            return;
        }
    }
}
