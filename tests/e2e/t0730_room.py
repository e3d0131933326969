#!/usr/bin/env python3
"""What takes space, and its removal."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import sqlite3
import subprocess

import harness
from harness import DEV, ENV, TOP, Repo, Server, check, has, hello, new_name, new_user, page, run, ssh, until

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


def test_destroyed():
    """what an app had in the registry goes with it, but not what its clone was made of"""
    repo = Repo(new_name())
    copy = new_name()
    repo.commit("first", hello("one"))
    check(repo.push())
    repo.commit("second", hello("two"))
    check(repo.push())
    check(ssh("apps:clone", repo.app, copy))
    every = images(repo.app)
    assert len(every) == 2 and all(in_registry(i) for i in every), every
    check(ssh("apps:destroy", repo.app, "--confirm", repo.app))
    assert not any(in_registry(i) for i in every)
    assert [in_registry(i) for i in images(copy)] == [True]
    check(ssh("config:set", copy, "GREETING=copy"))
    page(copy, "two copy")


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


def cache_name(app):
    """The volume of the app's build cache."""
    db = sqlite3.connect(f"file:{harness.STATE}/slipway.db?mode=ro", uri=True)
    number = db.execute("SELECT id FROM apps WHERE name = ?", (app,)).fetchone()[0]
    db.close()
    return (harness.STATE / f"spool/app-{number}.lock").read_text()


def cache_of(app):
    """Whether the engine has it."""
    return run(["docker", "volume", "inspect", cache_name(app)]).code == 0


PYTHON = {"requirements.txt": "# nothing\n"}


def left_by_pack(app):
    """A container with the cache's volume, as the engine makes it for a pack that was ended while it asked for it."""
    check(run(["docker", "create", "--label", "author=pack", "-v", f"{cache_name(app)}:/cache", ENV["BUILDER"], "-"]))


def test_purge_cache():
    """repo:purge-cache: the volume goes, the next build begins from nothing and fills it again"""
    repo = Repo(new_name())
    app = repo.app
    repo.commit("first", {**hello("one"), **PYTHON})
    has(check(repo.push()), "Installing requirements.txt")
    repo.commit("second", hello("two"))
    has(check(repo.push()), "Reusing the packages")
    has(check(ssh("repo:purge-cache", app)), f"Removing the build cache of {app}", "It is removed")
    assert check(ssh("repo:purge-cache", "-a", app, "--json")).json() == {"app": app, "purged": True}
    assert not cache_of(app)
    # Not even the image of an earlier build is used: it may be what the cache was purged for.
    repo.git("commit", "-q", "--amend", "-m", "the same tree")
    r = has(check(repo.push("-f", "k8s", "main")), "Installing requirements.txt")
    assert "Reusing the" not in r.all, repr(r)
    assert cache_of(app)
    repo.commit("third", hello("three"))
    left_by_pack(app)
    has(check(repo.push("-o", "no-cache", "k8s", "main")), "Installing requirements.txt")
    page(app, "three")
    left_by_pack(app)
    has(check(ssh("repo:purge-cache", app)), "It is removed")
    assert not cache_of(app)
    has(check(ssh("audit", app)), "repo:purge-cache")


@contextlib.contextmanager
def building():
    """A new app whose first build is held within pack until b"go on" is sent: its Repo, the push, the socket."""
    repo = Repo(new_name())
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        wait = f"require('net').connect({door.getsockname()[1]}, '127.0.0.1').on('data', () => process.exit(0))"
        package = {"name": "x", "version": "1.0.0", "scripts": {"start": "node server.js", "build": "node wait.js"}}
        repo.commit("first", {
            "package.json": json.dumps(package), "wait.js": wait,
            "package-lock.json": json.dumps({"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
                                             "packages": {"": {"name": "x", "version": "1.0.0"}}}),
            "server.js": "require('http').createServer((q, s) => s.end('built')).listen(process.env.PORT)\n"})
        with concurrent.futures.ThreadPoolExecutor() as pool:
            push = pool.submit(repo.push)
            inside, _ = door.accept()
            with inside:
                yield repo, push, inside


def test_cache_of_destroyed():
    """apps:destroy: the volume of the build cache goes, too, also where a build is just using it"""
    repo = Repo(new_name())
    repo.commit("first", hello("one"))
    check(repo.push())
    assert cache_of(repo.app)
    volume = cache_name(repo.app)
    check(ssh("apps:destroy", repo.app, "--confirm", repo.app))
    until(lambda: run(["docker", "volume", "inspect", volume]).code != 0)
    with building() as (repo, push, inside):
        volume = cache_name(repo.app)
        assert cache_of(repo.app)
        check(ssh("apps:destroy", repo.app, "--confirm", repo.app))
        assert push.result().code != 0
        until(lambda: run(["docker", "volume", "inspect", volume]).code != 0)


def test_purge_while_building():
    """repo:purge-cache while a build of the app runs is refused with what to do, and the build isn't touched"""
    with building() as (repo, push, inside):
        has(check(ssh("repo:purge-cache", repo.app), 5), f"of {repo.app} uses the cache now; try again when it has ended, "
            f"or end it: builds:cancel {repo.app}")
        inside.sendall(b"go on")
        check(push.result())
    page(repo.app, "built")
    check(ssh("repo:purge-cache", repo.app))


def test_gc():
    """repo:gc: one pack, nothing lost; pushes and fetches beside it are not disturbed"""
    repo = Repo(new_name())
    app = repo.app
    assert check(ssh("apps:create", app)).code == 0
    has(check(ssh("repo:gc", app)), "in 0 packs")
    for n in range(3):
        repo.commit(f"number {n}", {**hello(f"number {n}"), f"big{n}": os.urandom(300_000)})
        check(repo.push())
        repo.git("tag", "-a", "-m", "a tag", f"t{n}")
        check(repo.push("k8s", f"t{n}"))
    r = check(ssh("repo:gc", app, "--json"))
    has(r, "Packing what is kept", "Removing what nothing needs")
    answer = r.json()
    assert answer["packs_before"] > 1 and answer["packs"] == 1, answer
    assert answer["app"] == app and 900_000 < answer["bytes"] < answer["bytes_before"], answer
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = []
        for n in range(3, 5):
            repo.commit(f"number {n}", {**hello(f"number {n}"), f"big{n}": os.urandom(300_000)})
            push = pool.submit(repo.push)
            while not push.done():
                r = ssh("repo:gc", app)
                assert r.code in (0, 5), repr(r)
                jobs.append(r.code)
            check(push.result())
        assert 0 in jobs, jobs
    has(check(ssh("repo:gc", "-a", app)), f"The repository of {app} has", "in 1 pack;")
    page(app, "number 4")
    copy = Repo(app)
    copy.git("fetch", "-q", "--tags", "k8s")
    copy.git("reset", "-q", "--hard", "k8s/main")
    copy.git("fsck", "--full", "--strict")
    assert copy.git("log", "--format=%s").out.split("\n")[0] == "number 4"
    assert copy.git("tag").out.split() == ["t0", "t1", "t2"]
    copy.commit("on top", hello("on top"))
    check(copy.push("k8s", "HEAD:main"))


def test_report():
    """storage:report: what an app and the server take, as files, engine and registry have it"""
    repo = Repo(new_name())
    app = repo.app
    repo.commit("first", {**hello("one"), **PYTHON, "big": os.urandom(3_000_000)})
    check(repo.push())
    until(lambda: check(ssh("storage:report", app, "--json")).json()["cache"] > 1_000_000)  # pack saves it after the image
    row = check(ssh("storage:report", app, "--json")).json()
    assert row["app"] == app and 3_000_000 < row["repository"] < 20_000_000, row
    assert row["registry"] > 3_000_000, row
    assert row["images"] > 3_000_000 if DOCKER else row["images"] >= 0, row
    # Another image of the same layers but one: those count once.
    repo.commit("second", {**hello("two"), "big": os.urandom(3_000_000)})
    check(repo.push())
    more = check(ssh("storage:report", "-a", app, "--json")).json()["registry"] - row["registry"]
    assert 3_000_000 < more < 4_500_000, (more, row)
    r = has(check(ssh("storage:report")), "State folder:", "free of", "Repositories:", "Docker engine:", "Build caches:", app)
    everything = check(ssh("storage:report", "--json")).json()
    state, docker = everything["state"], everything["docker"]
    assert state["path"] == str(harness.STATE) and 0 < state["free"] < state["size"], state
    assert state["repositories"] >= row["repository"] and state["logs"] > 0 and state["database"] > 0, state
    assert docker["images"] > 0 and docker["caches"] >= row["cache"] and docker["volumes"] >= docker["caches"], docker
    assert {a["app"] for a in everything["apps"]} >= {app}, r
    guest = new_user(new_name("u"))
    has(check(ssh("storage:report", key=guest), 3), "without an app only admins")
    check(ssh("storage:report", app, key=guest), 4)
    check(ssh("access:grant", app, guest.name.removeprefix("key-"), "view"))
    has(check(ssh("storage:report", app, key=guest)), app)


def test_check_space():
    """slipway check tells what takes space, and that a build has not enough"""
    config = ENV["SLIPWAY_CONFIG"]
    has(check(run([ENV["SLIPWAY_BIN"], "check", "--config", config])), "ok       disk: ", "MiB free of", "; repositories ",
        "ok       docker's disk: ", "build caches ")
    server = Server(build__build_disk="1000G")
    has(run([ENV["SLIPWAY_BIN"], "check", "--config", server.conf]), "missing  disk: ", "and a build needs 1024000 MiB "
        "(build_disk); repositories ", "see what takes space: slipway admin storage:report", "missing  docker's disk: ")


harness.main(globals())
