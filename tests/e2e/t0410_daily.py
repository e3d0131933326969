#!/usr/bin/env python3
"""Day to day over ssh, on a live app: the config as a file, stop and start, a failed release again, differences."""

import json

import harness
from harness import Repo, check, has, hello, new_app, new_key, new_name, page, ssh, until

DOTENV = '''# what the app says
export GREETING="good\\tday"
MOTTO='it is $HOME' # literal
LINES="one
two"
'''
VALUES = {"GREETING": "good\tday", "MOTTO": "it is $HOME", "LINES": "one\ntwo"}


def test_config_file():
    """config:import, export, keys, diff and clear: a file goes in and comes out"""
    app = new_app("file").app
    check(ssh("config:import", app, stdin="A=1\nnot a line\n"), 2)
    has(check(ssh("config:import", app, stdin=DOTENV)), "done, v2")
    page(app, "file good\tday")
    assert check(ssh("config:keys", "-a", app)).out.split() == sorted(VALUES)
    assert check(ssh("config:export", app, "--json")).json() == VALUES
    for form in ("dotenv", "env", "docker-args", "yaml"):
        has(check(ssh("config:export", "-a", app, "--format", form)), "it is $HOME")
    other = new_name()
    check(ssh("apps:create", other))
    check(ssh("config:import", other, stdin=check(ssh("config:export", app, "--format", "dotenv")).raw))
    check(ssh("config:set", app, "GREETING=bye"))
    rows = check(ssh("config:diff", app, "v2", "v3", "--json")).json()
    assert rows == [{"name": "GREETING", "change": "changed", "from": None, "to": None}], rows
    has(check(ssh("config:diff", app, "v2", "--show")), "-> bye")
    has(check(ssh("config:clear", app)), "done, v4")
    assert check(ssh("config:keys", app, "--json")).json() == []


def test_stop_start():
    """ps:stop, ps:report, ps:start: as many as before"""
    app = new_app("stops", procfile="web: exec python3 -u web.py\nworker: exec python3 -u web.py\n").app
    has(check(ssh("ps:scale", app, "web=2")), "done, v2")
    has(check(ssh("ps:stop", app)), "Stopping", "done, v3")
    until(lambda: not ssh("ps", app, "--json").json())
    rows = check(ssh("ps:report", app, "--json")).json()["processes"]
    assert [(r["process"], r["wanted"], r["running"]) for r in rows] == [("web", 0, 0), ("worker", 0, 0)], rows
    has(check(ssh("ps:start", "-a", app)), "done, v4", "web at 2, worker at 0")
    page(app, "stops")
    until(lambda: check(ssh("ps:report", app, "--json")).json()["processes"][0]["ready"] == 2)


def test_failed():
    """logs:failed, releases:output, releases:retry, releases:diff"""
    repo = Repo(new_name())
    procfile = "web: exec python3 -u web.py\nrelease: echo checking && test -n \"$READY\"\n"
    repo.commit("first", hello("again", procfile=procfile))
    assert repo.push().code != 0
    app = repo.app
    has(check(ssh("logs:failed", app)), "v1 of", "checking")
    has(check(ssh("releases:output", app, "v1")), "checking")
    has(check(ssh("config:set", app, "READY=1")), f"which is made by a push or by: releases:retry {app}")
    has(check(ssh("releases:retry", app)), "Retrying v1", "done, v2")
    page(app, "again")
    assert repo.remote_refs().get("refs/heads/main") == repo.head()
    check(ssh("releases:retry", app), 1)
    old = repo.head()
    repo.commit("second", {"more.txt": "more\n"})
    check(repo.push())
    check(ssh("config:set", app, "MORE=1"))
    diff = check(ssh("releases:diff", app, "v2", "--json")).json()
    assert diff["commit"] == {"from": old, "to": repo.head()}, diff
    assert diff["config"] == {"added": ["MORE"], "removed": [], "changed": []}, diff
    assert [c["id"] for c in diff["code"]["added"]] == [repo.head()] and diff["code"]["direction"] == "forward", diff
    has(check(ssh("releases:diff", app, "v2", "v4")), f"{old}..{repo.head()}, 1 commit forward", f"+ {repo.head()[:7]} second",
        "+MORE")
    has(check(ssh("releases:diff", app, "v4", "v2")), "1 commit back", f"- {repo.head()[:7]} second")
    former = repo.head()
    repo.git("commit", "-q", "--amend", "-m", "second, otherwise")
    check(repo.push("--force", "k8s", "main"))
    has(check(ssh("releases:diff", app, "v4", "v5")), "1 commit back and 1 commit forward: the history was rewritten",
        f"- {former[:7]} second", f"+ {repo.head()[:7]} second, otherwise")
    assert "READY" not in json.dumps(check(ssh("logs:failed", app, "--json")).json()["reason"])


def test_deploy_key():
    """a deploy key pushes its app and does nothing else; from elsewhere, or expired, it is no key"""
    repo, other = new_app("mine"), new_app("other")
    def key(*options):
        k = new_key(new_name("k"))
        check(ssh("keys:add", "--deploy", repo.app, *options, stdin=k.with_suffix(".pub").read_bytes()))
        return k
    ci = key("--verbs", "push,releases", "--from", "127.0.0.0/8", "--expires", "90d")
    robot = Repo(repo.app, key=ci)
    robot.commit("by the robot", hello("robot"))
    check(robot.push("-f", "k8s", "main"))
    page(repo.app, "robot")
    has(check(ssh("releases", repo.app, key=ci)), "v2")
    has(check(ssh("config", repo.app, key=ci), 3), "it may: push releases")
    check(ssh("apps:list", key=ci), 3)
    check(ssh("releases", other.app, key=ci), 4)
    robot.git("remote", "add", "theirs", f"ssh://git@{harness.HOST}:{harness.PORT}/{other.app}")
    has(robot.push("theirs", "main"), "not found")
    has(robot.git("fetch", "k8s", ok=None), "may not fetch")
    assert ssh("version", key=key("--from", "192.0.2.0/24")).code == 255
    short = key("--expires", "1s")
    until(lambda: ssh("version", key=short).code == 255)
    rows = check(ssh("keys:list", "--json")).json()
    assert [r["verbs"] for r in rows if r["deploy"] == repo.app and r["last_used_at"]], rows


def test_apps():
    """apps:exists and apps:locked answer by their exit codes"""
    app = new_name()
    check(ssh("apps:exists", app), 4)
    check(ssh("create", app))
    check(ssh("apps:exists", app))
    check(ssh("apps:locked", app), 1)
    check(ssh("apps:lock", app, "until", "noon"))
    has(check(ssh("apps:locked", "-a", app)), "until noon")


harness.main(globals())
