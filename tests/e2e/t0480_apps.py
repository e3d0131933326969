#!/usr/bin/env python3
"""The app as a whole: what a release consists of and how two differ, what takes space, rollback by digest."""

import os
import pathlib
import subprocess
import urllib.request

import harness
from harness import ENV, TOP, check, has, hello, new_app, page, ssh, until

KINDS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def test_release():
    """releases:info and releases:diff name the objects in the target and what differs"""
    repo = new_app("whole")
    repo.commit("second", {"more.txt": "more\n"})
    check(repo.push())
    has(check(ssh("config:set", repo.app, "A=1")), "done, v3")
    info = check(ssh("releases:info", "-a", repo.app, "v2", "--json")).json()
    assert info["commit"] == repo.head() and info["digest"].startswith("sha256:"), info
    assert info["config_changed"] == [] and info["objects"], info
    took = info["durations_ms"]
    assert took["total"] >= took["rollout"] >= 0 and took["apply"] >= 0 and took["build"] > 0, took
    has(check(ssh("releases:info", repo.app)), "since v2: +A", "Objects:")
    diff = check(ssh("releases:diff", repo.app, "v1", "v3", "--json")).json()
    changed = {o["object"]: o["fields"] for o in diff["objects"] if o["change"] == "changed"}
    assert any("image" in f.lower() for fields in changed.values() for f in fields), diff
    assert diff["config"]["added"] == ["A"] and diff["digest"]["from"] != diff["digest"]["to"], diff
    has(check(ssh("releases:diff", repo.app, "v1")), "..", "+A", "Objects:")


def manifest(method, image, reference, data=None, kind=KINDS):
    """A request for a manifest of the image's repository, to the registry itself."""
    host, _, path = image.partition("@")[0].partition("/")
    q = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{reference}", data,
                               {"Accept": KINDS, "Content-Type": kind}, method=method)
    with urllib.request.urlopen(q, timeout=30) as r:
        return r.read(), r.headers


def node_forgets(image, lost=False):
    """The node, or the engine, has the image no more; lost: nor does it get it from the registry, which may still know
    a manifest for a moment after its deletion."""
    if ENV["SLIPWAY_TARGET"] == "kubernetes":
        script = '. "$1/stack/kubernetes/lib.sh" && node_ctr images rm --sync "$2"'
        argv = ["bash", "-c", script, "sh", str(TOP), image]
        env = {"SLIPWAY_DEV": str(pathlib.Path(ENV["KUBECONFIG"]).parent)}
    else:
        # By its id: so all its names go. Containers of the release before are first served to their end.
        script = ('if id=$(docker image inspect -f "{{.Id}}" "$1"); then docker image rm -f "$id"; exit 1; fi; '
                  '[ -z "$2" ] || ! docker pull -q "$1"')
        argv, env = ["bash", "-c", script, "sh", image, "lost" if lost else ""], {}
    until(lambda: subprocess.run(argv, env={**os.environ, **ENV, **env}, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, check=False).returncode == 0)


def release(app, version):
    return check(ssh("releases:info", app, version, "--json")).json()


def test_rollback_by_digest():
    """rollback is exact without tags, and without a manifest where the image is still there; else it says why not"""
    repo = new_app("one")
    app = repo.app
    repo.commit("second", hello("two"))
    check(repo.push())
    one, two = release(app, "v1"), release(app, "v2")
    # All tags are of the second image now, and who has the first one asks the registry for it anew.
    body, headers = manifest("GET", two["image"], two["digest"])
    tags = ["latest", "v1", "v2", *(f"b{b['id']}" for b in check(ssh("builds:list", app, "--json")).json())]
    for tag in tags:
        manifest("PUT", one["image"], tag, body, headers["Content-Type"])
    node_forgets(one["image"])
    r = has(check(ssh("rollback", app, "v1")), "v1... done, v3")
    assert "Building" not in r.all and release(app, "v3")["digest"] == one["digest"], r
    page(app, "one")
    # Without a manifest there is nothing to pull; who still has the image needs none.
    manifest("DELETE", two["image"], two["digest"])
    has(check(ssh("rollback", app, "v2")), "v2... done, v4")
    page(app, "two")
    check(ssh("rollback", app, "v1"))
    page(app, "one")
    node_forgets(two["image"], lost=True)
    has(check(ssh("rollback", app, "v2"), 1), "v6 failed", "image", two["digest"], "v5 is still live")
    page(app, "one")


harness.main(globals())
