#!/usr/bin/env python3
"""An app as one thing: apps:rename, apps:clone, apps:export, apps:apply, apps:import."""

import errno
import json
import pathlib
import threading
import urllib.error

import harness
from harness import Repo, check, get, has, hello, new_app, new_name, new_user, page, ssh, url

CLUSTER = harness.ENV["SLIPWAY_TARGET"] == "kubernetes"
RESET = "reset"

repo = None


def instances(app):
    """What runs, but for what a release has just ended, by ids that a new container or pod would not have."""
    return sorted((i["name"], i["started_at"]) for i in check(ssh("ps", app, "--json")).json()
                  if i["state"] != "stopping")


def status(address):
    while True:
        try:
            get(address, 0)
            return 200
        except urllib.error.HTTPError as e:
            return e.code
        except OSError as e:
            if e.errno == errno.ECONNRESET:
                return RESET
            if e.errno != errno.EADDRINUSE:  # the port that it was to come from
                return str(e)


def test_rename():
    """a live app gets another name: nothing is started anew, each request is answered, the name can be taken by another"""
    global repo
    repo = new_app("first")
    old, new = repo.app, new_name()
    page(old, "first")
    before, address = instances(old), url(old)
    has(check(ssh("apps:rename", old, "Not-a-name"), 2), "Not-a-name")
    has(check(ssh("apps:rename", old, old), 1), f"the app is named {old} already")
    answers, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answers.append(status(address))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        renamed = check(ssh("apps:rename", old, new, "--json")).json()
    finally:
        done.set()
        asker.join()
    assert (renamed["name"], renamed["former_name"], renamed["release"]) == (new, old, 2), renamed
    assert renamed["former_url"] == address and renamed["git_url"].endswith(f"/{new}"), renamed
    assert instances(new) == before, (before, instances(new))
    page(new, "first")
    if CLUSTER and renamed["url"] == address:
        assert set(answers) == {200}, answers
    else:
        # The old address is no app's from the switch on, and not before. On Docker the router takes a new configuration
        # then and closes the socket that it listened on with the former one: the kernel resets a connection that waits
        # there to be accepted, unless net.ipv4.tcp_migrate_req gives it to the new socket.
        first = answers.index(404) if 404 in answers else len(answers)
        last = max((i + 1 for i, a in enumerate(answers[:first]) if a == 200), default=0)
        assert set(answers[:last]) <= {200} and set(answers[first:]) <= {404}, answers
        assert set(answers[last:first]) <= (set() if CLUSTER else {RESET}), answers
        assert old not in renamed["url"] and new in renamed["url"] and status(address) == 404
    check(ssh("apps:info", old), 4)
    has(check(ssh("audit", new)), "apps:rename", old)
    repo.git("remote", "set-url", "k8s", renamed["git_url"])
    repo.app = new
    repo.commit("second", hello("second"))
    check(repo.push())
    page(new, "second")
    has(check(ssh("run", new, "echo", "here")), "here")
    has(check(ssh("logs", new)), "listening")
    # Another app of the old name is another app, with objects and images of its own.
    other = Repo(old)
    other.commit("other", hello("other"))
    check(other.push())
    page(old, "other")
    page(new, "second")
    assert [r["version"] for r in check(ssh("releases", old, "--json")).json()] == [1]
    has(check(ssh("apps:rename", new, old), 1), f"the name {old} is taken")
    check(ssh("apps:destroy", old, "--confirm", old))
    page(new, "second")
    has(check(ssh("rollback", new, "v1")), "v4")
    page(new, "first")


def test_clone():
    """a clone runs the same image with the same config, as an app of its own; its build scope arrives in its builds"""
    shop, copy = repo.app, new_name()
    check(ssh("config:set", "--build", "--no-restart", shop, "BUILD_ONLY=from-shop"))
    has(check(ssh("config:set", shop, "GREETING=from-shop")), "done, v5")
    made = check(ssh("apps:clone", shop, copy, "--json")).json()
    assert (made["name"], made["from"], made["release"]) == (copy, shop, 1), made
    page(copy, "first from-shop")
    there, here = (check(ssh("releases", app, "--json")).json()[0] for app in (shop, copy))
    assert there["digest"] == here["digest"] and there["image"] != here["image"], (there, here)
    assert here["commit"] is None and here["description"] == f"clone of {shop} v5", here
    keys = check(ssh("config:list", copy, "--json")).json()
    assert {k["name"]: k["scopes"] for k in keys} == {"GREETING": ["run"], "BUILD_ONLY": ["build"]}, keys
    has(check(ssh("config:set", copy, "GREETING=its-own")), "done, v2")
    page(copy, "first its-own")
    page(shop, "first from-shop")
    # What the builder has sealed anew opens in a build.
    clone = Repo(copy)
    clone.commit("own", hello("own"))
    check(clone.push())
    page(copy, "own its-own")
    empty = new_name()
    has(check(ssh("apps:clone", shop, empty, "--skip-deploy")), "nothing is released yet")
    assert check(ssh("releases", empty, "--json")).json() == []
    has(check(ssh("apps:clone", shop, copy), 1), f"the name {copy} is taken")


def test_document():
    """a document of a live app: applied as it is nothing is done; changed, a plan and one release; imported, another app"""
    app = repo.app
    document = check(ssh("apps:export", app)).json()
    assert document["name"] == app and "@sha256:" in document["image"] and "from-shop" not in json.dumps(document), document
    has(check(ssh("apps:apply", app, stdin=json.dumps(document).encode())), "Nothing to do")
    version = check(ssh("releases", app, "--json")).json()[0]["version"]
    document["config"]["GREETING"]["value"] = "applied \u00e4 \"1\""
    document["formation"] = {"web": 2}
    document["config"]["ADDED"] = {"value": "added"}
    changed = json.dumps(document).encode()
    plan = check(ssh("apps:apply", app, "--plan", "--json", stdin=changed)).json()
    assert [c["key"] for c in plan["changes"]] == ["formation.web", "config.GREETING", "config.ADDED"], plan
    assert plan["releases"] and plan["release"] is None and plan["plan"], plan
    assert check(ssh("apps:export", app)).json()["formation"] != {"web": 2}
    has(check(ssh("apps:apply", app, stdin=changed)), "+ config.ADDED", f"done, v{version + 1}")
    page(app, 'first applied \u00e4 "1"')
    has(check(ssh("apps:apply", app, stdin=changed)), "Nothing to do")
    assert check(ssh("releases", app, "--json")).json()[0]["version"] == version + 1
    assert check(ssh("releases", app, "--json")).json()[0]["formation"] == {"web": 2}
    has(check(ssh("apps:apply", app, stdin=changed[:-1]), 2), "line 1")
    has(check(ssh("apps:apply", app, stdin=changed.replace(b'"web": 2', b'"web": -2')), 2), "formation.web")
    # An app made of it: with values for all variables its image is released, and another's image needs a role there.
    new = new_name()
    document["name"] = new
    document["config"]["BUILD_ONLY"]["value"] = "build"
    stranger = new_user(new_name("u"), "--create")
    has(check(ssh("apps:import", key=stranger, stdin=json.dumps(document).encode()), 4), "no image of an app")
    check(ssh("apps:info", new), 4)
    has(check(ssh("apps:import", stdin=json.dumps(document).encode())), f"Creating {new}", "done, v1")
    page(new, 'first applied \u00e4 "1"')
    again = check(ssh("apps:export", new)).json()
    assert {k: again[k] for k in ("config", "formation")} == {
        "config": {k: {"scopes": v.get("scopes", ["run"])} for k, v in document["config"].items()}, "formation": {"web": 2}}, again


def test_sealed():
    """the values go along sealed to a key; who has its other half opens them and makes the same app elsewhere"""
    app, new, key = repo.app, new_name(), pathlib.Path(harness.TMP, new_name("key"))
    unseal = [harness.ENV["SLIPWAY_BIN"], "unseal"]
    public = check(harness.run([*unseal, "--new-key", key])).out.strip()
    assert key.stat().st_mode & 0o777 == 0o600 and public not in key.read_text()
    check(harness.run([*unseal, "--new-key", key]), 1)
    exported = check(ssh("apps:export", app, "--with-config", public))
    has(exported, "without a value in the document: BUILD_ONLY")
    assert "applied" not in exported.out, exported
    has(check(ssh("apps:import", new, stdin=exported.raw), 2), "slipway unseal")
    check(harness.run([*unseal, "--new-key", f"{key}.other"]))
    has(check(harness.run([*unseal, f"{key}.other"], stdin=exported.raw), 2), "sealed to another key")
    opened = check(harness.run([*unseal, key], stdin=exported.raw))
    has(check(ssh("apps:apply", app, stdin=opened.raw)), "Nothing to do")
    has(check(ssh("apps:import", new, stdin=opened.raw)), "nothing is released: BUILD_ONLY")
    document = opened.json()
    del document["name"], document["config"]["BUILD_ONLY"]
    has(check(ssh("apps:apply", new, stdin=json.dumps(document).encode())), "done, v1")
    page(new, 'first applied \u00e4 "1"')


harness.main(globals())
