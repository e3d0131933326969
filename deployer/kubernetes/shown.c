#include "config.h"

#include "deployer/kubernetes/shown.h"

#include "base/json.h"
#include "deployer/kubernetes/manifest.h"

/* Written by the server, or by controllers and kubectl; or different in each release. The commit is the pusher's own. */
static const char *const meta_dropped[] = {
    "managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink", NULL,
};
/* What names the object is said in front of it. */
static const char *const head_dropped[] = { "apiVersion", "kind", "status", NULL };
static const char *const names_dropped[] = { "name", "namespace", NULL };
static const char *const notes_dropped[] = {
    ANNOTATION_RELEASE, ANNOTATION_RELEASE_ID, ANNOTATION_BUILD, ANNOTATION_COMMIT, ANNOTATION_TEMPLATE,
    "deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration", NULL,
};

static void members_drop(json_t *o, const char *const *names)
{
    for (; *names != NULL; names++)
        (void) json_object_del(o, *names);
}

/* Of metadata; one without any counts as none. */
static void notes_drop(json_t *meta)
{
    json_t *notes = json_object_get(meta, "annotations");

    members_drop(notes, notes_dropped);
    if (json_is_object(notes) && json_object_size(notes) == 0)
        (void) json_object_del(meta, "annotations");
}

json_t *object_shown(const json_t *live)
{
    json_t *o = json_deep_copy(live), *meta = json_object_get(o, "metadata");

    members_drop(o, head_dropped);
    members_drop(meta, meta_dropped);
    members_drop(meta, names_dropped);
    notes_drop(meta);
    notes_drop(json_at(o, "spec.template.metadata"));
    notes_drop(json_at(o, "spec.jobTemplate.metadata"));
    notes_drop(json_at(o, "spec.jobTemplate.spec.template.metadata"));
    return o;
}

void object_hide_values(json_t *before, json_t *after)
{
    json_t *a = json_object_get(before, "data"), *b = json_object_get(after, "data"), *v, *other;
    const char *name;
    void *next;

    json_object_foreach_safe(a, next, name, v) {
        other = json_object_get(b, name);
        if (other != NULL)
            (void) json_object_set_new(b, name, json_string(json_equal(v, other) ? "(hidden)" : "(another value)"));
        (void) json_object_set_new(a, name, json_string("(hidden)"));
    }
    json_object_foreach_safe(b, next, name, v)
        if (json_object_get(a, name) == NULL)
            (void) json_object_set_new(b, name, json_string("(hidden)"));
}
