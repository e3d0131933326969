#include "config.h"

#include "sql/image_label.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LABEL "io.buildpacks.build.metadata"
/* Where the lifecycle puts a link to its launcher for each process type. */
#define PROCESS_FOLDER "/cnb/process/"

struct process *image_process_add(struct processes *p, const char *type, bool is_default)
{
    struct process *x;

    p->v = xrealloc_n(p->v, p->n + 1, sizeof(*p->v));
    x = &p->v[p->n++];
    *x = (struct process) { .type = xstrdup(type), .is_default = is_default };
    return x;
}

bool image_process_usable(const struct processes *p, const char *type, struct vec *warnings)
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

        if (!image_process_usable(ret, type, warnings))
            continue;
        if (entry != NULL && strncmp(entry, PROCESS_FOLDER, sizeof(PROCESS_FOLDER) - 1) == 0)
            is_default = strcmp(entry + sizeof(PROCESS_FOLDER) - 1, type) == 0;
        x = image_process_add(ret, type, is_default);
        vec_addf(&x->command, PROCESS_FOLDER "%s", type);
    }
}

int image_label_processes(const json_t *config, struct processes *ret, struct vec *warnings, struct err *err)
{
    /* Not json_at: the label's name has dots in it. */
    const char *label = json_string_value(json_object_get(json_at(config, "config.Labels"), LABEL));
    json_t *metadata;

    if (label == NULL)
        return 0;
    metadata = json_parse(label, strlen(label), "the label " LABEL " of the image", err);
    if (metadata == NULL)
        return -1;
    add_from_label(config, metadata, ret, warnings);
    json_decref(metadata);
    return 1;
}

static void add_words(const json_t *words, struct vec *to)
{
    const json_t *w;
    size_t i;

    json_array_foreach(words, i, w)
        if (json_is_string(w))
            vec_add(to, json_string_value(w));
}

int image_any_processes(const json_t *config, struct processes *ret, struct vec *warnings, struct err *err)
{
    struct processes p = { NULL, 0 };
    int rc = image_label_processes(config, &p, warnings, err);

    if (rc == 0) {
        struct process *web = image_process_add(&p, "web", true);

        add_words(json_at(config, "config.Entrypoint"), &web->command);
        add_words(json_at(config, "config.Cmd"), web->command.n > 0 ? &web->args : &web->command);
        if (web->command.n == 0)
            rc = err_set(err, ERR_FAILED, "the image says no command: it has neither Entrypoint nor Cmd");
    }
    if (rc < 0) {
        processes_release(&p);
        return -1;
    }
    *ret = p;
    return 0;
}
