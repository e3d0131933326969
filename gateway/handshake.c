/* From a TCP socket to a request: the server's side of the handshake. */
#include "config.h"

#include "gateway/connection.h"

#include "base/mem.h"
#include "gateway/auth.h"
#include "gateway/handoff.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Names that this libssh does not know are left out by it; the first of each list is preferred. The
 * first key exchange is the hybrid one of newer libraries. */
#define KEX "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org," \
            "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
#define HOST_KEYS "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"
#define CIPHERS "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr"
#define CIPHERS_GCM CIPHERS ",aes256-gcm@openssh.com,aes128-gcm@openssh.com"
/* The two without etm are for clients on libssh2 1.10, which has no others as good. */
#define MACS "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
#define USER_KEYS "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521," \
                  "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256"
#define RSA_BITS_MIN 2048

/* RFC 4253 §9 and RFC 4344 §3.1 ask for new keys about so often. */
#define REKEY_BYTES ((uint64_t) 1 << 30)
#define REKEY_SECONDS (60 * 60u)

/* Of names in the terminfo database. */
#define TERM_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-"

/* Calls of libssh until it has identified itself; the first is enough for the versions that are known. */
#define IDENTIFY_TRIES 10

/* A peer that vanished is noticed while a build is followed: after so long without an acknowledgement. */
#define TCP_DEAD_MS (2 * 60 * 1000)
#define TCP_KEEPALIVE_S 60

/* Before 0.11.5 and 0.12.1 the tag of AES-GCM packets was not always checked (CVE-2026-59847). */
static bool gcm_is_safe(void)
{
    return ssh_version(SSH_VERSION_INT(0, 12, 1)) != NULL ||
           (ssh_version(SSH_VERSION_INT(0, 11, 5)) != NULL && ssh_version(SSH_VERSION_INT(0, 12, 0)) == NULL);
}

static int set_string(ssh_bind b, enum ssh_bind_options_e option, const char *value, struct err *err)
{
    if (ssh_bind_options_set(b, option, value) != SSH_OK)
        return err_set(err, ERR_FAILED, "libssh does not take the setting %s: %s", value, ssh_get_error(b));
    return 0;
}

static int add_host_key(struct connection *c, const char *name, struct err *err)
{
    cleanup_free char *path = conf_state_path(c->conf, "keys/%s", name);
    ssh_key key = NULL;
    int rc = ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &key);

    if (rc != SSH_OK)
        return err_set(err, ERR_FAILED, "the host key %s cannot be read; slipway init makes it", path);
    /* The bind owns the key from here on. */
    if (ssh_bind_options_set(c->bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) != SSH_OK) {
        ssh_key_free(key);
        return err_set(err, ERR_FAILED, "libssh does not take the host key %s: %s", path, ssh_get_error(c->bind));
    }
    return 0;
}

/* --- the callbacks: they note what the peer asks for, nothing else */

static int on_pty(ssh_session ssh, ssh_channel channel, const char *term, int cols, int rows, int px, int py,
                  void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel, (void) px, (void) py;
    if (c->exec != NULL || c->shell)
        return -1;
    c->tty = true;
    if (strlen(term) < sizeof(c->term) && strspn(term, TERM_CHARACTERS) == strlen(term))
        memcpy(c->term, term, strlen(term) + 1);
    c->cols = cols > 0 && cols < 10000 ? cols : 0;
    c->rows = rows > 0 && rows < 10000 ? rows : 0;
    return 0;
}

static int on_resize(ssh_session ssh, ssh_channel channel, int cols, int rows, int px, int py, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel, (void) px, (void) py;
    c->cols = cols > 0 && cols < 10000 ? cols : 0;
    c->rows = rows > 0 && rows < 10000 ? rows : 0;
    c->resized = true;
    return 0;
}

static int on_env(ssh_session ssh, ssh_channel channel, const char *name, const char *value, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel;
    if (strcmp(name, "GIT_PROTOCOL") != 0 || strlen(value) != 9 || memcmp(value, "version=", 8) != 0 ||
        value[8] < '0' || value[8] > '2')
        return -1;
    memcpy(c->git_protocol, value, 10);
    return 0;
}

static int on_exec(ssh_session ssh, ssh_channel channel, const char *line, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel;
    if (c->exec != NULL || c->shell)
        return -1;
    c->exec = xstrdup(line);
    return 0;
}

static int on_shell(ssh_session ssh, ssh_channel channel, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel;
    if (c->exec != NULL || c->shell)
        return -1;
    c->shell = true;
    return 0;
}

static int on_subsystem(ssh_session ssh, ssh_channel channel, const char *name, void *arg)
{
    (void) ssh, (void) channel, (void) name, (void) arg;
    return -1;
}

static void on_eof(ssh_session ssh, ssh_channel channel, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel;
    c->peer_eof = true;
}

static void on_close(ssh_session ssh, ssh_channel channel, void *arg)
{
    struct connection *c = arg;

    (void) ssh, (void) channel;
    c->peer_closed = true;
}

static ssh_channel on_channel(ssh_session ssh, void *arg)
{
    struct connection *c = arg;

    if (c->channel != NULL || !c->auth->done)
        return NULL; /* one channel for each connection */
    c->channel = ssh_channel_new(ssh);
    if (c->channel != NULL)
        ssh_set_channel_callbacks(c->channel, &c->channel_callbacks);
    return c->channel;
}

static int on_none(ssh_session ssh, const char *user, void *arg)
{
    return auth_none(ssh, user, ((struct connection *) arg)->auth);
}

static int on_pubkey(ssh_session ssh, const char *user, ssh_key key, char state, void *arg)
{
    return auth_pubkey(ssh, user, key, state, ((struct connection *) arg)->auth);
}

/* libssh would otherwise look for Kerberos credentials of the host when a client asks for GSSAPI. */
static ssh_string on_gssapi(ssh_session ssh, const char *user, int n, ssh_string *oids, void *arg)
{
    (void) ssh, (void) user, (void) n, (void) oids, (void) arg;
    return NULL;
}

int connection_init(struct connection *c, const struct conf *conf, struct auth *auth, struct err *err)
{
    int no = 0, rsa_bits = RSA_BITS_MIN;

    memset(c, 0, sizeof(*c));
    c->conf = conf;
    c->auth = auth;
    c->bind = ssh_bind_new();
    c->ssh = ssh_new();
    c->event = ssh_event_new();
    if (c->bind == NULL || c->ssh == NULL || c->event == NULL)
        return err_set(err, ERR_FAILED, "libssh cannot start");
    if (ssh_bind_options_set(c->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) != SSH_OK ||
        ssh_bind_options_set(c->bind, SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_bits) != SSH_OK)
        return err_set(err, ERR_FAILED, "libssh does not take a setting: %s", ssh_get_error(c->bind));
    if (set_string(c->bind, SSH_BIND_OPTIONS_BANNER, SSH_SOFTWARE, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, KEX, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, HOST_KEYS, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_CIPHERS_C_S, gcm_is_safe() ? CIPHERS_GCM : CIPHERS, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_CIPHERS_S_C, gcm_is_safe() ? CIPHERS_GCM : CIPHERS, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_HMAC_C_S, MACS, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_HMAC_S_C, MACS, err) < 0 ||
        set_string(c->bind, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, USER_KEYS, err) < 0 ||
        add_host_key(c, "ssh_host_ed25519_key", err) < 0 || add_host_key(c, "ssh_host_rsa_key", err) < 0)
        return -1;

    c->server_callbacks.userdata = c;
    c->server_callbacks.auth_none_function = on_none;
    c->server_callbacks.auth_pubkey_function = on_pubkey;
    c->server_callbacks.channel_open_request_session_function = on_channel;
    c->server_callbacks.gssapi_select_oid_function = on_gssapi;
    ssh_callbacks_init(&c->server_callbacks);
    c->channel_callbacks.userdata = c;
    c->channel_callbacks.channel_pty_request_function = on_pty;
    c->channel_callbacks.channel_pty_window_change_function = on_resize;
    c->channel_callbacks.channel_env_request_function = on_env;
    c->channel_callbacks.channel_exec_request_function = on_exec;
    c->channel_callbacks.channel_shell_request_function = on_shell;
    c->channel_callbacks.channel_subsystem_request_function = on_subsystem;
    c->channel_callbacks.channel_eof_function = on_eof;
    c->channel_callbacks.channel_close_function = on_close;
    ssh_callbacks_init(&c->channel_callbacks);
    return 0;
}

void connection_release(struct connection *c)
{
    if (c->event != NULL && c->ssh != NULL)
        (void) ssh_event_remove_session(c->event, c->ssh);
    if (c->ssh != NULL) {
        ssh_disconnect(c->ssh);
        ssh_free(c->ssh);
    }
    if (c->event != NULL)
        ssh_event_free(c->event);
    if (c->bind != NULL)
        ssh_bind_free(c->bind);
    free(c->exec);
    memset(c, 0, sizeof(*c));
}

static void set_socket(int fd)
{
    int one = 1, dead = TCP_DEAD_MS, idle = TCP_KEEPALIVE_S;

    /* libssh writes each packet on its own: with Nagle's algorithm each round trip of the handshake
     * would wait for a delayed acknowledgement. A socket that is no TCP socket has none of these. */
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
}

/* The listener has sent the identification, since there are clients that wait for it (ssh-keyscan), and libssh cannot
 * be told not to. So libssh writes it into a socket of our own, whose descriptor then becomes the connection's. fd is closed
 * where it went well. */
static int connection_identify(struct connection *c, int fd, struct err *err)
{
    char line[sizeof(SSH_IDENTIFICATION)];
    ssize_t n = -1;
    int pair[2], rc = SSH_AGAIN;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "cannot make a socket pair");
    if (ssh_bind_accept_fd(c->bind, c->ssh, pair[0]) != SSH_OK) {
        (void) close(pair[0]);
        (void) close(pair[1]);
        return err_set(err, ERR_FAILED, "libssh does not take the connection: %s", ssh_get_error(c->bind));
    }
    /* pair[0] is libssh's from here on. */
    ssh_set_server_callbacks(c->ssh, &c->server_callbacks);
    ssh_set_auth_methods(c->ssh, SSH_AUTH_METHOD_PUBLICKEY);
    ssh_set_blocking(c->ssh, 0);
    for (int i = 0; i < IDENTIFY_TRIES && rc == SSH_AGAIN && n < 0; i++) {
        rc = ssh_handle_key_exchange(c->ssh);
        n = recv(pair[1], line, sizeof(line), MSG_DONTWAIT);
    }
    (void) close(pair[1]);
    if (n != SSH_IDENTIFICATION_LEN || memcmp(line, SSH_IDENTIFICATION, SSH_IDENTIFICATION_LEN) != 0)
        return err_set(err, ERR_FAILED, "libssh does not identify itself as it was told to");
    if (dup3(fd, pair[0], O_CLOEXEC) < 0)
        return err_errno(err, "cannot hand the connection to libssh");
    (void) close(fd);
    ssh_set_blocking(c->ssh, 1);
    return 0;
}

int connection_accept(struct connection *c, int fd, struct err *err)
{
    uint64_t bytes = REKEY_BYTES;
    uint32_t seconds = REKEY_SECONDS;

    connection_grant_cpu(c);
    set_socket(fd);
    if (ssh_options_set(c->ssh, SSH_OPTIONS_REKEY_DATA, &bytes) != SSH_OK ||
        ssh_options_set(c->ssh, SSH_OPTIONS_REKEY_TIME, &seconds) != SSH_OK)
        return err_set(err, ERR_FAILED, "libssh does not take a setting: %s", ssh_get_error(c->ssh));
    if (connection_identify(c, fd, err) < 0)
        return -1;
    if (ssh_handle_key_exchange(c->ssh) != SSH_OK)
        return err_set(err, ERR_USAGE, "key exchange failed: %s", ssh_get_error(c->ssh));
    ssh_set_blocking(c->ssh, 0);
    if (ssh_event_add_session(c->event, c->ssh) != SSH_OK)
        return err_set(err, ERR_FAILED, "libssh cannot watch the connection");
    while (c->exec == NULL && !c->shell) {
        if (c->auth->refused)
            return err_set(err, ERR_DENIED, "authentication failed");
        if (connection_turn(c) < 0)
            return err_set(err, ERR_USAGE, "ended before a request was made: %s", c->gone_why);
    }
    return 0;
}
