#include "config.h"

#include "gateway/code_range.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "gateway/cmd.h"
#include "gateway/refs.h"

#include <git2.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 200 /* bytes of a commit's first line and of a name; both are what somebody chose */

/* One line of at most TEXT_MAX bytes, not cut inside a UTF-8 character. */
static char *text_make(const char *s)
{
    size_t n = s != NULL ? strnlen(s, TEXT_MAX + 1) : 0;
    struct buf b;

    if (n > TEXT_MAX) {
        n = TEXT_MAX;
        while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80)
            n--;
    }
    buf_init(&b, 8 * TEXT_MAX);
    (void) text_clean_line(&b, n > 0 ? s : "", n, false);
    if (buf_len(&b) > 0 && buf_str(&b)[buf_len(&b) - 1] == '\n')
        buf_truncate(&b, buf_len(&b) - 1);
    return buf_steal(&b);
}

static int commit_list(git_repository *repo, const git_oid *oid, struct code_commit *ret)
{
    const git_signature *author;
    git_commit *commit;

    if (git_commit_lookup(&commit, repo, oid) < 0)
        return -1;
    author = git_commit_author(commit);
    (void) git_oid_tostr(ret->id, sizeof(ret->id), oid);
    ret->summary = text_make(git_commit_summary(commit));
    ret->author = text_make(author != NULL ? author->name : NULL);
    ret->at = author != NULL ? (int64_t) author->when.time * 1000 : 0;
    git_commit_free(commit);
    return 0;
}

/* Commits that `to` has and `from` has not. -1 where one of them is not in the repository. */
static int side_fill(git_repository *repo, const git_oid *from, const git_oid *to, struct code_side *ret)
{
    git_revwalk *walk = NULL;
    git_oid oid;
    int rc;

    if (git_revwalk_new(&walk, repo) < 0)
        return -1;
    (void) git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
    rc = git_revwalk_push(walk, to) < 0 || git_revwalk_hide(walk, from) < 0 ? -1 : 0;
    while (rc == 0 && ret->all < CODE_COUNTED && (rc = git_revwalk_next(&oid, walk)) == 0) {
        if (ret->n < CODE_LISTED && commit_list(repo, &oid, &ret->v[ret->n]) == 0)
            ret->n++;
        ret->all++;
    }
    git_revwalk_free(walk);
    return rc == 0 || rc == GIT_ITEROVER ? 0 : -1;
}

static void side_release(struct code_side *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].summary);
        free(s->v[i].author);
    }
    s->n = s->all = 0;
}

void code_range_release(struct code_range *r)
{
    side_release(&r->added);
    side_release(&r->removed);
}

static void unknown(struct code_range *r, const char *why)
{
    code_range_release(r);
    r->way = CODE_UNKNOWN;
    r->why = why;
}

static bool has_commit(git_repository *repo, const git_oid *oid)
{
    git_commit *commit;

    if (git_commit_lookup(&commit, repo, oid) < 0)
        return false;
    git_commit_free(commit);
    return true;
}

static void compare(git_repository *repo, const char *from, const char *to, struct code_range *ret)
{
    git_oid a, b;

    if (git_oid_fromstr(&a, from) < 0 || git_oid_fromstr(&b, to) < 0 || !has_commit(repo, &a) || !has_commit(repo, &b)) {
        unknown(ret, "the repository does not keep both commits any more");
        return;
    }
    if (side_fill(repo, &a, &b, &ret->added) < 0 || side_fill(repo, &b, &a, &ret->removed) < 0) {
        unknown(ret, git_repository_is_shallow(repo) ? "the history was cut by a shallow push"
                                                     : "the repository does not have all commits between");
        return;
    }
    ret->way = ret->removed.all == 0 ? CODE_FORWARD : ret->added.all == 0 ? CODE_BACK : CODE_REWRITTEN;
}

void code_range_fill(const struct conf *c, int64_t app_id, const char *from, const char *to, struct code_range *ret)
{
    cleanup_free char *path = refs_path(c, app_id);
    git_repository *repo = NULL;
    struct err err = ERR_INIT;

    memset(ret, 0, sizeof(*ret));
    if (from == NULL && to == NULL)
        return; /* CODE_SAME: none */
    if (from == NULL || to == NULL) {
        unknown(ret, "one of the releases has no commit");
    } else if (strcmp(from, to) != 0) {
        if (!path_exists(path))
            unknown(ret, "the app has no repository yet");
        else if (refs_init(&err) < 0 || refs_open(c, app_id, &repo, &err) < 0)
            unknown(ret, "the repository can't be read");
        else
            compare(repo, from, to, ret);
        git_repository_free(repo);
    }
}

const char *code_way_name(enum code_way way)
{
    static const char *const names[] = {
        [CODE_SAME] = "same", [CODE_FORWARD] = "forward", [CODE_BACK] = "back", [CODE_REWRITTEN] = "rewritten",
        [CODE_UNKNOWN] = "unknown",
    };

    return names[way];
}

static json_t *side_json(const struct code_side *s)
{
    json_t *all = json_array();

    for (size_t i = 0; i < s->n; i++)
        (void) json_array_append_new(all, json_pack("{s:s, s:o, s:o, s:o}", "id", s->v[i].id, "summary",
                                                    show_json_text(s->v[i].summary), "author",
                                                    show_json_text(s->v[i].author), "at", show_json_time(s->v[i].at)));
    return all;
}

static json_t *count_json(const struct code_range *r, const struct code_side *s)
{
    return r->way != CODE_UNKNOWN ? json_integer((json_int_t) s->all) : json_null();
}

json_t *code_range_json(const struct code_range *r)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "direction", code_way_name(r->way), "added", side_json(&r->added),
                     "added_count", count_json(r, &r->added), "removed", side_json(&r->removed), "removed_count",
                     count_json(r, &r->removed));
}

static char *count_text(const struct code_side *s, const char *way)
{
    return xasprintf("%s%zu commit%s %s", s->all == CODE_COUNTED ? "at least " : "", s->all, s->all == 1 ? "" : "s", way);
}

char *code_range_text(const struct code_range *r)
{
    cleanup_free char *forward = count_text(&r->added, "forward"), *back = count_text(&r->removed, "back");

    switch (r->way) {
    case CODE_FORWARD:
        return steal_ptr(forward);
    case CODE_BACK:
        return steal_ptr(back);
    case CODE_REWRITTEN:
        return xasprintf("%s and %s: the history was rewritten", back, forward);
    case CODE_UNKNOWN:
        return xasprintf("commits unknown: %s", r->why);
    default:
        return NULL;
    }
}
