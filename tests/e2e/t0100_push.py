"""A push goes live: what a developer does all day."""

import harness
from harness import Repo, check, page, has, hello, new_app, new_name, refused, ssh


def test_first_push():
    """a first push creates the app and goes live; its page answers"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    r = check(repo.push())
    has(r, "-----> Building", "v1 is live", "main -> main")
    page(repo.app, "one")
    assert repo.remote_refs()["refs/heads/main"] == repo.head()


def test_fast_forward():
    """a second push replaces the first; the page changes"""
    repo = new_app("one")
    repo.commit("second", hello("two"))
    has(check(repo.push()), "v2 is live")
    page(repo.app, "two")


def test_forced_older():
    """a forced push of an older commit rolls back"""
    repo = new_app("one")
    first = repo.head()
    repo.commit("second", hello("two"))
    check(repo.push())
    has(check(repo.push("--force", "k8s", f"{first}:refs/heads/main")), "v3 is live")
    page(repo.app, "one")
    assert repo.remote_refs()["refs/heads/main"] == first


def test_crashing_app():
    """an app that crashes is refused with its last words; the earlier release stays live"""
    repo = new_app("one")
    first = repo.head()
    repo.commit("crash", {"web.py": "import sys\nprint('KeyError: DATABASE_URL')\nsys.exit(3)\n"})
    r = refused(repo.push(), "v2 failed", "KeyError: DATABASE_URL", "exit 3", "v1", "remote rejected")
    assert "main -> main" in r.all
    page(repo.app, "one")
    assert repo.remote_refs()["refs/heads/main"] == first
    repo.commit("mend", hello("mended"))
    check(repo.push())
    page(repo.app, "mended")


def test_nothing_detected():
    """a tree that no buildpack knows is refused with what to add"""
    repo = Repo(new_name())
    repo.commit("text only", {"notes.txt": "no program here\n"})
    refused(repo.push(), "remote rejected", "no buildpack")
    assert repo.remote_refs() == {}


def test_folder_below():
    """an app in a folder below, and package.json without a lock file: named with what to do, and that works"""
    repo = Repo(new_name())
    repo.commit("both", {f"backend/{name}": text for name, text in hello("backend").items()})
    refused(repo.push(), "no buildpack", "There is backend/Procfile", "git subtree push --prefix=backend REMOTE main")
    assert repo.remote_refs() == {}
    repo.git("subtree", "push", "--prefix=backend", "k8s", "main")
    page(repo.app, "backend")
    repo = Repo(new_name())
    repo.commit("no lock", {"package.json": '{"name": "x"}\n'})
    refused(repo.push(), "There is package.json, and no buildpack of this builder took it")


def test_wrong_branch():
    """a branch that is not deployed is refused, not skipped"""
    repo = new_app("one")
    refused(repo.push("k8s", "main:refs/heads/feature"), f"{repo.app} deploys main")


def test_config_set():
    """config:set makes a release without a build; the value arrives"""
    repo = new_app("one")
    has(check(ssh("config:set", repo.app, "GREETING=good-morning")), "v2")
    page(repo.app, "one good-morning")
    has(check(ssh("rollback", repo.app)), "v3")


harness.main(globals())
