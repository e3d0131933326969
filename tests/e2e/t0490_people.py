#!/usr/bin/env python3
"""Who may do what, over real ssh: every command of the server's own table by everybody. New commands are walked as
they come. Who has a role in one app sees and reaches nothing of another. A role through a team is as good as one's own."""

import concurrent.futures
import itertools
import os
import subprocess
import tempfile

import harness
from harness import Repo, check, has, new_app, new_key, new_name, new_user, ssh, ssh_argv

ROLES = ["none", "view", "deploy", "operate", "own"]
TEAM = "team:"  # before a role: of somebody who has it through a team alone
SURPLUS = ["x"] * 6  # more words than any command takes: who may use it gets as far as its usage line
WORKERS = 3


def table():
    return [c for c in check(ssh("help", "--json")).json() if not c["local"]]


def deploy_key(app, verbs, owner=None):
    key = new_key(new_name("k"))
    check(ssh("keys:add", "--deploy", app, "--verbs", ",".join(verbs), key=owner, stdin=key.with_suffix(".pub").read_bytes()))
    return key


def name_of(key):
    return check(ssh("whoami", "--json", key=key)).json()["name"]


def member(app, role):
    """A person whose only team has this role in the app; the key's path and the team."""
    team, key = new_name("g"), new_user(new_name("u"))
    check(ssh("teams:create", team))
    check(ssh("teams:add", team, name_of(key)))
    if role != "none":
        check(ssh("access:grant", app, f"@{team}", role))
    return key, team


def forms(name, app):
    """The ways to name the app."""
    return itertools.cycle([[name, app], [name, "-a", app], [name, "--json", f"--app={app}"]])


def walk(calls):
    """Runs (who, key, words) a few at a time; yields (who, words, result)."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for (who, _, words), r in zip(calls, pool.map(lambda c: ssh(*c[2], key=c[1]), calls)):
            yield who, words, r


def denied(who, words, r, codes):
    assert r.code in codes and r.out == "", f"{who}: {words} was to end with {codes}: {r!r}"


class Town:
    """Two apps; people with each role in `mine`, and none in `theirs`."""

    def __init__(self):
        self.theirs_repo = new_app("theirs")
        self.theirs, self.mine = self.theirs_repo.app, new_name()
        check(ssh("config:set", "--no-restart", self.theirs, "TOKEN=not-for-others"))
        check(ssh("apps:create", self.mine))
        self.commands = table()
        self.keys, self.teams = {}, {}
        for role in ROLES:
            self.keys[role] = new_user(new_name("u"))
            if role != "none":
                check(ssh("access:grant", self.mine, name_of(self.keys[role]), role))
            self.keys[TEAM + role], self.teams[role] = member(self.mine, role)
        self.keys["admin"] = harness.ADMIN_KEY
        bindable = [c["name"] for c in self.commands if c["takes"] and c["role"] in ROLES[:4]]
        self.keys["robot"] = deploy_key(self.mine, ["push", "releases", "logs"])
        self.keys["foreign"] = deploy_key(self.theirs, ["push", "fetch", *bindable])
        self.build = check(ssh("builds:list", self.theirs, "--json")).json()[0]["id"]

    def state(self):
        """What a denied command must not change. Teams by name: others make some beside us."""
        return [check(ssh(*words)).out for app in (self.mine, self.theirs)
                for words in (["access:list", app, "--json"], ["config:keys", app], ["releases", app, "--json"],
                              ["builds:list", app, "--json"], ["apps:info", app, "--json"], ["ps:scale", app],
                              *(["teams:info", t] for t in self.teams.values()))]


town = None


def walk_all(people, owner):
    """Every command by each of these people; returns how many were denied, and how many not."""
    before, calls, codes = town.state(), [], []

    def call(who, words, code):
        calls.append((who, town.keys[who], words))
        codes.append(code)

    for c in town.commands:
        form = forms(c["name"], town.mine)
        for who in people:
            words, role = next(form) if c["takes"] else [c["name"]], who.removeprefix(TEAM)
            if who == "robot":
                ok = c["name"] in ("releases", "logs", "help", "version", "whoami")
                code = None if ok else 3
            elif who == "foreign":
                code = None if c["name"] in ("help", "version", "whoami") else 4 if c["takes"] else 3
                code = 3 if c["role"] == "own" else code  # no verb of a deploy key
            elif who == "admin":
                code = None
            elif c["takes"]:
                code = 4 if role == "none" else 3 if ROLES.index(role) < ROLES.index(c["role"]) else None
            else:
                code = 3 if c["admin"] else None
            call(who, words if code else words + SURPLUS, code)
        if c["takes"] and c["admin"]:
            call(owner, [c["name"]], 3)
    denials = allowed = 0
    for (who, words, r), code in zip(walk(calls), codes):
        if code:
            denied(who, words, r, [code])
            denials += 1
        else:
            assert r.code != 3 and not (r.code == 4 and "app" in r.err), f"{who}: {words} was to be allowed: {r!r}"
            allowed += 1
    print(f"# {len(town.commands)} commands, {denials} denials, {allowed} allowed")
    check(ssh("apps:unlock", town.mine))
    after = town.state()
    assert after == before, [(a, b) for a, b in zip(before, after) if a != b]
    return denials, allowed


def test_walk():
    """every command by every role, an admin and two deploy keys: at least 200 denials, each with its exit code"""
    global town
    town = Town()
    denials, allowed = walk_all([who for who in town.keys if not who.startswith(TEAM)], "own")
    assert denials >= 200 and allowed >= 100, (denials, allowed)


def test_walk_team():
    """the same by people who have the role through a team alone: at least 100 denials"""
    denials, allowed = walk_all([who for who in town.keys if who.startswith(TEAM)], TEAM + "own")
    assert denials >= 100 and allowed >= 100, (denials, allowed)


def other_app(who):
    before, key = town.state(), town.keys[who]
    calls = [(who, key, next(forms(c["name"], town.theirs))) for c in town.commands if c["takes"]]
    calls += [(who, key, [c["name"], str(town.build)]) for c in town.commands if c["takes"] == "build"]
    for who, words, r in walk(calls):
        denied(who, words, r, [4])
        has(r, "not found")
    nowhere = new_name()
    for words in (["apps:info"], ["logs", "-t"], ["config:set", "A=1"], ["access:grant", "x", "own"]):
        theirs, none = (ssh(words[0], "-a", app, *words[1:], key=key).err for app in (town.theirs, nowhere))
        assert theirs.replace(town.theirs, nowhere) == none, (theirs, none)
    has(ssh("builds:output", town.mine, town.build, key=key), f"build {town.build} not found")
    assert [a["name"] for a in check(ssh("apps:list", "--json", key=key)).json()] == [town.mine]
    me = check(ssh("whoami", "--json", key=key)).json()
    assert {k["user"] for k in check(ssh("keys:list", "--json", key=key)).json()} == {me["name"]}
    assert [t["name"] for t in check(ssh("teams:list", "--json", key=key)).json()] == me["teams"]
    for team in town.teams.values():
        check(ssh("teams:info", team, key=key), 0 if team in me["teams"] else 4)
    denied(who, ["audit"], ssh("audit", key=key), [3])
    denied(who, ["keys:add"], ssh("keys:add", "--deploy", town.theirs, key=key,
                                  stdin=new_key(new_name("k")).with_suffix(".pub").read_bytes()), [4])
    repo = Repo(town.theirs, key=key)
    repo.commit("mine", {"a": "1\n"})
    for r in (repo.push(), repo.git("fetch", "k8s", ok=None), repo.git("ls-remote", "k8s", ok=None)):
        assert r.code == 128 and f"app {town.theirs} not found" in r.err, repr(r)
    assert town.state() == before
    shown = "".join(ssh(*words, key=key).all for words in (["apps:list"], ["keys:list"], ["help"], ["whoami"], ["teams:list"]))
    assert town.theirs not in shown and "not-for-others" not in shown


def test_other_app():
    """who has deploy in one app sees and reaches nothing of another: each command, builds by number, git, lists"""
    other_app("deploy")


def test_other_app_team():
    """the same of somebody who has deploy through a team"""
    other_app(TEAM + "deploy")


def test_team_idle():
    """a member of a team without a role sees and reaches no app"""
    key, repo = town.keys[TEAM + "none"], Repo(town.mine, key=town.keys[TEAM + "none"])
    assert check(ssh("apps:list", "--json", key=key)).json() == []
    assert check(ssh("teams:info", town.teams["none"], "--json", key=key)).json()["apps"] == []
    repo.commit("mine", {"a": "1\n"})
    for r in (repo.push(), repo.git("fetch", "k8s", ok=None), repo.git("ls-remote", "k8s", ok=None)):
        assert r.code == 128 and f"app {town.mine} not found" in r.err, repr(r)


def test_team_work():
    """a member pushes, reads and streams by the team's role; out of the team, all of it is gone at once"""
    repo = new_app("before")
    key, team = member(repo.app, "deploy")
    has(check(ssh("access:list", repo.app)), f"@{team}", f"through @{team}")
    mine = Repo(repo.app, key=key)
    mine.git("pull", "-q", "k8s", "main")
    mine.write(harness.hello("by-a-member"))
    mine.commit("mine")
    check(mine.push())
    harness.page(repo.app, "by-a-member")
    robot = deploy_key(repo.app, ["push", "fetch", "logs"], key)
    has(check(ssh("logs", repo.app, key=key)), "web.1")
    check(ssh("logs", repo.app, key=robot))
    has(check(ssh("builds:output", repo.app, key=key)), "live")
    # The highest of what somebody has: their own view takes nothing away.
    check(ssh("access:grant", repo.app, name_of(key), "view"))
    has(check(ssh("config:set", repo.app, "A=1", key=key), 3), "yours is deploy")
    check(ssh("access:revoke", repo.app, name_of(key)))
    check(ssh("teams:remove", team, name_of(key)))
    for k in (key, robot):
        check(ssh("logs", repo.app, key=k), 4)
        r = Repo(repo.app, key=k, path=mine.path).git("ls-remote", "k8s", ok=None)
        assert r.code == 128 and f"app {repo.app} not found" in r.err, repr(r)
    mine.commit("late", empty=True)
    assert mine.push().code == 128
    assert check(ssh("apps:list", "--json", key=key)).json() == []
    assert check(ssh("whoami", "--json", key=key)).json()["teams"] == []
    check(ssh("teams:info", team, key=key), 4)
    # Back in it; then the team itself goes.
    check(ssh("teams:add", team, name_of(key)))
    check(ssh("apps:rename", repo.app, renamed := new_name()))
    check(ssh("apps:info", renamed, key=key))
    check(ssh("teams:destroy", team), 2)
    check(ssh("teams:destroy", team, "--confirm", team))
    check(ssh("apps:info", renamed, key=key), 4)
    assert [r["user"] for r in check(ssh("access:list", renamed, "--json")).json()] == ["admin"]


# Stands between git and ssh: gives the half of a push away, says so in one pipe and waits for another.
HOLD = r'''
import os, subprocess, sys, threading
said, go, *argv = sys.argv[1:]
p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def answers():
    while data := os.read(p.stdout.fileno(), 65536):
        os.write(1, data)
threading.Thread(target=answers).start()
seen = 0
while data := os.read(0, 65536):
    if seen < 200000 <= seen + len(data):
        open(said, "w").close()
        open(go).close()
    seen += len(data)
    p.stdin.write(data)
    p.stdin.flush()
p.stdin.close()
sys.exit(p.wait())
'''


def held_push(app, key, meanwhile):
    """A push during whose upload `meanwhile` happens: what git has said, and its exit code."""
    repo, folder = Repo(app, key=key), tempfile.mkdtemp(dir=harness.TMP)
    said, go = (os.path.join(folder, name) for name in ("said", "go"))
    os.mkfifo(said)
    os.mkfifo(go)
    with open(os.path.join(folder, "hold.py"), "w", encoding="utf-8") as f:
        f.write(HOLD)
    repo.git("pull", "-q", "k8s", "main", ok=None)
    repo.commit("large", {**harness.hello("late"), "noise": os.urandom(1000000)})
    command = " ".join(["python3", f.name, said, go, *ssh_argv(key)])
    env = {**os.environ, "GIT_SSH_COMMAND": command}
    with subprocess.Popen(["git", "push", "k8s", "main"], cwd=repo.path, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        open(said, encoding="utf-8").close()
        meanwhile()
        open(go, "w", encoding="utf-8").close()
        out = p.stdout.read()
        return out, p.wait()


def test_taken_away_in_push():
    """what is taken away while a push is uploaded holds for that push: a team, a role, being an admin, the key, the user"""
    repo = new_app("before")
    head = repo.head()
    key, team = member(repo.app, "deploy")

    def refused(key, meanwhile, why):
        out, code = held_push(repo.app, key, meanwhile)
        assert code == 1 and why in out, (code, out)
        assert len(check(ssh("builds:list", repo.app, "--json")).json()) == 1
        assert repo.remote_refs()["refs/heads/main"] == head

    def with_role(role):
        key = new_user(new_name("u"))
        check(ssh("access:grant", repo.app, name_of(key), role))
        return key, name_of(key)

    refused(key, lambda: check(ssh("teams:remove", team, name_of(key))), "not found")
    check(ssh("teams:add", team, name_of(key)))
    refused(key, lambda: check(ssh("access:grant", repo.app, f"@{team}", "view")), "yours is view")
    check(ssh("access:grant", repo.app, f"@{team}", "deploy"))
    refused(key, lambda: check(ssh("teams:destroy", team, "--force")), "not found")
    key, name = with_role("deploy")
    refused(key, lambda: check(ssh("keys:remove", name, "--user", name)), "your key was removed")
    key, name = with_role("own")
    refused(key, lambda: check(ssh("users:remove", name)), "your key was removed")
    key, name = with_role("view")
    check(ssh("users:set", name, "admin"))
    refused(key, lambda: check(ssh("users:set", name, "user")), "yours is view")
    # Nor is an app made for somebody who may make none any more.
    name, app = new_name("u"), new_name()
    out, code = held_push(app, new_user(name, "--create"), lambda: check(ssh("users:set", name, "user")))
    assert code == 1 and "may not create apps here any more" in out, (code, out)
    check(ssh("apps:info", app), 4)
    # Where nothing was taken away, such a push goes live.
    out, code = held_push(repo.app, None, lambda: None)
    assert code == 0, out
    harness.page(repo.app, "late")


def test_taken_away():
    """a role that was taken away is gone for the next command; a removed user's key is no key"""
    key = town.keys["own"]
    name = name_of(key)
    check(ssh("apps:info", town.mine, key=key))
    check(ssh("access:revoke", town.mine, name))
    check(ssh("apps:info", town.mine, key=key), 4)
    check(ssh("users:remove", name))
    check(ssh("version", key=key), 255)


harness.main(globals())
