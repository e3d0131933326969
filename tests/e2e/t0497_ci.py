#!/usr/bin/env python3
"""examples/ci: the shell script, and the steps of the workflows in a shell as the CI systems start it, from a clone that
is one commit deep, with a deploy key and the server's host key pinned."""

import os
import pathlib
import signal
import subprocess
import tempfile

import yaml

import harness
from harness import HOST, PORT, TMP, TOP, Repo, check, has, hello, new_key, new_name, page, ssh, until

CI = TOP / "examples" / "ci"
DEPLOY_KEY = "keys:add {0}-ci --deploy {0} --expires 90d"

repo = None
values = {}


def setup():
    """An app, the repository that people push to elsewhere, and the three values that a job is given."""
    global repo
    repo = Repo(new_name("ci"))
    key = new_key("ci")
    check(ssh("apps:create", repo.app))
    check(ssh(DEPLOY_KEY.format(repo.app), stdin=key.with_suffix(".pub").read_bytes()))
    known = harness.run(["ssh-keygen", "-F", f"[{HOST}]:{PORT}", "-f", TMP / "known_hosts"])
    values.update(SLIPWAY_URL=f"ssh://git@{HOST}:{PORT}/{repo.app}", SLIPWAY_KEY=key.read_text().rstrip("\n"),
                  SLIPWAY_KNOWN_HOSTS="\n".join(line for line in check(known).out.splitlines() if line[0] != "#"))


def clone():
    """What a job finds: one commit, no branch."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ci-", dir=TMP)) / "work"
    check(harness.run(["git", "clone", "-q", "--depth", "1", f"file://{repo.path}", path]))
    check(harness.run(["git", "checkout", "-q", "--detach"], cwd=path))
    assert check(harness.run(["git", "rev-list", "--count", "HEAD"], cwd=path)).out.strip() == "1"
    return path


def plain(env):
    return harness.run(["sh", CI / "deploy.sh"], cwd=clone(), env=env)


def github(env):
    """Its steps, as a runner does them: `bash -e FILE`, with the environment that the step names."""
    job = yaml.safe_load((CI / "github.yml").read_text())["jobs"]["deploy"]
    steps = [s for s in job["steps"] if "run" in s]
    assert len(steps) == 1 and job["steps"][0]["uses"].startswith("actions/checkout@"), job
    path = clone()
    with tempfile.TemporaryDirectory(dir=TMP) as temp:
        full = {"RUNNER_TEMP": temp, "CI": "true", "GITHUB_ACTIONS": "true"}
        for name, text in steps[0]["env"].items():
            kind = "secrets" if name == "SLIPWAY_KEY" else "vars"
            assert text == f"${{{{ {kind}.{name} }}}}", (name, text)
            full[name] = env[name]
        script = pathlib.Path(temp) / "step.sh"
        script.write_text(steps[0]["run"])
        return harness.run(["bash", "-e", script], cwd=path, env=full)


def gitlab(env):
    """Its script, line by line in one shell that ends at the first that fails; a variable of the type File is a path. The
    installation of git and ssh is the image's matter."""
    job = yaml.safe_load((CI / "gitlab-ci.yml").read_text())["deploy"]
    path = clone()
    with tempfile.TemporaryDirectory(dir=TMP) as temp:
        full = {"CI": "true", "GITLAB_CI": "true", **job["variables"], "SLIPWAY_URL": env["SLIPWAY_URL"]}
        for name in ("SLIPWAY_KEY", "SLIPWAY_KNOWN_HOSTS"):
            file = pathlib.Path(temp) / name
            file.write_text(env[name] + "\n")
            file.chmod(0o666)
            full[name] = str(file)
        return harness.run(["sh", "-ec", "\n".join(job["script"])], cwd=path, env=full)


def live():
    info = check(ssh("apps:info", repo.app, "--json")).json()
    return info["release"], info["commit"]


JOBS = {"deploy.sh": plain, "github.yml": github, "gitlab-ci.yml": gitlab}


def test_keyscan():
    """ssh-keyscan prints the host keys: the same that a person's ssh has noted"""
    setup()
    found = check(harness.run(["ssh-keyscan", "-T", "10", "-p", PORT, HOST])).out.splitlines()
    assert set(values["SLIPWAY_KNOWN_HOSTS"].splitlines()) <= set(found), (found, values["SLIPWAY_KNOWN_HOSTS"])
    values["SLIPWAY_KNOWN_HOSTS"] = "\n".join(found)


def test_live():
    """after somebody's push of the whole history, each job deploys its commit, and ends with 0 also when run again"""
    repo.commit("zero", hello("by hand"))
    repo.commit("first", hello("by hand, again"))
    check(repo.push())
    for name, job in JOBS.items():
        commit = repo.commit(name, hello(f"by {name}"))
        has(check(job(values)), "is live")
        page(repo.app, f"by {name}")
        assert check(ssh("releases", repo.app, "--json")).json()[0]["commit"] == commit
    has(check(plain(values)), "up-to-date")


def test_failure():
    """a build that fails, or a push that is refused, fails the job, and the old release serves"""
    before = live()
    repo.commit("no such module", {"requirements.txt": "no-such-module @ file:///nowhere\n"})
    r = plain(values)
    assert r.code == 1, r
    has(r, "remote rejected")
    (repo.path / "requirements.txt").unlink()
    repo.commit("not JSON", {"app.json": "{"})
    for job in (github, gitlab):
        r = job(values)
        assert r.code == 1, r
        has(r, "remote rejected", "app.json")
    assert live() == before
    page(repo.app, "by gitlab-ci.yml")


def test_strangers():
    """another server's host key, and a key that the app has no use for, fail the job before anything is sent"""
    before = live()
    (repo.path / "app.json").unlink()
    repo.commit("good", hello("not to be seen"))
    other = new_key("ci-other")
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    wrong = {"SLIPWAY_KNOWN_HOSTS": f"[{HOST}]:{PORT} {kind} {blob}"}, {"SLIPWAY_KEY": other.read_text()}
    for job in JOBS.values():
        for change in wrong:
            r = job({**values, **change})
            assert r.code == 128, r
    assert live() == before
    page(repo.app, "by gitlab-ci.yml")


class Job:
    """deploy.sh in a session of its own, as a runner starts a job; its output is read as it comes."""

    def __init__(self):
        env = {**os.environ, **values, "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(["sh", CI / "deploy.sh"], cwd=clone(), env=env, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.said = ""

    def until(self, text):
        for line in self.process.stderr:
            self.said += line
            if text in line:
                return self
        raise AssertionError(f"the job ended before {text!r}: {self.said}")

    def end(self):
        self.said += self.process.stderr.read()
        return self.process.wait()


def held():
    """A job whose release command runs, and does not end."""
    commit = repo.commit("held", hello("held", procfile="web: exec python3 -u web.py\nrelease: echo held; exec sleep 1000\n"))
    return commit, Job().until("  held")


def state(commit):
    return {b["commit"]: b["state"] for b in check(ssh("builds:list", repo.app, "--json")).json()}[commit]


def test_two_at_once():
    """a second job waits behind the first and says so; when the first one is cancelled it goes live"""
    commit, first = held()
    newer = repo.commit("newer", hello("newer"))
    second = Job().until("Waiting behind build")
    check(ssh("builds:cancel", first_build := check(ssh("builds:list", repo.app, "--json")).json()[1]["id"]))
    assert first.end() == 1 and "canceled" in first.said, first.said
    assert second.end() == 0 and "is live" in second.said, second.said
    assert f"build {first_build}" in second.said, second.said
    assert state(commit) == "canceled" and live()[1] == newer
    page(repo.app, "newer")


def test_cancelled():
    """a cancelled job: with on-disconnect cancel its build ends, what was live stays, and the job can be run again"""
    before = live()
    check(ssh("apps:set", repo.app, "on-disconnect", "cancel"))
    commit, job = held()
    os.killpg(job.process.pid, signal.SIGTERM)
    assert job.end() != 0
    until(lambda: state(commit) == "canceled")
    assert live() == before
    page(repo.app, "newer")
    commit = repo.commit("again", hello("again"))
    assert Job().end() == 0
    assert live()[1] == commit
    page(repo.app, "again")


def test_shellcheck():
    """shellcheck finds nothing in the script"""
    check(harness.run(["shellcheck", CI / "deploy.sh"]))


harness.main(globals())
