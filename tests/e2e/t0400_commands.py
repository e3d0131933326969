#!/usr/bin/env python3
"""Commands over ssh, on a live app: config, processes, logs, releases, people, audit."""

import json
import os
import random
import shlex
import subprocess
import urllib.request

import harness
from harness import Repo, check, get, has, new_app, new_key, new_name, new_user, ssh, ssh_argv, until, url

# Serves its environment as JSON; ends at once where CRASH is set.
ENVIRONMENT = r'''
import http.server, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if "CRASH" in os.environ:
    sys.exit("CRASH is set")
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, fmt, *args):
        print("request", self.path, flush=True)
print("listening", flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
'''


def environment_app():
    repo = Repo(new_name())
    repo.commit("first", {"Procfile": "web: exec python3 -u web.py\nworker: exec python3 -u web.py\n",
                          "web.py": ENVIRONMENT})
    check(repo.push())
    return repo.app


def environment(app):
    return json.loads(get(url(app)))


def arrives(app, name, value):
    """The live release has the variable: its environment. A pod that is on its way out may still answer for a moment."""
    def asked():
        got = environment(app)
        return got if got.get(name) == value else None
    return until(asked, 10)


def word(name, value):
    """NAME=VALUE as a script quotes it for the server's side."""
    return shlex.quote(f"{name}={value}")


def random_value(rng):
    pools = ["abcXYZ019", " '\"\\$`=#!&|;<>()[]{}*?~%^", "\n\t", "äß€中\U0001f600", "\x01\x1b\x7f"]
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(40)))


def test_who():
    """help, version, whoami, an unknown command"""
    has(check(ssh("help")), "config:set APP [NAME=VALUE...]")
    has(check(ssh("help", "config:set")), "Needs the role operate")
    assert check(ssh("version", "--json")).json()["version"]
    assert check(ssh("whoami", "--json")).json()["admin"] is True
    has(check(ssh("aps:list"), 2), "apps:list")


def test_config_exact():
    """1,000 random values arrive exactly in the pod"""
    app = environment_app()
    rng = random.Random(4)
    values = {f"V{i}": random_value(rng) for i in range(1000)}
    names = list(values)
    for i in range(0, len(names), 200):
        last = i + 200 >= len(names)
        line = " ".join(word(n, values[n]) for n in names[i:i + 200])
        check(ssh("config:set", "-a", app, line, *([] if last else ["--no-restart"])))
    got = arrives(app, names[-1], values[names[-1]])
    wrong = [n for n in names if got.get(n) != values[n]]
    assert not wrong, (len(wrong), wrong[0], values[wrong[0]], got.get(wrong[0]))
    shown = {v["name"]: v["value"] for v in check(ssh("config:list", app, "--show", "--json")).json()}
    assert shown == values
    check(ssh("config:unset", app, *names[:200]))
    arrives(app, "V0", None)
    arrives(app, "V200", values["V200"])


def test_config_input():
    """a value from standard input, 64 KiB long, with newlines; too long is refused whole"""
    app = environment_app()
    value = ("line 'one'\n\"two\" = $x\n" * 4000)[:65536]
    has(check(ssh("config:set", app, "BIG=@-", stdin=value)), "done, v2")
    arrives(app, "BIG", value)
    assert check(ssh("config:get", app, "BIG", "--json")).json()["value"] == value
    has(check(ssh("config:set", app, "A=1", "BIG=@-", stdin=value + "x"), 2), "at most 65536")
    assert "A" not in environment(app)


def test_config_scopes():
    """masked in lists, shown to who may operate; build scope stays out of the pod"""
    app = environment_app()
    check(ssh("config:set", app, "TOKEN=0123456789abcdef", "--no-restart"))
    check(ssh("config:set", app, "BUILD_ONLY=secret-of-the-build", "--build"))
    has(check(ssh("config", app)), "TOKEN:", "••••cdef")
    assert "0123456789" not in ssh("config", app).all
    name = new_name("u")
    key = new_user(name)
    check(ssh("access:grant", app, name, "view"))
    has(check(ssh("config", app, key=key)), "TOKEN:")
    check(ssh("config:get", app, "TOKEN", key=key), 3)
    check(ssh("access:grant", app, name, "operate"))
    assert check(ssh("config:get", app, "TOKEN", key=key)).out == "0123456789abcdef\n"
    assert "BUILD_ONLY" not in environment(app)
    has(check(ssh("config:get", app, "BUILD_ONLY"), 1), "build scope")


def test_config_failure():
    """a config that crashes the app is refused, the app serves on, the next one works"""
    app = environment_app()
    r = has(check(ssh("config:set", app, "CRASH=1"), 1), "v2 failed", "v1 is still live", "stays set")
    assert "CRASH is set" in r.all, repr(r)
    assert "CRASH" not in environment(app)
    has(check(ssh("config:unset", app, "CRASH")), "restarting", "done, v3")
    assert "CRASH" not in environment(app)


def test_processes():
    """ps, ps:scale, ps:restart"""
    app = environment_app()
    running = check(ssh("ps", app, "--json")).json()
    assert [(p["process"], p["state"], p["release"]) for p in running] == [("web", "running", 1)], running
    has(check(ssh("ps:scale", app, "web=2", "worker+1")), "done, v2", "Now running web at 2, worker at 1")
    until(lambda: sorted(p["process"] for p in ssh("ps", app, "--json").json() if p["state"] == "running")
          == ["web", "web", "worker"])
    before = {p["id"] for p in ssh("ps", app, "--json").json() if p["process"] == "web"}
    has(check(ssh("ps:restart", app, "web")), "Restarting web", "done")
    until(lambda: not before & {p["id"] for p in ssh("ps", app, "--json").json()})
    has(check(ssh("ps:scale", app)), "web=2 worker=1")
    has(check(ssh("ps:scale", app, "nope=1"), 2), "no process type nope")
    has(check(ssh("rollback", app)), "Rolling back", "v1... done, v3")
    has(check(ssh("ps:scale", app)), "web=1 worker=0")


def test_logs():
    """logs, with a process and a number of lines, and followed while requests come"""
    app = environment_app()
    until(lambda: "listening" in check(ssh("logs", app)).out)
    environment(app)
    until(lambda: "request /" in check(ssh("logs", app, "-n", "5", "-p", "web")).out)
    line = check(ssh("logs", app, "--json", "-p", "web.1")).out.splitlines()[-1]
    assert json.loads(line)["process"] == "web.1", line
    p = subprocess.Popen([*ssh_argv(), f"git@{harness.HOST}", "logs", app, "-t", "-n", "0"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        serial, got = 0, b""
        address = url(app)
        os.set_blocking(p.stdout.fileno(), False)

        def seen():
            # What is asked before the stream has begun is not in it: ask until an answer shows.
            nonlocal serial, got
            serial += 1
            urllib.request.urlopen(f"{address}/follow-{serial}", timeout=10).read()
            got += p.stdout.read() or b""
            return b"follow-" in got
        until(seen)
    finally:
        p.kill()
        p.wait()
    check(ssh("logs", app, "-p", "../x"), 2)


def test_releases():
    """releases, releases:info, rollback to a version, both forms of naming the app"""
    app = environment_app()
    check(ssh("config:set", "-a", app, "A=1"))
    check(ssh("config:set", app, "A=2"))
    rows = check(ssh("releases", app, "--json")).json()
    assert [(r["version"], r["state"], r["description"]) for r in rows[:2]] == [
        (3, "live", "set A"), (2, "superseded", "set A")], rows
    info = check(ssh("releases:info", app, "v3", "--json")).json()
    assert info["config_names"] == ["A"] and info["durations_ms"]["rollout"] > 0, info
    has(check(ssh("rollback", app, "v2")), "Rolling back", "to v2... done, v4", f"rollback {app} v3")
    arrives(app, "A", "1")
    check(ssh("rollback", app, "v9"), 4)
    assert check(ssh("apps:info", app, "--json")).json()["release"] == 4


def test_builds():
    """builds:list, builds:output, builds:attach; the number alone is enough"""
    app = environment_app()
    row = check(ssh("builds:list", app, "--json")).json()[0]
    assert row["state"] == "live" and row["release"] == 1, row
    has(check(ssh("builds:output", row["id"])), "v1")
    has(check(ssh("builds:attach", app)), "v1")
    check(ssh("builds:cancel", row["id"]), 1)
    check(ssh("builds:output", 999999), 4)


def test_people():
    """keys, users and roles: taken away, they are gone at once"""
    name, app = new_name("u"), environment_app()
    key = new_user(name, "--create")
    has(check(ssh("whoami", key=key)), name)
    check(ssh("apps:info", app, key=key), 4)
    has(check(ssh("users:set", name, "user")), "ordinary user... done")
    check(ssh("apps:create", new_name(), key=key), 3)
    has(check(ssh("users:set", name, "create")), "may create apps... done")
    mine = new_name()
    check(ssh("apps:create", mine, key=key))
    check(ssh("apps:destroy", mine, "--force", key=key))
    check(ssh("access:grant", app, name, "deploy"))
    check(ssh("apps:info", app, key=key))
    check(ssh("config:set", app, "A=1", key=key), 3)
    check(ssh("access:revoke", app, name))
    check(ssh("apps:info", app, key=key), 4)
    team = new_name("g")
    has(check(ssh("teams:create", team)), f"Creating the team {team}... done")
    check(ssh("teams:add", team, name))
    check(ssh("access:grant", app, f"@{team}", "deploy"))
    check(ssh("apps:info", app, key=key))
    has(check(ssh("whoami", key=key)), f"teams {team}")
    assert check(ssh("teams:info", team, "--json", key=key)).json()["apps"] == [{"app": app, "role": "deploy"}]
    has(check(ssh("teams:list", key=key)), team)
    check(ssh("teams:remove", team, name))
    check(ssh("apps:info", app, key=key), 4)
    check(ssh("access:revoke", app, f"@{team}"))
    check(ssh("teams:destroy", team, "--confirm", team))
    second = new_key(name + "b")
    check(ssh("keys:add", "second", key=key, stdin=second.with_suffix(".pub").read_bytes()))
    assert len(check(ssh("keys:list", "--json", key=second)).json()) == 2
    check(ssh("keys:remove", "second", key=key))
    assert ssh("whoami", key=second).code == 255
    check(ssh("users:remove", name))
    assert ssh("whoami", key=key).code == 255


def test_audit():
    """who changed what, also refused; never a value"""
    app = environment_app()
    check(ssh("config:set", app, "SECRET=hunter2hunter2", "--no-restart"))
    check(ssh("apps:destroy", app, "--confirm", "other"), 2)
    rows = check(ssh("audit", app, "--json")).json()
    assert [(r["command"], r["result"]) for r in rows[:2]] == [("apps:destroy", 2), ("config:set", 0)], rows
    assert rows[1]["detail"] == "SECRET" and "hunter2" not in json.dumps(rows)
    state = b"".join(p.read_bytes() for p in harness.STATE.glob("slipway.db*"))
    assert b"hunter2" not in state


def test_destroy():
    """apps:destroy removes all; the name can be used again"""
    repo = new_app("one")
    address = url(repo.app)
    check(ssh("apps:destroy", repo.app), 2)
    has(check(ssh("apps:destroy", repo.app, "--confirm", repo.app)), "done")
    check(ssh("apps:info", repo.app), 4)
    try:
        get(address, seconds=0)
        raise AssertionError("it still serves")
    except OSError:
        pass
    check(ssh("apps:create", repo.app))
    assert check(ssh("config", repo.app, "--json")).json() == []
    check(repo.push())


harness.main(globals())
