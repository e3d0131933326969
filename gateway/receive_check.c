#include "config.h"

#include "gateway/receive.h"

#include "base/mem.h"

#include <string.h>

#define BRANCH_SHOWN_MAX 80 /* twice in the reason, which is one line of git's */

static void check_options(struct receive *r)
{
    struct push *p = &r->push;

    for (size_t i = 0; i < p->options.n; i++) {
        char *o = p->options.v[i];
        char shown[64];

        if (strcmp(o, "no-cache") == 0) {
            r->no_cache = true;
        } else if (strcmp(o, "detach") == 0) {
            r->detach = true;
        } else if (strcmp(o, "plan") == 0) {
            r->plan = true;
        } else if (strncmp(o, "message=", 8) == 0) {
            r->message = o + 8;
        } else {
            (void) snprintf(shown, sizeof(shown), "%s", o);
            push_refuse_all(p, "push option \"%s\" is not known; known are message=TEXT, no-cache, detach, plan", shown);
        }
    }
}

static bool is_duplicate(const struct push *p, size_t at)
{
    for (size_t i = 0; i < p->n_refs; i++) {
        if (i != at && strcmp(p->refs[i].name, p->refs[at].name) == 0)
            return true;
    }
    return false;
}

static void check_old(struct receive *r, struct push_ref *ref)
{
    const char *there = advert_find(&r->advert, &r->app, ref->name);

    /* Where it was not advertised the client knows nothing of it. */
    if (strcmp(there != NULL ? there : OID_ZERO, ref->old) != 0)
        push_refuse(ref, "it is at %.7s now; fetch first", there != NULL ? there : "nothing");
}

static void check_ref(struct receive *r, struct push_ref *ref)
{
    const struct app *a = &r->app;
    bool deletes = oid_is_zero(ref->new);
    const char *branch;

    if (git_reference_is_valid_name(ref->name) != 1 || strncmp(ref->name, "refs/", 5) != 0) {
        push_refuse(ref, "git forbids a ref of this name");
        return;
    }
    if (strncmp(ref->name, "refs/heads/", 11) == 0) {
        branch = ref->name + 11;
        if (strcmp(branch, a->deploy_branch) != 0 && (deletes || strlen(branch) > BRANCH_SHOWN_MAX))
            push_refuse(ref, "%s deploys %s; nothing was deployed", a->name, a->deploy_branch);
        else if (strcmp(branch, a->deploy_branch) != 0)
            push_refuse(ref, "%s deploys %s; nothing was deployed; to deploy this one: git push REMOTE %s:%s", a->name,
                        a->deploy_branch, branch, a->deploy_branch);
        else if (deletes)
            push_refuse(ref, "%s is what runs and cannot be deleted; to remove the app: apps:destroy %s", branch,
                        a->name);
        else
            check_old(r, ref);
        r->deploy = strcmp(branch, a->deploy_branch) == 0 ? ref : r->deploy;
    } else if (strncmp(ref->name, "refs/tags/", 10) == 0) {
        if (deletes && oid_is_zero(ref->old))
            push_refuse(ref, "it is not there");
        else
            check_old(r, ref);
    } else {
        push_refuse(ref, "%s takes its deploy branch %s, and tags", a->name, a->deploy_branch);
    }
}

void receive_check(struct receive *r)
{
    struct push *p = &r->push;

    check_options(r);
    for (size_t i = 0; i < p->n_refs; i++) {
        if (is_duplicate(p, i))
            push_refuse(&p->refs[i], "it stands more than once in this push");
        check_ref(r, &p->refs[i]);
    }
    if (r->plan)
        receive_plan_check(r);
    if (p->atomic && push_any_refused(p))
        push_refuse_all(p, "atomic push failed");
}
