#!/usr/bin/env python3
"""app.json: config and counts of the first release, and how a wrong one is refused."""

import json
import re

import harness
from harness import ENV, Repo, check, has, hello, new_name, ssh

REPO = None


def manifest(**keys):
    return json.dumps(keys, indent=1)


def push(repo, why, **keys):
    repo.commit(why, {"app.json": manifest(**keys)})
    return repo.push()


def rejected(r, *parts):
    assert r.code != 0, repr(r)
    for part in parts:
        has(r, part)


def test_refused():
    """a wrong app.json refuses the push before the build, with line and key, and makes no app"""
    repo = Repo(new_name("aj")).write(hello("first"))
    repo.commit("begin", {"app.json": '{\n "cron": [{"command": "x",\n  "schedule": "4am"}]\n}\n'})
    rejected(repo.push(), "app.json line 3: cron[0].schedule can't be used", "for example: 30 4 * * 1-5")
    repo.commit("broken", {"app.json": '{\n "env": {\n'})
    rejected(repo.push(), "app.json line 3: it is no JSON")
    rejected(push(repo, "required", env={"SET_BY_HAND": {"description": "x"}, "OTHER": {}}),
             "env.SET_BY_HAND (line 3), env.OTHER (line 6)", f"apps:create {repo.app}, then config:set {repo.app}")
    assert ssh("apps:info", repo.app).code == 4


def test_first_push():
    """the first push sets config, makes secrets without showing them, and scales; a later one changes nothing of it"""
    global REPO
    repo = REPO = Repo(new_name("aj")).write(hello("first", "web: exec python3 -u web.py\nworker: exec sleep 1000\n"))
    check(ssh("apps:create", repo.app))
    check(ssh("config:set", repo.app, "SET_BY_HAND=mine", "KEPT=mine"))
    env = {"GREETING": "'a b' $c", "SECRET": {"generator": "secret", "description": "x"}, "SET_BY_HAND": {},
           "KEPT": {"value": "theirs"}, "MAYBE": {"required": False}}
    r = push(repo, "begin", name="x", env=env, scripts={"postdeploy": "echo seeded with $GREETING"},
             formation={"web": {"quantity": 1}, "worker": {"quantity": 2}}, addons=["heroku-postgresql"])
    assert r.code == 0, repr(r)
    has(r, "Setting config of app.json: GREETING, SECRET (generated)", ": addons has no effect",
        "web=1 worker=2", "       seeded with [GREETING hidden]", "postdeploy: done")
    values = check(ssh("config:export", repo.app, "--format", "json")).json()
    secret = values["SECRET"]
    assert re.fullmatch("[0-9a-f]{64}", secret), values
    assert values == {"GREETING": "'a b' $c", "SECRET": secret, "SET_BY_HAND": "mine", "KEPT": "mine"}, values
    assert secret not in r.all
    check(ssh("config:unset", repo.app, "GREETING"))
    check(ssh("ps:scale", repo.app, "worker=0"))
    repo.commit("later", {"web.py": hello("second")["web.py"]})
    r = repo.push()
    assert r.code == 0, repr(r)
    assert "postdeploy" not in r.all, repr(r)
    assert check(ssh("config:export", repo.app, "--format", "json")).json().get("SECRET") == secret
    assert "GREETING" not in check(ssh("config:keys", repo.app)).out.split()
    has(check(ssh("releases:info", repo.app)), "worker=0")


def test_required_later():
    """a name that a later push requires refuses it until it is set"""
    rejected(push(REPO, "more", env={"NEW": {}}), "env.NEW (line 3)", f"first: config:set {REPO.app} NEW=...")
    check(ssh("config:set", REPO.app, "--no-restart", "NEW=1"))
    assert REPO.push().code == 0


CHECKED = r'''
import http.server, os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/down" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, fmt, *args):
        print("request", self.path, flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
'''
LIVENESS = {"type": "liveness", "path": "/live", "wait": 1}


TASKS = [{"command": "echo tick $GREETING; echo tock >&2", "schedule": "* * * * *"},
         {"command": "exit 3", "schedule": "0 0 1 jan *"}]


def cron_objects():
    """The CronJobs that the cluster holds for the app."""
    r = harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "get", "cronjobs", "-A", "-l",
                     f"app.kubernetes.io/name={REPO.app}", "-o", "name"])
    return check(r).out.split()


def test_healthchecks():
    """a readiness check is asked before the release is live; a startup check that fails keeps the release before it"""
    global REPO
    repo = REPO = Repo(new_name("aj")).write({"Procfile": "web: exec python3 -u web.py\n",
                                              "web.py": f"# {harness.unique}\n" + CHECKED})
    up = {"type": "readiness", "name": "up", "path": "/up", "wait": 1}
    r = check(push(repo, "up", healthchecks={"web": [up]}, cron=TASKS,
                   scripts={"postdeploy": "echo seeding $(id -u); exit 7"}))
    has(r, "postdeploy: echo seeding", "       seeding 1", "v1 is live after",
        "The postdeploy script failed (exit 7); v1 is live all the same")
    has(check(ssh("logs", repo.app)), "request /up")
    down = {"type": "startup", "path": "/down", "attempts": 2, "wait": 1, "timeout": 2}
    r = push(repo, "down", healthchecks={"web": [down]})
    rejected(r, "v2 failed: web ", "v1 kept")
    if ENV["SLIPWAY_TARGET"] == "docker":
        has(r, "did not pass its startup check: GET /down answered 503 (2 attempts)")


def test_healthchecks_by_target():
    """a check that the target can't do is refused by name; Kubernetes does them all"""
    r = push(REPO, "live", healthchecks={"web": [LIVENESS, {"type": "startup", "command": ["true"]}]})
    if ENV["SLIPWAY_TARGET"] == "docker":
        rejected(r, "app.json: healthchecks.web[0] can't be done: no liveness check is supported on the Docker target")
    else:
        check(r)
        harness.until(lambda: "request /live" in ssh("logs", REPO.app).out)


def test_rollback():
    """a rollback brings the healthchecks of its release back"""
    check(push(REPO, "none"))
    check(ssh("rollback", REPO.app, "v1"))
    has(check(ssh("logs", REPO.app)), "request /up")


def tasks():
    return check(ssh("cron:list", REPO.app, "--json")).json()


def test_cron_commands():
    """cron:list, cron:run, cron:suspend, cron:resume"""
    app = REPO.app
    check(ssh("config:set", app, "GREETING=config"))
    every, yearly = tasks()
    assert (every["schedule"], yearly["command"], yearly["suspended"]) == ("* * * * *", "exit 3", False), yearly
    assert yearly["next_at"].endswith("-01-01T00:00:00Z"), yearly
    r = check(ssh("cron:run", app, every["id"]))
    assert (r.out, r.err) == ("tick config\n", "tock\n"), repr(r)
    check(ssh("cron:run", app, yearly["id"]), 3)
    name = check(ssh("cron:run", app, every["id"], "--detach")).out.strip()
    harness.until(lambda: "tick config" in ssh("run:logs", app, name).out)
    has(check(ssh("cron:suspend", app, yearly["id"])), "done, v")
    assert tasks()[1]["suspended"] and tasks()[1]["next_at"] is None
    has(check(ssh("cron:suspend", app, yearly["id"])), "Nothing to do")
    has(check(ssh("cron:list", app)), "suspended", "next ")
    has(check(ssh("cron:resume", app, yearly["id"])), "done, v")
    assert not tasks()[1]["suspended"]
    has(check(ssh("cron:run", app, "12345678"), 4), "cron:list")
    has(check(ssh("cron:suspend", app, "x"), 2), "1a2b3c4d")


def leftovers(app):
    """Containers or Jobs of release commands that the target holds for the app."""
    if ENV["SLIPWAY_TARGET"] == "docker":
        r = harness.run(["docker", "ps", "-aq", "--filter", f"label=dev.slipway/app={app}"])
    else:
        r = harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "get", "jobs", "-A", "-l",
                         f"app.kubernetes.io/name={app}", "-o", "name"])
    return check(r).out.split()


def test_time_limit():
    """a release command, or postdeploy script, that takes longer than release_timeout is ended"""
    # It comes before the task's test, so that the minute until that is due passes meanwhile.
    with harness.Server(release__release_timeout="10s", release__grace_period="1s"):
        repo = Repo(new_name("aj")).write(hello("slow", "web: exec python3 -u web.py\nrelease: echo begun; sleep 600\n"))
        repo.commit("slow")
        rejected(repo.push(), "begun", "v1 failed: the release command not done after 10 s", "nothing is live")
        harness.until(lambda: leftovers(repo.app) == [])
        repo.write({"Procfile": "web: exec python3 -u web.py\n"})
        r = check(push(repo, "script", scripts={"postdeploy": "sleep 600"}))
        has(r, "The postdeploy script not done after 10 s; v2 is live all the same")


def test_cron_schedule():
    """a task runs when it is due, and is gone with the release that had it"""
    every = tasks()[0]["id"]

    def done():
        """Those of the release that has the config; one before it may have been due, too."""
        return [(o, said) for o in check(ssh("run:list", REPO.app, "--json")).json()
                if o["name"].startswith(f"cron.{every}-") and o["state"] == "done"
                and "tick config" in (said := check(ssh("run:logs", REPO.app, o["name"])).all)]
    run, said = harness.until(done, seconds=90)[0]
    assert run["user"] == "cron" and run["exit_code"] == 0, run
    assert "tock" in said, said
    check(ssh("run:stop", REPO.app, run["name"]))
    if ENV["SLIPWAY_TARGET"] == "kubernetes":
        assert len(cron_objects()) == 2
    check(push(REPO, "no cron", formation={}))
    assert tasks() == []
    if ENV["SLIPWAY_TARGET"] == "kubernetes":
        assert cron_objects() == []


if __name__ == "__main__":
    harness.main(globals())
