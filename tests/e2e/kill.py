"""kill -9 of each role at each step of a push: the work is finished or undone within 30 seconds, the app
serves all along, and the next push works."""

import os
import subprocess
import threading
import time
import urllib.request

from harness import Repo, Server, check, hello, new_name, page, ssh, ssh_argv, until, url

# A push's output by which a step is known to have begun.
STEPS = {
    "receive": "Writing objects",
    "build": "===> DETECTING",
    "publish": "Published",
    "command": "release: running",
    "apply": "release: done (",
    "rollout": "web 0/1 ready",
}
PROCFILE = "release: echo migrating; sleep 2; echo migrated\nweb: sleep 1; exec python3 -u web.py\n"


class Watcher(threading.Thread):
    """Asks the page all the time; remembers what went wrong."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.failures, self.asked, self.end = address, [], 0, threading.Event()

    def run(self):
        while not self.end.is_set():
            try:
                urllib.request.urlopen(self.address, timeout=5).read()
                self.asked += 1
            except OSError as e:
                self.failures.append(str(e))
            self.end.wait(0.05)

    def result(self):
        self.end.set()
        self.join()
        assert self.asked > 0
        assert not self.failures, self.failures[:3]


def push_until(repo, text):
    """Starts a push and returns once its output shows text; the process goes on."""
    env = {**os.environ, "GIT_SSH_COMMAND": " ".join(ssh_argv(repo.key)), "GIT_CONFIG_GLOBAL": "/dev/null"}
    p = subprocess.Popen(["git", "push", "--progress", "k8s", "main"], cwd=repo.path, env=env,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seen = b""
    while text.encode() not in seen:
        piece = os.read(p.stderr.fileno(), 65536)
        assert piece, f"the push ended before {text!r}: {seen.decode(errors='replace')}"
        seen += piece
    # Somebody must go on reading, or the push would block.
    reader = threading.Thread(target=p.stderr.read, daemon=True)
    reader.start()
    return p, reader


def one_kill(server, repo, role, step, serial):
    big = step == "receive"
    files = hello(f"v{serial}", procfile=PROCFILE)
    if big:
        files["big.bin"] = os.urandom(30 * 1024 * 1024)
    repo.commit(f"change {serial}", files)
    watcher = Watcher(url(repo.app))
    watcher.start()
    p, reader = push_until(repo, STEPS[step])
    begin = time.monotonic()
    n = server.kill(role)
    assert n > 0, f"no {role} ran at {step}"
    if role == "supervisor":
        server.start()
    p.wait(60)
    reader.join()
    # Ended within 30 s, live or refused.
    until(lambda: all(b["state"] in ("live", "failed", "canceled")
                      for b in check(ssh("builds:list", repo.app, "--json")).json()), 30)
    took = time.monotonic() - begin
    watcher.result()
    releases = check(ssh("releases", repo.app, "--json")).json()
    assert sum(r["state"] == "live" for r in releases) == 1, releases
    live = next(r for r in releases if r["state"] == "live")
    assert repo.remote_refs()["refs/heads/main"] == live["commit"], (live, repo.remote_refs())
    # The next push of the same commit, or of a new one, works.
    check(repo.push())
    page(repo.app, f"v{serial}")
    print(f"# {role} killed at {step} ({n} processes): ended after {took:.1f} s", flush=True)


def kills(role, steps):
    with Server() as server:
        repo = Repo(new_name("k"))
        repo.commit("first", hello("v0"))
        check(repo.push())
        page(repo.app, "v0")
        for serial, step in enumerate(steps, 1):
            one_kill(server, repo, role, step, serial)
