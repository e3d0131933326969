#!/usr/bin/env python3
"""What takes space, and its removal."""

import http.client
import os
import subprocess

import harness
from harness import DEV, ENV, TOP, Repo, Server, check, has, hello, new_name, page, run, ssh, until

DOCKER = ENV["SLIPWAY_TARGET"] == "docker"


def images(app):
    """The images of the app's releases, newest first, each once: "localhost:5000/apps/shop@sha256:…"."""
    found = [r["image"] for r in check(ssh("releases", app, "-n", "100", "--json")).json()]
    return list(dict.fromkeys(found))


def in_registry(image):
    name, _, digest = image.partition("@")
    host, _, repository = name.partition("/")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("HEAD", f"/v2/{repository}/manifests/{digest}", headers={
        "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"})
    status = connection.getresponse().status
    assert status in (200, 404), status
    return status == 200


def on_engine(app_images):
    """Those that the Docker engine has."""
    name = app_images[0].partition("@")[0]
    r = run(["docker", "images", "--digests", "--format", "{{.Repository}}@{{.Digest}}", name])
    return set(check(r).out.split())


def only(app, wanted):
    """Of all images that the app had, exactly these are left."""
    every = images(app)
    until(lambda: [i for i in every if in_registry(i)] == wanted)
    if DOCKER:
        until(lambda: on_engine(every) <= set(wanted), seconds=120)
        assert every[0] in on_engine(every)  # what is live
    return every


def test_retention():
    """images beyond revision_history go; a rollback within works, one beyond is refused before anything happens"""
    with Server(release__revision_history="1"):
        repo = Repo(new_name())
        app = repo.app
        first = repo.commit("first", hello("one"))
        check(repo.push())
        repo.commit("second", hello("two"))
        check(repo.push())
        check(ssh("config:set", app, "GREETING=hi"))   # v3 has v2's image
        repo.commit("third", hello("three"))
        check(repo.push())
        every = images(app)
        assert len(every) == 3, every
        only(app, every[:2])
        page(app, "three hi")
        kept = {r["version"]: r["image_kept"] for r in check(ssh("releases", app, "--json")).json()}
        assert kept == {1: False, 2: True, 3: True, 4: True}, kept
        has(check(ssh("releases:info", app, "v1")), "It isn't kept any more")
        has(check(ssh("rollback", app, "v1"), 1), "v1's image isn't kept any more (revision_history); push its commit "
            f"{first[:7]} again")
        page(app, "three hi")
        has(check(ssh("rollback", app, "v2")), "v5")
        page(app, "two")
        only(app, images(app)[:2])
        has(check(ssh("rollback", app, "v4")), "v6")
        page(app, "three hi")
        # The commit is pushed again: it is built, and may well be the same image.
        check(repo.push("-f", "k8s", f"{first}:main"))
        page(app, "one hi")
        newest = images(app)[0]
        until(lambda: in_registry(newest))
        has(check(ssh("rollback", app)), "done, v8")
        page(app, "three hi")
        check(ssh("ps:restart", app))


def test_failed_release():
    """A release that failed takes no other's place, and can be retried until another is live"""
    with Server(release__revision_history="1"):
        repo = Repo(new_name())
        app = repo.app
        repo.commit("first", hello("one"))
        check(repo.push())
        repo.commit("second", hello("two"))
        check(repo.push())
        repo.commit("bad", hello("bad", "web: exec python3 -u web.py\nrelease: test -n \"$READY\"\n"))
        assert repo.push().code != 0
        bad = images(app)[0]
        assert in_registry(bad)
        # A change of config has another release in between, and changes nothing for the one that failed.
        has(check(ssh("rollback", app, "v1")), "v4")
        page(app, "one")
        has(check(ssh("rollback", app, "v2")), "v5")
        page(app, "two")
        repo.commit("third", hello("three"))
        check(repo.push())
        page(app, "three")
        until(lambda: not in_registry(bad))
        assert in_registry(images(app)[0])


def test_clone():
    """A clone has an image of its own: what its origin needs no more takes nothing from it"""
    with Server(release__revision_history="0"):
        repo = Repo(new_name())
        copy = new_name()
        repo.commit("first", hello("one"))
        check(repo.push())
        check(ssh("apps:clone", repo.app, copy))
        repo.commit("second", hello("two"))
        check(repo.push())
        only(repo.app, images(repo.app)[:1])
        assert [in_registry(i) for i in images(copy)] == [True]
        check(ssh("config:set", copy, "GREETING=copy"))
        page(copy, "one copy")
        page(repo.app, "two")


def test_check():
    """slipway check tells of a registry that deletes nothing"""
    registry = [TOP / "stack/registry", "up", "--name", "keeps", "--port", "0", "--no-delete"]
    env = {**os.environ, "SLIPWAY_DEV": str(DEV)}
    subprocess.run(registry, env=env, check=True, stdout=subprocess.DEVNULL)
    try:
        port = (DEV / "stack/registry/keeps/port").read_text().strip()
        server = Server(registry__host=f"localhost:{port}/apps")
        r = check(run([ENV["SLIPWAY_BIN"], "check", "--config", server.conf]))
        has(r, f"ok       registry: localhost:{port}/apps (plain HTTP); it deletes nothing, so images of old releases stay")
    finally:
        subprocess.run([TOP / "stack/registry", "down", "--name", "keeps"], env=env, check=True, stdout=subprocess.DEVNULL)
    r = check(run([ENV["SLIPWAY_BIN"], "check", "--config", ENV["SLIPWAY_CONFIG"]]))
    assert "deletes nothing" not in r.all, repr(r)


harness.main(globals())
