/* publish_tool CONFIG APP SOURCE_IMAGE DIGEST VERSION [IMAGE_FILE]: publishes as a release does. Prints the lines that a pusher
 * sees, then "image NAME" or "error TEXT"; the exit code is the error's. For tests/unit/publish.py. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/publish.h"

static void say(void *arg, const char *line)
{
    (void) arg;
    (void) puts(line);
}

int main(int argc, char **argv)
{
    struct conf conf;
    struct err err = ERR_INIT;
    struct target_call call = { .say = say, .wake_fd = -1 };
    cleanup_free char *image = NULL;
    int rc;

    if (argc != 6 && argc != 7)
        return ERR_USAGE;
    json_init();
    if (conf_load(&conf, argv[1], &err) < 0) {
        (void) printf("error %s\n", err.msg);
        return ERR_USAGE;
    }
    rc = publish_image(&(struct publish){ .conf = &conf, .app = argv[2], .source_image = argv[3], .digest = argv[4],
                                          .version = strtoll(argv[5], NULL, 10), .call = &call,
                                          .image_file = argc == 7 ? argv[6] : NULL }, &image, &err);
    if (rc == 0)
        (void) printf("image %s\n", image);
    else
        (void) printf("error %s\n", err.msg);
    conf_release(&conf);
    return rc == 0 ? 0 : (int) err.code;
}
