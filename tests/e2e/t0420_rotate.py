#!/usr/bin/env python3
"""secrets:rotate: new sealing keys while apps run, config is set and workers are killed. On servers of the test's own:
their keys are looked at, and their roles killed."""

import json
import random
import subprocess
import threading

import harness
from harness import Repo, Server, check, get, has, new_name, new_user, ssh, until, url

VALUES = 400
WEB = r'''
import http.server, json, os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
STARTED = time.time()
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"env": dict(os.environ), "started": STARTED}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, fmt, *args):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
'''


def values_for(seed, n):
    rng = random.Random(seed)
    pools = ["abcXYZ019", " '\"\\$`=#!&|;<>()[]{}*?~%^", "\n\t", "äß€中\U0001f600", "\x01\x1b\x7f"]
    return {f"V{i}": "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randrange(60))) for i in range(n)}


def set_values(app, values):
    def quote(v):
        for c in '\\"$`':
            v = v.replace(c, "\\" + c)
        return f'"{v}"'
    check(ssh("config:import", app, "--no-restart", stdin="".join(f"{n}={quote(v)}\n" for n, v in values.items()).encode()))


def values_of(app):
    return check(ssh("config:export", app, "--format", "json")).json()


def keys(server):
    """The secret keys by scope; no former one is there."""
    found = {}
    for scope in ("build", "run"):
        folder = server.state / "keys" / scope
        assert sorted(p.name for p in folder.iterdir()) == ["public", "secret"], list(folder.iterdir())
        found[scope] = (folder / "secret").read_bytes()
    return found


def running(app):
    """What runs, but for what a release has just ended: pods or containers, and since when."""
    return sorted((p["name"], p["id"], p["started_at"]) for p in check(ssh("ps", app, "--json")).json()
                  if p["state"] != "stopping")


def page(app):
    return json.loads(get(url(app)))


def test_rotate():
    """nothing restarts, every value stays, what is set meanwhile too, and a release of before is rolled back to"""
    with Server() as server:
        repo = Repo(new_name("r"))
        app = repo.app
        repo.commit("first", {"Procfile": "web: exec python3 -u web.py\n", "web.py": WEB})
        check(ssh("apps:create", app))
        values = values_for(1, VALUES)
        set_values(app, values)
        check(ssh("config:set", app, "--no-restart", "--build", "BUILT=so"))
        check(repo.push())
        check(ssh("config:set", app, "GENERATION=two"))
        # The pod of before may answer a little longer: what is compared comes from one answer of the new one.
        shown = until(lambda: (p := page(app))["env"].get("GENERATION") == "two" and p)
        before, ran, started = keys(server), running(app), shown["started"]
        check(ssh("secrets:rotate", key=new_user(new_name("u"))), 3)
        assert keys(server) == before
        stop, done = threading.Event(), []

        def set_on():
            while not stop.is_set() or len(done) < 2:
                if ssh("config:set", app, "--no-restart", f"M{len(done)}=set-{len(done)}").code != 0:
                    return
                done.append(len(done))

        thread = threading.Thread(target=set_on)
        thread.start()
        try:
            r = check(ssh("secrets:rotate", "--json")).json()
        finally:
            stop.set()
            thread.join()
        assert len(done) >= 2 and r["run"]["sealed"] > VALUES and r["build"]["sealed"] == 1, (done, r)
        assert r["run"]["unreadable"] == r["build"]["unreadable"] == 0, r
        after = keys(server)
        assert before["run"] != after["run"] and before["build"] != after["build"]
        assert values_of(app) == {**values, "GENERATION": "two", **{f"M{i}": f"set-{i}" for i in done}}
        assert running(app) == ran and page(app)["started"] == started
        # A release of before, and a build with a value of before.
        has(check(ssh("rollback", app, "v1")), "done")
        env = until(lambda: (e := page(app)["env"]) and "GENERATION" not in e and e)
        assert {n: env[n] for n in values} == values
        repo.commit("second", {"more": "x"})
        check(repo.push())
        audit = check(ssh("audit", "--json")).json()
        assert [a["result"] for a in audit if a["command"] == "secrets:rotate"] == [0, 3], audit
        has(check(ssh("secrets:rotate")), "Replacing the sealing keys", "run keys: ", "the former key is destroyed")
        assert keys(server)["run"] != after["run"]
        assert {n: v for n, v in values_of(app).items() if n in values} == values


def test_killed():
    """kill -9 of each role and its workers while keys are replaced: it goes on, and no value is lost"""
    with Server() as server:
        app, values = new_name("r"), {}
        check(ssh("apps:create", app))
        for i in range(4):  # several versions, so that it takes a while
            values.update({n: f"{i} {v}" for n, v in values_for(i, VALUES).items()})
            set_values(app, values)
        check(ssh("config:set", app, "--no-restart", "--build", "--run", "BOTH=both"))
        values["BOTH"] = "both"
        for role in ("release", "deployer", "build", "builder", "supervisor"):
            before = keys(server)
            p = subprocess.Popen([*harness.ssh_argv(), f"git@{harness.HOST}", "secrets:rotate"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            scope = "build" if role.startswith("build") else "run"
            secret = server.state / "keys" / scope / "secret"
            until(lambda: secret.read_bytes() != before[scope])  # it has begun
            former = (secret.parent / "secret.old").exists()
            assert server.kill(role) > 0, role
            if role == "supervisor":
                server.start()
            print(f"# {role} killed {'while values were sealed anew' if former else 'at the end'}", flush=True)
            assert values_of(app) == values, role
            p.wait(60)
            until(lambda: not list(server.state.glob("keys/*/secret.old")))
            assert values_of(app) == values, role
            after = keys(server)
            assert before["run"] != after["run"] and before["build"] != after["build"], role


harness.main(globals())
