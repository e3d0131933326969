#include "config.h"

#include "builder/image.h"

#include "base/mem.h"
#include "sql/image_label.h"

#include <stdlib.h>
#include <string.h>

#define LABEL "io.buildpacks.build.metadata"
/* Where the lifecycle puts its launcher. */
#define LAUNCHER "/cnb/lifecycle/launcher"

static void add_from_procfile(const struct procfile *f, struct processes *ret, struct vec *warnings)
{
    for (size_t i = 0; i < f->types.n; i++) {
        struct process *x;

        if (!image_process_usable(ret, f->types.v[i], warnings))
            continue;
        x = image_process_add(ret, f->types.v[i], false);
        vec_add(&x->command, LAUNCHER);
        /* "--": bash is started as it is, and not by another shell that would expand VALUE first. */
        vec_addl(&x->args, "--", "bash", "-c", f->commands.v[i], NULL);
    }
}

int image_processes(const json_t *config, const struct procfile *procfile, struct processes *ret,
                    struct vec *warnings, struct err *err)
{
    struct processes p = { NULL, 0 };
    int rc = image_label_processes(config, &p, warnings, err);

    if (rc == 0)
        return err_set(err, ERR_FAILED, "the image has no label " LABEL ": buildpacks did not build it");
    if (rc < 0)
        return -1;
    add_from_procfile(procfile, &p, warnings);
    *ret = p;
    return 0;
}
