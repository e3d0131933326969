#include "config.h"

#include "builder/image.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LABEL "io.buildpacks.build.metadata"
/* Where the lifecycle puts its launcher and a link to it for each process type. */
#define LAUNCHER "/cnb/lifecycle/launcher"
#define PROCESS_FOLDER "/cnb/process/"

static struct process *add(struct processes *p, const char *type, bool is_default)
{
    struct process *x;

    p->v = xrealloc_n(p->v, p->n + 1, sizeof(*p->v));
    x = &p->v[p->n++];
    *x = (struct process) { .type = xstrdup(type), .is_default = is_default };
    return x;
}

static bool usable(const struct processes *p, const char *type, struct vec *warnings)
{
    struct err why = ERR_INIT;

    if (processes_find(p, type) != NULL)
        return false;
    if (p->n >= PROCESSES_MAX) {
        vec_addf(warnings, "The image has more than %d process types; %.63s was left out", PROCESSES_MAX,
                 type);
        return false;
    }
    if (process_name_check(type, &why) != 0) {
        vec_addf(warnings, "The process type \"%.63s\" was left out: %s", type, why.msg);
        return false;
    }
    return true;
}

static void add_from_label(const json_t *config, const json_t *metadata, struct processes *ret,
                           struct vec *warnings)
{
    const char *entry = json_string_value(json_array_get(json_at(config, "config.Entrypoint"), 0));
    json_t *p;
    size_t i;

    json_array_foreach(json_object_get(metadata, "processes"), i, p) {
        const char *type = json_str(p, "type", "");
        bool is_default = json_bool(p, "default", 0);
        struct process *x;

        if (!usable(ret, type, warnings))
            continue;
        if (entry != NULL && strncmp(entry, PROCESS_FOLDER, sizeof(PROCESS_FOLDER) - 1) == 0)
            is_default = strcmp(entry + sizeof(PROCESS_FOLDER) - 1, type) == 0;
        x = add(ret, type, is_default);
        vec_addf(&x->command, PROCESS_FOLDER "%s", type);
    }
}

static void add_from_procfile(const struct procfile *f, struct processes *ret, struct vec *warnings)
{
    for (size_t i = 0; i < f->types.n; i++) {
        struct process *x;

        if (!usable(ret, f->types.v[i], warnings))
            continue;
        x = add(ret, f->types.v[i], false);
        vec_add(&x->command, LAUNCHER);
        /* "--": bash is started as it is, and not by another shell that would expand VALUE first. */
        vec_addl(&x->args, "--", "bash", "-c", f->commands.v[i], NULL);
    }
}

int image_processes(const json_t *config, const struct procfile *procfile, struct processes *ret,
                    struct vec *warnings, struct err *err)
{
    /* Not json_at: the label's name has dots in it. */
    const char *label = json_string_value(json_object_get(json_at(config, "config.Labels"), LABEL));
    struct processes p = { NULL, 0 };
    json_t *metadata;

    if (label == NULL)
        return err_set(err, ERR_FAILED, "the image has no label " LABEL ": buildpacks did not build it");
    metadata = json_parse(label, strlen(label), "the label " LABEL " of the image", err);
    if (metadata == NULL)
        return -1;
    add_from_label(config, metadata, &p, warnings);
    json_decref(metadata);
    add_from_procfile(procfile, &p, warnings);
    *ret = p;
    return 0;
}
