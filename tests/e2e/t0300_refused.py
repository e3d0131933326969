"""What is refused: its sentence, a non-zero exit, and nothing changed."""

import harness
from harness import Repo, Server, check, page, has, hello, new_app, new_name, new_user, refused, ssh, until
from kill import push_until


def unchanged(repo, text="one"):
    page(repo.app, text)


def test_delete_branch():
    """the deploy branch is not deleted"""
    repo = new_app("one")
    refused(repo.push("k8s", ":main"), "remote rejected")
    unchanged(repo)


def test_unknown_app_for_plain_user():
    """an app that is not there, and one that is another's, look the same"""
    key = new_user(new_name("u"))
    theirs = new_app("one")
    seen = []
    for name in (new_name(), theirs.app):
        repo = Repo(name, key=key)
        repo.commit("first", hello("one"))
        r = repo.push()
        assert r.code != 0 and "not found" in r.all, repr(r)
        seen.append(r.all.replace(name, "APP"))
    assert seen[0] == seen[1], seen
    assert ssh("apps:info", theirs.app, key=key).code == 4


def test_deploy_needs_role():
    """view is not enough to push; deploy is"""
    name = new_name("u")
    key = new_user(name)
    repo = new_app("one")
    check(ssh("access:grant", repo.app, name, "view"))
    other = Repo(repo.app, key=key, path=repo.path)
    other.commit("second", hello("two"))
    other.git("remote", "set-url", "k8s", f"ssh://git@{harness.HOST}:{harness.PORT}/{repo.app}")
    r = other.push()
    assert r.code != 0, repr(r)
    has(r, "deploy")
    unchanged(repo)
    check(ssh("access:grant", repo.app, name, "deploy"))
    check(other.push())
    unchanged(repo, "two")


def test_locked():
    """a locked app says who locked it and why"""
    repo = new_app("one")
    check(ssh("apps:lock", repo.app, "migration"))
    repo.commit("second", hello("two"))
    r = repo.push()
    assert r.code != 0, repr(r)
    has(r, "locked", "migration")
    check(ssh("apps:unlock", repo.app))
    check(repo.push())


def test_failing_buildpack():
    """a failing buildpack: its output and the reason"""
    repo = Repo(new_name())
    repo.commit("bad", {"requirements.txt": "this-package-is-not-there-0x7f==9.9.9\n",
                        "Procfile": "web: python3 web.py\n"})
    refused(repo.push(), "buildpack failed", "this-package-is-not-there")
    assert repo.remote_refs() == {}


def test_no_process():
    """an app whose image names no process is told so, at the push and by ps"""
    repo = Repo(new_name())
    repo.commit("first", {"Procfile": "release: echo migrated\n"})
    has(check(repo.push()), "The image names no process", "add a Procfile", "v1 is live")
    # The release command's instance may still be ending.
    has(until(lambda: (r := check(ssh("ps", repo.app))) and "release.1" not in r.all and r),
        f"No process of {repo.app} runs; counts by type: ps:report {repo.app}")


def test_slip_in_procfile():
    """a misspelt name in the Procfile: the push says what ends and what will not run, and which name to check"""
    repo = Repo(new_name())
    repo.commit("slip", hello("one", procfile="wbe: exec python3 -u web.py\n"))
    has(check(repo.push()), "Nothing of it will run", "no web, but: wbe", f"ps:scale {repo.app} wbe=1")
    repo.commit("mended", hello("one"))
    assert "Nothing of it" not in check(repo.push()).all
    page(repo.app, "one")
    repo.commit("slip again", {"Procfile": "wbe: exec python3 -u web.py\n"})
    has(check(repo.push()), "web ran in v2, and the image has no process of that name", "check the name in the Procfile")


def test_server_that_stops():
    """a push into a server that is stopping hears so while its releases end; the next start takes one"""
    with Server() as server:
        repo = new_app("one")
        repo.commit("slow", hello("two", procfile="release: echo migrating; sleep 8\nweb: exec python3 -u web.py\n"))
        p, reader = push_until(repo, "  migrating")  # not the line of the Procfile
        server.process.terminate()
        until(lambda: (harness.STATE / "run/draining").exists())
        other = Repo(new_name())
        other.commit("first", hello("other"))
        r = other.push()
        assert r.code == 128, repr(r)
        has(r, "the server is stopping; push again in a moment")
        has(check(ssh("apps:list")), repo.app)
        has(check(ssh("ps", repo.app), 5), "the server is stopping")
        assert p.wait(60) == 0
        reader.join()
        assert server.process.wait(60) == 0
        server.start()
        page(repo.app, "two")
        check(other.push())


def test_submodule_and_lfs():
    """submodules and LFS pointers are named"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    oid = repo.head()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{oid},vendor/lib")
    repo.git("commit", "-q", "-m", "submodule")
    refused(repo.push(), "submodule", "vendor/lib")
    repo.git("rm", "-q", "--cached", "vendor/lib")
    repo.commit("lfs", {"big.psd": "version https://git-lfs.github.com/spec/v1\n"
                                   f"oid sha256:{'a' * 64}\nsize 12345\n"})
    refused(repo.push(), "LFS", "big.psd")
    assert repo.remote_refs() == {}


def test_escaping_symlink():
    """a symlink that leaves the tree is named"""
    repo = Repo(new_name())
    repo.write(hello("one"))
    (repo.path / "link").symlink_to("../../etc/passwd")
    repo.commit("link")
    refused(repo.push(), "link")
    assert repo.remote_refs() == {}


def test_bad_app_names():
    """names that are not DNS labels are told why"""
    for name in ("Shop", "9lives", "a_b", "a" * 31, "-x", "x-", "a.b"):
        r = ssh("apps:create", "--", name) if name.startswith("-") else ssh("apps:create", name)
        assert r.code == 2, (name, r)


def test_unknown_command():
    """an unknown command names the nearest one"""
    r = ssh("apps:lst")
    assert r.code == 2, repr(r)
    has(r, "apps:list")


harness.main(globals())
