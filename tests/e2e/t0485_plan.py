#!/usr/bin/env python3
"""git push -o plan and apps:plan: what a release would change is shown, and nothing moves."""

import configparser
import os
import pathlib
import re
import subprocess

import harness
from harness import ENV, Repo, check, has, hello, new_name, page, refused, ssh, until

KUBERNETES = ENV["SLIPWAY_TARGET"] == "kubernetes"
TWO = "web: exec python3 -u web.py\nclock: exec sleep 1000000\nrelease: expr 6 '*' 7\n"
PLANNED = "planned only: nothing was changed; push without -o plan to release it"

app = new_name()
repo = Repo(app)


def plan(*args, code=1):
    """git push -o plan: refused, and nothing has moved."""
    before = moved()
    r = repo.push("-o", "plan", *(args or ("k8s", "main")))
    assert r.code == code, repr(r)
    assert moved() == before, (before, moved())
    return r


def moved():
    """All that a release would move."""
    running = check(ssh("ps", app, "--json")).json()
    return ({i["id"] for i in running if i["state"] != "stopping"}, check(ssh("releases", app, "--json")).json(),
            repo.remote_refs(), check(ssh("config:keys", app)).out)


def changes(*words):
    """{object: change} of apps:plan."""
    doc = check(ssh("apps:plan", app, "--json", *words)).json()
    return {c["object"]: c for c in doc["changes"]}, doc["config"]


def tool(*argv):
    """kubectl or docker, as somebody beside Slipway would use them."""
    r = subprocess.run(argv, env={**os.environ, **ENV}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert r.returncode == 0, r.stdout
    return r.stdout


def test_nothing_there():
    """an app that does not exist is not made; one without a release has no plan but by a push"""
    repo.commit("first", {**hello("one"), "app.json": '{"env": {"FROM_JSON": "x1y2z3"}, "formation": {"web": {"quantity": 2}}}'})
    refused(repo.push("-o", "plan", "k8s", "main"), "does not exist yet", f"apps:create {app}")
    check(ssh("apps:exists", app), 4)
    check(ssh("apps:create", app))
    has(check(ssh("apps:plan", app), 1), "runs nothing yet", "git push -o plan")


def test_first():
    """a first push: all objects are new, config of app.json by name, nothing is made"""
    r = refused(plan(), PLANNED, "-----> Published", "+     FROM_JSON", "+     instances: 2" if not KUBERNETES else "+     spec.replicas: 2")
    has(r, "+ Deployment web", "+ Namespace ", "+ Service web") if KUBERNETES else has(r, "+ Process web", "+ Route ")
    assert "x1y2z3" not in r.all, r
    assert check(ssh("builds", app, "--json")).json()[0]["state"] == "planned"
    r = has(check(repo.push()), "Reusing the image of build", "web=2", "is live")
    assert "v1" in r.all, r


def test_nothing():
    """nothing would change, also says a push of the same tree"""
    has(check(ssh("apps:plan", app)), "Nothing would change.", "v1 is live")
    assert changes() == ({}, {"added": [], "removed": [], "changed": []})
    repo.commit("empty", empty=True)
    refused(plan(), "Nothing would change.", PLANNED)


def test_changed():
    """a changed line is a changed image, a changed Procfile comes and goes; tags stay, too"""
    repo.commit("two", hello("two", procfile=TWO))
    repo.git("tag", "v-two")
    r = refused(plan("k8s", "main", "v-two"), PLANNED)
    image = "spec.template.spec.containers.app.image" if KUBERNETES else "image"
    has(r, f"-     {image}: ", f"+     {image}: ", "~ Deployment web" if KUBERNETES else "~ Process web")
    assert r.all.count(PLANNED) == 2, r
    has(r, "The release command would run first")
    assert "release: done" not in r.all and "remote:        42 " not in r.err, r
    has(r, "~ Procfile", "+     clock: ")
    if KUBERNETES:
        has(r, "+ Deployment clock", "/cnb/process/clock")
    has(check(repo.push()), "Reusing the image of build", "clock=0", "release: done", "remote:        42 ", "is live")
    has(check(ssh("ps:scale", app, "web=1", "clock=1")), "is live")
    page(app, "two")
    repo.commit("three", hello("three"))
    refused(plan(), "-     clock: ", "- Deployment clock" if KUBERNETES else "- Process clock", PLANNED)
    page(app, "two")


def test_config():
    """config that waits for a release: names, never values"""
    check(ssh("config:set", app, "--no-restart", "SECRET_WORD=hunter2hunter2", "FROM_JSON=opensesame"))
    r = has(check(ssh("apps:plan", app)), "~ config", "+     SECRET_WORD", "~     FROM_JSON: another value")
    assert "hunter2" not in r.all and "opensesame" not in r.all and "aHVudGVy" not in r.all, r
    assert changes()[1] == {"added": ["SECRET_WORD"], "removed": [], "changed": ["FROM_JSON"]}
    refused(plan(), "+     SECRET_WORD")
    check(ssh("config:unset", app, "--no-restart", "SECRET_WORD"))
    check(ssh("config:set", app, "--no-restart", "FROM_JSON=x1y2z3"))
    assert changes() == ({}, {"added": [], "removed": [], "changed": []})


def fields(change):
    return {f["field"]: (f["from"], f["to"]) for f in change["fields"]}


def test_drift():
    """what somebody has done with kubectl or docker is shown, and what a release would make of it"""
    if KUBERNETES:
        doc = check(ssh("releases:info", app, "--json")).json()
        space = next(o.split()[1] for o in doc["objects"] if o.startswith("Namespace "))
        tool("kubectl", "-n", space, "scale", "deployment/web", "--replicas=3")
        tool("kubectl", "-n", space, "delete", "service/web")
        found = changes()[0]
        assert fields(found["Deployment web"])["spec.replicas"] == (3, 1), found
        assert "would fail" in found["Deployment web"]["note"] and "kubectl" in found["Deployment web"]["note"], found
        assert found["Service web"]["change"] == "added", found
        has(check(ssh("apps:plan", app)), "-     spec.replicas: 3", "+     spec.replicas: 1", "+ Service web", " !     the release would fail")
    else:
        ids = tool("docker", "ps", "-q", "--filter", f"label=dev.slipway/app={app}", "--filter", "label=dev.slipway/process=clock").split()
        assert len(ids) == 1, ids
        tool("docker", "update", "--pids-limit", "77", ids[0])
        found = changes()[0]
        assert list(found) == ["Process clock"] and fields(found["Process clock"])["pids_limit"][0] == 77, found
        assert "ps:restart" in found["Process clock"]["note"], found
        check(ssh("ps:restart", app, "clock"))
        until(lambda: changes()[0] == {})


def test_refused():
    """what can't be planned is refused before anything is built"""
    refused(plan("-o", "detach", "k8s", "main"), "leave nobody to see")
    refused(plan("k8s", "v-two"), "-o plan is for a push of main")
    check(ssh("apps:plan", "nosuch"), 4)


def test_down():
    """a target that does not answer: the sentence says so, and the app is as it was"""
    nowhere = harness.TMP / "nowhere"
    if KUBERNETES:
        conf = configparser.RawConfigParser()
        conf.read(ENV["SLIPWAY_CONFIG"])
        real = pathlib.Path(conf.get("kubernetes", "kubeconfig")).read_text()
        nowhere.write_text(re.sub(r"(server: https://)\S+", rf"\g<1>127.0.0.1:{harness.free_port()}", real))
    with harness.Server(**{"kubernetes__kubeconfig" if KUBERNETES else "docker__socket": nowhere}):
        other = Repo(new_name())
        other.commit("first", hello("one"))
        check(ssh("apps:create", other.app))
        refused(other.push("-o", "plan", "k8s", "main"), "it could not be planned: ", "; nothing was changed")
        assert check(ssh("releases", other.app, "--json")).json() == [] and other.remote_refs() == {}
        check(ssh("apps:plan", other.app), 1)


if __name__ == "__main__":
    harness.main(globals())
