/* The process that holds a pod's namespaces: waits until it is told to end, and buries the orphans
 * of pods that share their process namespace. Static, without a library, the only file of its image.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle_end(int number)
{
    (void)number;
    _exit(0);
}

static void handle_child(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

int main(void)
{
    struct sigaction end = {.sa_handler = handle_end};
    struct sigaction child = {.sa_handler = handle_child, .sa_flags = SA_NOCLDSTOP | SA_RESTART};

    if (sigaction(SIGTERM, &end, NULL) != 0 || sigaction(SIGINT, &end, NULL) != 0 ||
        sigaction(SIGCHLD, &child, NULL) != 0)
        return 1;
    for (;;)
        pause();
}
