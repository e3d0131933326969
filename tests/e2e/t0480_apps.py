#!/usr/bin/env python3
"""The app as a whole: what a release consists of and how two differ, what takes space, rollback by digest."""

import harness
from harness import check, has, hello, new_app, ssh


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


harness.main(globals())
