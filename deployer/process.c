#include "config.h"

#include "deployer/process.h"

void process_words(const struct release *r, const char *type, struct vec *ret)
{
    const struct process *p = processes_find(&r->processes, type);

    if (p == NULL || p->command.n == 0) {
        vec_addf(ret, "/cnb/process/%s", type);
        return;
    }
    for (size_t i = 0; i < p->command.n; i++)
        vec_add(ret, p->command.v[i]);
    for (size_t i = 0; i < p->args.n; i++)
        vec_add(ret, p->args.v[i]);
}
