"""What git can ask for: shallow clones, tags, options, atomic pushes, clones, sizes."""

import os

import harness
from harness import HOST, PORT, TMP, Repo, check, page, has, hello, new_app, new_name, refused, run, ssh


def clone(app, *args, env=None, key=None):
    path = TMP / f"clone-{app}-{len(list(TMP.iterdir()))}"
    e = {"GIT_SSH_COMMAND": " ".join(harness.ssh_argv(key))}
    e.update(env or {})
    r = run(["git", "clone", "-q", *args, f"ssh://git@{HOST}:{PORT}/{app}", str(path)], env=e)
    return r, path


def test_shallow_then_full():
    """a depth-1 clone pushes; then a full clone forces an older commit onto that history"""
    full = Repo(new_name())
    for i in range(5):
        full.commit(f"c{i}", hello(f"v{i}"))
    older = full.head("HEAD~3")
    shallow = TMP / f"shallow-{full.app}"
    run(["git", "clone", "-q", "--depth=1", f"file://{full.path}", str(shallow)])
    ci = Repo(full.app, path=shallow)
    check(ci.push())
    page(full.app, "v4")
    check(full.push("--force", "k8s", f"{older}:refs/heads/main"))
    page(full.app, "v1")
    assert full.remote_refs()["refs/heads/main"] == older
    r, path = clone(full.app)
    check(r)
    assert "v1" in (path / "web.py").read_text()


def test_tag_along():
    """a tag pushed along with the branch is there afterwards"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    repo.git("tag", "-a", "v1.0", "-m", "first release")
    check(repo.push("k8s", "main", "v1.0"))
    assert "refs/tags/v1.0" in repo.remote_refs()


def test_tag_alone():
    """a tag that is pushed alone is kept, and the push says that nothing was deployed, and how it would be"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    repo.git("tag", "-a", "v1.0", "-m", "first release")
    has(check(repo.push("k8s", "v1.0")), "A tag deploys nothing", "git push REMOTE v1.0^{}:refs/heads/main")
    assert list(r for r in repo.remote_refs() if r.startswith("refs/heads/")) == []
    r = check(repo.push("k8s", "v1.0^{}:refs/heads/main"))
    has(r, "v1 is live")
    assert "deploys nothing" not in r.all, repr(r)


def test_two_refs():
    """of two refs the good one goes live and the other is refused by name"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    r = refused(repo.push("k8s", "main", "main:refs/heads/other"), "deploys main")
    has(r, "main -> main", "main -> other")
    page(repo.app, "one")


def test_atomic():
    """--atomic with a ref that is refused changes nothing"""
    repo = new_app("one")
    first = repo.head()
    repo.commit("second", hello("two"))
    refused(repo.push("--atomic", "k8s", "main", "main:refs/heads/other"), "atomic")
    assert repo.remote_refs()["refs/heads/main"] == first
    page(repo.app, "one")


def test_push_options():
    """message, no-cache and detach are understood; another option is refused by name"""
    repo = new_app("one")
    repo.commit("second", hello("two"))
    check(repo.push("-o", "message=from CI", "k8s", "main"))
    repo.commit("third", empty=True)
    has(check(repo.push("-o", "no-cache", "k8s", "main")), "DETECTING")
    repo.commit("fourth", hello("four"))
    refused(repo.push("-o", "colour=red", "k8s", "main"), "colour")
    has(check(repo.push("-o", "detach", "k8s", "main")), "builds:attach")
    check(ssh("builds:attach", repo.app))
    page(repo.app, "four")


def test_porcelain_dry_run_quiet():
    """--porcelain, --dry-run and --quiet behave as git documents them"""
    repo = new_app("one")
    first = repo.head()
    repo.commit("second", hello("two"))
    check(repo.push("--dry-run", "k8s", "main"))
    assert repo.remote_refs()["refs/heads/main"] == first
    r = check(repo.push("--porcelain", "k8s", "main"))
    assert "refs/heads/main:refs/heads/main" in r.out and r.out.strip().endswith("Done"), repr(r)
    repo.commit("third", hello("three"))
    check(repo.push("--quiet", "k8s", "main"))
    page(repo.app, "three")


def test_up_to_date():
    """a push of what is live says so and builds nothing"""
    repo = new_app("one")
    has(check(repo.push()), "Everything up-to-date")
    assert len(check(ssh("builds:list", repo.app, "--json")).json()) == 1


def test_empty_commit_reuses():
    """an empty commit releases the image of the build before, without pack"""
    repo = new_app("one")
    repo.commit("nothing", empty=True)
    r = has(check(repo.push()), "Reusing", "v2 is live")
    assert "DETECTING" not in r.all


def test_clone_v0_v2():
    """a clone gives what is live, by protocol 0 and 2"""
    repo = new_app("one")
    for version in ("0", "2"):
        r, path = clone(repo.app, "-c", f"protocol.version={version}")
        check(r)
        assert run(["git", "rev-parse", "HEAD"], cwd=path).out.strip() == repo.head()


def test_many_files():
    """20,000 files"""
    repo = Repo(new_name())
    repo.commit("many", {**hello("many"), **{f"d{i // 500}/f{i}.txt": f"{i}\n" for i in range(20000)}})
    check(repo.push())
    page(repo.app, "many")


def test_big_history():
    """200 MB of history"""
    repo = Repo(new_name())
    for i in range(10):
        repo.commit(f"big {i}", {**hello("big"), "blob.bin": os.urandom(20 * 1024 * 1024)})
    (repo.path / "blob.bin").unlink()
    repo.commit("small again")
    check(repo.push())
    page(repo.app, "big")


harness.main(globals())
