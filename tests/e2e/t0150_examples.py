"""The examples of this repository, as a developer would push them."""

import harness
from harness import Repo, check, has, new_name, page, refused, ssh


def example(name):
    repo = Repo(new_name(name[0]))
    repo.copy(name)
    repo.commit(f"the {name} example", {"about.txt": harness.unique})
    return repo


def test_flask():
    """Flask with gunicorn, a release command and a worker"""
    repo = example("flask")
    has(check(repo.push()), "release", "is live")
    check(ssh("config:set", repo.app, "GREETING=Moin"))
    page(repo.app, "Moin")
    has(check(ssh("ps:scale", repo.app, "worker=1")), "worker")
    rows = check(ssh("ps", repo.app, "--json")).json()
    assert sorted(r["process"] for r in rows if r["state"] == "running") == ["web", "worker"], rows


def test_node():
    """Node with a lock file"""
    repo = example("node")
    check(repo.push())
    page(repo.app, "Hello")


def test_static():
    """a static site"""
    repo = example("static")
    check(repo.push())
    assert "<html" in page(repo.app, "").lower()


def test_five_phases():
    """a builder that is not trusted builds in five phases"""
    with harness.Server(build__trust_builder="no"):
        repo = Repo(new_name())
        repo.commit("first", harness.hello("five"))
        has(check(repo.push()), "is live")
        page(repo.app, "five")


def test_build_config():
    """build config reaches the build only, run config the app only; neither is shown"""
    repo = Repo(new_name())
    check(ssh("apps:create", repo.app))
    check(ssh("config:set", repo.app, "--build", "TOKEN=build-secret-4711"))
    check(ssh("config:set", repo.app, "GREETING=run-only"))
    # The procfile buildpack's shell has no word in this; pip shows an index that it cannot reach.
    check(ssh("config:set", repo.app, "--build", "PIP_INDEX_URL=http://build-secret-4711.invalid/simple"))
    repo.commit("first", {"requirements.txt": "flask\n", "Procfile": "web: python web.py\n"})
    r = refused(repo.push(), "buildpack failed")
    assert "build-secret-4711" not in r.all, repr(r)


harness.main(globals())
