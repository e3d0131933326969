/* retain_tool CONFIG HISTORY DIGEST...: each digest is a release of the app "shop" that was live, the last one is live; then
 * images are removed as after a release. Prints a line for each: "there DIGEST" or "gone DIGEST", as the rows say. For
 * tests/unit/publish.py. */
#include "config.h"

#include "base/json.h"
#include "base/mem.h"
#include "deployer/retention.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void show(struct fixture *f, const char *digest)
{
    int64_t id = 0;

    OK(releases_of_digest(f->store, f->shop, digest, &id, &err));
    (void) printf("%s %s\n", id != 0 ? "there" : "gone", digest);
}

int main(int argc, char **argv)
{
    struct fixture *f;
    struct conf conf;
    struct app app;
    void *state;
    int lock;

    if (argc < 4)
        return ERR_USAGE;
    json_init();
    OK(conf_load(&conf, argv[1], &err));
    conf.revision_history = strtoll(argv[2], NULL, 10);
    if (fixture_setup(&state) != 0)
        return ERR_FAILED;
    f = state;
    for (int i = 3; i < argc; i++)
        (void) fixture_live_image(f, f->shop, argv[i]);
    OK(apps_get_id(f->store, f->shop, &app, &err));
    for (int i = 0; i < 2; i++) { /* the second time nothing is said again */
        lock = GOT(images_claim(f->store, f->shop, &err));
        retention_run(&conf, f->store, &app, lock);
        (void) close(lock);
    }
    for (int i = 3; i < argc; i++)
        show(f, argv[i]);
    app_release(&app);
    conf_release(&conf);
    return fixture_teardown(&state);
}
