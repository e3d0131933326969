/* Which state may follow which. The rows change through these tables only. */
#include "config.h"

#include "base/mem.h"
#include "sql/model.h"

#include <string.h>

static const char *const build_names[] = {
    [BUILD_QUEUED] = "queued",       [BUILD_BUILDING] = "building", [BUILD_BUILT] = "built",
    [BUILD_RELEASING] = "releasing", [BUILD_LIVE] = "live",         [BUILD_FAILED] = "failed",
    [BUILD_CANCELED] = "canceled",   [BUILD_PLANNED] = "planned",
};

static const char *const release_names[] = {
    [RELEASE_PENDING] = "pending",       [RELEASE_RELEASING] = "releasing", [RELEASE_LIVE] = "live",
    [RELEASE_SUPERSEDED] = "superseded", [RELEASE_FAILED] = "failed",
    [RELEASE_CANCELED] = "canceled",
};

const struct state_change build_changes[] = {
    { BUILD_QUEUED, BUILD_BUILDING, "a worker leases it" },
    { BUILD_QUEUED, BUILD_CANCELED, "canceled before it began" },
    { BUILD_BUILDING, BUILD_BUILDING, "leased again after its worker died" },
    { BUILD_BUILDING, BUILD_QUEUED, "handed back by a server that stops" },
    { BUILD_BUILDING, BUILD_BUILT, "the image is published; its release is made" },
    { BUILD_BUILDING, BUILD_FAILED, "the build failed" },
    { BUILD_BUILDING, BUILD_CANCELED, "canceled while it ran, or only planned with" },
    { BUILD_BUILT, BUILD_RELEASING, "its release began" },
    { BUILD_BUILT, BUILD_FAILED, "its release failed before it began" },
    { BUILD_BUILT, BUILD_CANCELED, "its release was canceled before it began" },
    { BUILD_RELEASING, BUILD_BUILT, "its release was handed back" },
    { BUILD_RELEASING, BUILD_LIVE, "its release is live" },
    { BUILD_RELEASING, BUILD_FAILED, "its release failed" },
    { BUILD_RELEASING, BUILD_CANCELED, "its release was canceled" },
    { -1, -1, NULL },
};

const struct state_change release_changes[] = {
    { RELEASE_PENDING, RELEASE_RELEASING, "a worker leases it" },
    { RELEASE_PENDING, RELEASE_FAILED, "what it is made from is gone" },
    { RELEASE_PENDING, RELEASE_CANCELED, "canceled before it began" },
    { RELEASE_RELEASING, RELEASE_RELEASING, "leased again after its worker died" },
    { RELEASE_RELEASING, RELEASE_PENDING, "handed back by a server that stops" },
    { RELEASE_RELEASING, RELEASE_LIVE, "all its instances serve" },
    { RELEASE_RELEASING, RELEASE_FAILED, "a step failed; the last live release was put back" },
    { RELEASE_RELEASING, RELEASE_CANCELED, "canceled; the last live release was put back" },
    { RELEASE_LIVE, RELEASE_SUPERSEDED, "another release is live" },
    { -1, -1, NULL },
};

static bool change_known(const struct state_change *t, int from, int to)
{
    for (; t->why != NULL; t++) {
        if (t->from == from && t->to == to)
            return true;
    }
    return false;
}

const char *build_state_name(enum build_state s)
{
    return (size_t) s < countof(build_names) ? build_names[s] : "unknown";
}

bool build_state_ended(enum build_state s)
{
    return s == BUILD_LIVE || s == BUILD_FAILED || s == BUILD_CANCELED || s == BUILD_PLANNED;
}

int build_state_parse(const char *name, enum build_state *ret, struct err *err)
{
    for (size_t i = 0; i < countof(build_names); i++) {
        if (strcmp(name, build_names[i]) == 0) {
            *ret = (enum build_state) i;
            return 0;
        }
    }
    return err_set(err, ERR_FAILED, "a build has a state that this program does not know");
}

bool build_state_may(enum build_state from, enum build_state to)
{
    return change_known(build_changes, (int) from, (int) to);
}

const char *release_state_name(enum release_state s)
{
    return (size_t) s < countof(release_names) ? release_names[s] : "unknown";
}

bool release_state_ended(enum release_state s)
{
    return s != RELEASE_PENDING && s != RELEASE_RELEASING;
}

int release_state_parse(const char *name, enum release_state *ret, struct err *err)
{
    for (size_t i = 0; i < countof(release_names); i++) {
        if (strcmp(name, release_names[i]) == 0) {
            *ret = (enum release_state) i;
            return 0;
        }
    }
    return err_set(err, ERR_FAILED, "a release has a state that this program does not know");
}

bool release_state_may(enum release_state from, enum release_state to)
{
    return change_known(release_changes, (int) from, (int) to);
}
