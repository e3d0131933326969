/* The program of the selftest's pods, static and alone in its image.
 *
 *     testserver              serves "hello from HOSTNAME" on port 8080 and logs each request
 *     testserver exit N       ends with N
 *     testserver fetch NAME PORT
 *                             looks NAME up as resolv.conf says, asks it for / and prints the answer
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVE_PORT 8080
/* A request or an answer here is a few lines. */
#define MESSAGE_MAX 4096

static void handle_end(int number)
{
    (void)number;
    _exit(0);
}

static int serve(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(SERVE_PORT)};
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char host[64] = "";

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, SOMAXCONN) != 0 || gethostname(host, sizeof host - 1) != 0) {
        perror("testserver");
        return 1;
    }
    printf("listening on %d\n", SERVE_PORT);
    for (;;) {
        char request[MESSAGE_MAX];
        char answer[MESSAGE_MAX];
        int peer = accept(listener, NULL, NULL);
        ssize_t size;
        int length;

        if (peer < 0)
            continue;
        size = read(peer, request, sizeof request - 1);
        if (size > 0) {
            request[size] = '\0';
            request[strcspn(request, "\r\n")] = '\0';
            printf("%s\n", request);
            length = snprintf(answer, sizeof answer,
                              "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello from %s\n",
                              host);
            if (write(peer, answer, (size_t)length) != length)
                perror("testserver: write");
        }
        close(peer);
    }
}

/* Looks up NAME's first IPv4 address by DNS alone: a static program has no other way. */
static int resolve(const char *name, struct in_addr *ret_address)
{
    unsigned char reply[NS_MAXMSG];
    ns_msg message;
    ns_rr record;
    int size = res_search(name, C_IN, T_A, reply, sizeof reply);

    if (size < 0 || ns_initparse(reply, size, &message) != 0)
        return -1;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        if (ns_parserr(&message, ns_s_an, i, &record) == 0 && ns_rr_type(record) == T_A &&
            ns_rr_rdlen(record) == sizeof *ret_address) {
            memcpy(ret_address, ns_rr_rdata(record), sizeof *ret_address);
            return 0;
        }
    }
    return -1;
}

static int fetch(const char *name, const char *port)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)strtoul(port, NULL, 10))};
    char answer[MESSAGE_MAX];
    ssize_t size;
    int peer;

    if (resolve(name, &address.sin_addr) != 0) {
        fprintf(stderr, "testserver: %s has no address\n", name);
        return 2;
    }
    peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer < 0 || connect(peer, (struct sockaddr *)&address, sizeof address) != 0 ||
        write(peer, request, sizeof request - 1) != sizeof request - 1) {
        perror("testserver: fetch");
        return 3;
    }
    while ((size = read(peer, answer, sizeof answer)) > 0)
        fwrite(answer, 1, (size_t)size, stdout);
    close(peer);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, handle_end);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 1)
        return serve();
    if (argc == 3 && strcmp(argv[1], "exit") == 0)
        return (int)strtol(argv[2], NULL, 10);
    if (argc == 4 && strcmp(argv[1], "fetch") == 0)
        return fetch(argv[2], argv[3]);
    fprintf(stderr, "Usage: testserver [exit N | fetch NAME PORT]\n");
    return 64;
}
