/* Users, keys, apps, access, audit, inventory. */
#include "config.h"

#include "base/mem.h"
#include "tests/unit/sql_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char key_line[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC73Zra08QV7GeKy+k7XfVbq7Zabshvif+0VQiHiwpH1 test@laptop";

static void test_users(void **state)
{
    struct fixture *f = *state;
    struct user u, *v = NULL;
    size_t n = 0;

    OK(users_get(f->store, "anna", &u, &err));
    assert_true(u.admin);
    assert_int_equal(u.id, f->anna);
    user_release(&u);
    OK(users_get_id(f->store, f->bert, &u, &err));
    assert_string_equal(u.name, "bert");
    assert_false(u.admin);
    user_release(&u);
    REFUSED(ERR_FAILED, "exists already", users_add(f->store, "anna", false, false, NULL, &err));
    REFUSED(ERR_USAGE, "user name", users_add(f->store, "x y", false, false, NULL, &err));
    REFUSED(ERR_NOT_FOUND, "no user", users_get(f->store, "x", &u, &err));
    REFUSED(ERR_FAILED, "last admin", users_remove(f->store, "anna", &err));
    REFUSED(ERR_FAILED, "owns shop", users_remove(f->store, "bert", &err));
    OK(users_add(f->store, "carl", true, false, NULL, &err));
    OK(users_remove(f->store, "anna", &err));
    OK(users_list(f->store, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(v[0].name, "bert");
    while (n > 0)
        user_release(&v[--n]);
    free(v);
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct key k, found, other, *v = NULL;
    size_t n = 0;

    OK(keys_add(f->store, f->bert, NULL, key_line, &k, &err));
    assert_string_equal(k.name, "test@laptop");
    assert_string_equal(k.user_name, "bert");
    assert_string_equal(k.fingerprint, "SHA256:Zwu7wVmMW3VqX8ubn+WU4FsR7pdzeuDcFKAHGHoepFc");
    REFUSED(ERR_FAILED, "there already", keys_add(f->store, f->bert, "other", key_line, NULL, &err));
    REFUSED(ERR_FAILED, "another user", keys_add(f->store, f->anna, NULL, key_line, NULL, &err));
    REFUSED(ERR_USAGE, "64 characters", keys_add(f->store, f->bert, "", key_line, NULL, &err));
    REFUSED(ERR_USAGE, "control", keys_add(f->store, f->bert, "a\033b", key_line, NULL, &err));
    OK(keys_find(f->store, k.blob, k.blob_len, &found, &err));
    assert_int_equal(found.id, k.id);
    assert_int_equal(found.last_used_at, 0);
    other = found;
    OK(keys_still(f->store, &k, &err));
    OK(keys_used(f->store, k.id, &err));
    OK(keys_list(f->store, f->bert, &v, &n, &err));
    assert_int_equal(n, 1);
    assert_true(v[0].last_used_at > 0);
    key_release(&v[0]);
    free(v);
    REFUSED(ERR_NOT_FOUND, "no key", keys_remove(f->store, f->anna, "test@laptop", &err));
    OK(keys_remove(f->store, f->bert, k.fingerprint, &err));
    REFUSED(ERR_DENIED, "removed meanwhile", keys_still(f->store, &k, &err));
    REFUSED(ERR_NOT_FOUND, "not known", keys_find(f->store, k.blob, k.blob_len, &found, &err));
    key_release(&k);
    OK(keys_add(f->store, f->anna, NULL, key_line, NULL, &err));
    REFUSED(ERR_DENIED, "something else", keys_still(f->store, &other, &err));
    OK(keys_remove(f->store, f->anna, "test@laptop", &err));
    key_release(&other);
    OK(keys_add(f->store, f->bert, "laptop", key_line, NULL, &err));
    OK(keys_list(f->store, 0, &v, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(v[0].name, "laptop");
    key_release(&v[0]);
    free(v);
}

static void test_apps(void **state)
{
    struct fixture *f = *state;
    struct app a, *v = NULL;
    struct build_new b = { .app_id = f->shop, .user = "x", .branch = "main", .commit = "c", .tree = "t" };
    int64_t id = 0, old;
    size_t n = 0;

    OK(apps_get(f->store, "shop", &a, &err));
    assert_string_equal(a.owner, "bert");
    assert_null(a.lock_reason);
    assert_int_equal(a.live_release_id, 0);
    assert_string_equal(a.on_disconnect, "continue");
    app_release(&a);
    REFUSED(ERR_FAILED, "taken", apps_create(f->store, "shop", "main", f->anna, NULL, &err));
    REFUSED(ERR_USAGE, "small letters", apps_create(f->store, "s.x", "main", f->anna, NULL, &err));
    OK(apps_create(f->store, "blog", "trunk", f->anna, &a, &err));
    old = a.id;
    app_release(&a);
    OK(apps_list(f->store, 0, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(v[0].name, "blog");
    while (n > 0)
        app_release(&v[--n]);
    free(v);
    OK(apps_list(f->store, f->bert, &v, &n, &err));
    assert_int_equal(n, 1);
    app_release(&v[0]);
    free(v);
    OK(apps_lock(f->store, f->shop, "release day", "anna", &err));
    REFUSED(ERR_BUSY, "locked by anna: release day", builds_queue(f->store, &b, &id, &err));
    OK(apps_lock(f->store, f->shop, NULL, "anna", &err));
    OK(builds_queue(f->store, &b, &id, &err));
    OK(apps_destroy(f->store, old, &err));
    REFUSED(ERR_BUSY, "being destroyed", apps_create(f->store, "blog", "main", f->anna, NULL, &err));
    OK(apps_deleting(f->store, &v, &n, &err));
    assert_int_equal(n, 1);
    app_release(&v[0]);
    free(v);
    OK(apps_delete(f->store, old, &err));
    OK(apps_create(f->store, "blog", "main", f->anna, &a, &err));
    assert_true(a.id > old); /* never given out twice */
    app_release(&a);
}

static void test_destroy_with_work(void **state)
{
    struct fixture *f = *state;
    int64_t live = fixture_live(f, f->shop), queued, n = 0;
    struct errand e;
    struct build b;

    OK(live > 0 ? 0 : -1);
    queued = fixture_queue(f, f->shop);
    assert_int_equal(builds_lease(f->store, &f->me, &b, NULL), 1);
    build_release(&b);
    (void) fixture_queue(f, f->shop);
    OK(apps_destroy(f->store, f->shop, &err));
    OK(builds_get(f->store, queued + 1, &b, &err));
    assert_int_equal(b.state, BUILD_CANCELED);
    assert_string_equal(b.reason, "the app is being destroyed");
    build_release(&b);
    REFUSED(ERR_BUSY, "not stopped", apps_delete(f->store, f->shop, &err));
    OK(builds_failed(f->store, &f->me, queued, true, 0, "stopped", &err));
    OK(apps_delete(f->store, f->shop, &err));
    /* The builder is asked to remove what it holds of apps that are gone. */
    assert_int_equal(GOT(errands_next(f->store, 0, &e, &err)), 1);
    assert_int_equal(e.kind, ERRAND_PURGE_CACHE);
    assert_int_equal(e.app_id, 0);
    errand_release(&e);
    assert_int_equal(store_int(f->store, &n, NULL, "SELECT (SELECT count(*) FROM builds) + "
                               "(SELECT count(*) FROM releases) + (SELECT count(*) FROM access)", ""), 1);
    assert_int_equal(n, 0);
}

static void test_access(void **state)
{
    struct fixture *f = *state;
    struct user anna, bert, carl;
    struct access_row *v = NULL;
    enum role r = ROLE_NONE;
    struct app a;
    size_t n = 0;

    OK(users_add(f->store, "carl", false, false, NULL, &err));
    OK(users_get(f->store, "anna", &anna, &err));
    OK(users_get(f->store, "bert", &bert, &err));
    OK(users_get(f->store, "carl", &carl, &err));
    OK(access_role(f->store, &anna, f->shop, &r, &err));
    assert_int_equal(r, ROLE_OWN);
    OK(access_role(f->store, &carl, f->shop, &r, &err));
    assert_int_equal(r, ROLE_NONE);
    /* Who was an admin when the connection began, and is none any more, or is no user. */
    OK(users_set(f->store, "carl", true, true, &err));
    OK(users_set(f->store, "anna", false, false, &err));
    OK(access_role(f->store, &anna, f->shop, &r, &err));
    assert_int_equal(r, ROLE_NONE);
    OK(access_role(f->store, &carl, f->shop, &r, &err));
    assert_int_equal(r, ROLE_OWN);
    OK(users_remove(f->store, "anna", &err));
    OK(access_role(f->store, &anna, f->shop, &r, &err));
    assert_int_equal(r, ROLE_NONE);
    OK(users_add(f->store, "dora", true, true, NULL, &err));
    OK(users_set(f->store, "carl", false, false, &err));
    OK(access_grant(f->store, f->shop, carl.id, ROLE_DEPLOY, &err));
    OK(access_grant(f->store, f->shop, carl.id, ROLE_VIEW, &err));
    OK(access_role(f->store, &carl, f->shop, &r, &err));
    assert_int_equal(r, ROLE_VIEW);
    REFUSED(ERR_FAILED, "owner", access_grant(f->store, f->shop, bert.id, ROLE_VIEW, &err));
    REFUSED(ERR_FAILED, "owner", access_revoke(f->store, f->shop, bert.id, &err));
    OK(access_list(f->store, f->shop, false, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(v[1].who, "carl");
    access_rows_free(v, n);
    OK(access_owner(f->store, f->shop, carl.id, &err));
    OK(apps_get(f->store, "shop", &a, &err));
    assert_string_equal(a.owner, "carl");
    app_release(&a);
    OK(access_revoke(f->store, f->shop, bert.id, &err));
    REFUSED(ERR_NOT_FOUND, "no access", access_revoke(f->store, f->shop, bert.id, &err));
    OK(users_remove(f->store, "bert", &err));
    user_release(&anna);
    user_release(&bert);
    user_release(&carl);
}

static void test_audit(void **state)
{
    struct fixture *f = *state;
    struct audit_row a = { .user = (char *) "anna", .fingerprint = (char *) "local", .address = (char *) "local",
                           .app = (char *) "shop", .verb = (char *) "config:set", .detail = (char *) "A B" }, *v = NULL;
    struct app shop;
    size_t n = 0;

    OK(apps_get_id(f->store, f->shop, &shop, &err));
    OK(audit_add(f->store, &a, &err));
    a.app = (char *) "";
    a.result = 3;
    OK(audit_add(f->store, &a, &err));
    OK(audit_list(f->store, NULL, 10, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(v[0].result, 3);
    while (n > 0)
        audit_row_release(&v[--n]);
    free(v);
    /* The app's, whatever it is called; and what somebody tried with its name who has no role in it. */
    a = (struct audit_row) { .app_id = f->shop, .user = a.user, .fingerprint = a.fingerprint, .address = a.address,
                             .app = (char *) "former", .verb = a.verb, .detail = (char *) "C" };
    OK(audit_add(f->store, &a, &err));
    a.app_id = f->shop + 1;
    a.app = (char *) "shop";
    OK(audit_add(f->store, &a, &err));
    OK(audit_list(f->store, &shop, 10, &v, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(v[0].detail, "C");
    assert_string_equal(v[1].detail, "A B");
    while (n > 0)
        audit_row_release(&v[--n]);
    free(v);
    app_release(&shop);
}

static void test_inventory(void **state)
{
    struct fixture *f = *state;
    struct inventory_item i = { (char *) "v1", (char *) "Secret", (char *) "shop", (char *) "config-1", (char *) "u1",
                                fixture_live(f, f->shop) };
    struct inventory_item *v = NULL;
    size_t n = 0;

    OK(inventory_put(f->store, f->shop, &i, &err));
    i.uid = (char *) "u2";
    i.release_id = fixture_live(f, f->shop);
    OK(inventory_put(f->store, f->shop, &i, &err));
    OK(inventory_list(f->store, f->shop, "", &v, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(v[0].uid, "u2");
    assert_int_equal(v[0].release_id, i.release_id);
    inventory_item_release(&v[0]);
    free(v);
    OK(inventory_drop(f->store, f->shop, &i, &err));
    OK(inventory_list(f->store, f->shop, "", &v, &n, &err));
    assert_int_equal(n, 0);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_keys, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_apps, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_destroy_with_work, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_access, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_audit, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_inventory, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
