#!/usr/bin/env python3
"""What runs is what is live: processes that somebody removes come back, leftovers go, without a person."""

import os
import signal
import time

import harness
from harness import ENV, Repo, Server, check, get, has, hello, new_name, page, ssh, until, url

DOCKER = ENV["SLIPWAY_TARGET"] == "docker"


def held(app):
    """Names of the app's containers, or pods, that run."""
    if DOCKER:
        argv = ["docker", "ps", "--format", "{{.Names}}", "--filter", f"label=dev.slipway/app={app}"]
    else:
        argv = ["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "get", "pods", "-A", "-l",
                f"app.kubernetes.io/name={app}", "-o", "name"]
    return check(harness.run(argv)).out.split()


def remove(app):
    """By hand, behind Slipway's back."""
    if DOCKER:
        r = harness.run(["docker", "rm", "-f", *held(app)])
        # Slipway may be removing one of an earlier release at the same time.
        assert r.code == 0 or all("is already in progress" in line for line in r.err.splitlines()), repr(r)
    else:
        check(harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "delete", "pods", "-A", "-l",
                           f"app.kubernetes.io/name={app}", "--wait=false"]))


def new_app(processes=2):
    repo = Repo(new_name("c"))
    repo.commit("first", hello("one", procfile="web: exec python3 -u web.py\nworker: exec sleep 1000\n"))
    check(repo.push())
    if processes > 1:
        check(ssh("ps:scale", repo.app, "web=2", "worker=1"))
    return repo


def running(app):
    return sorted(i["name"] for i in check(ssh("ps", app, "--json")).json() if i["state"] == "running")


def test_removed():
    """all instances are removed by hand: they are back, and serve"""
    repo = new_app()
    before = set(held(repo.app))
    remove(repo.app)
    until(lambda: running(repo.app) == ["web.1", "web.2", "worker.1"] and not before & set(held(repo.app)), 60)
    page(repo.app, "one")
    # And the next release is as any other.
    repo.commit("second", hello("two"))
    check(repo.push())
    page(repo.app, "two")


def test_while_down():
    """what is removed while Slipway is down is back when it is up; a worker of Slipway may die too"""
    with Server() as server:
        repo = new_app()
        server.stop(signal.SIGKILL)
        remove(repo.app)
        server.start()
        begin = time.monotonic()
        until(lambda: running(repo.app) == ["web.1", "web.2", "worker.1"], 60)
        page(repo.app, "one")
        print(f"# three instances were back after {time.monotonic() - begin:.1f} s", flush=True)
        for role in ("reconcile", "deployer", "stream"):
            server.kill(role)
        remove(repo.app)
        until(lambda: running(repo.app) == ["web.1", "web.2", "worker.1"], 60)


def test_deployer_away():
    """who asks for live things while the deployer starts again waits for it; one that cannot start is said to be down"""
    with Server() as server:
        app = new_app(1).app
        for times in (20, 1, 1):
            assert server.kill("deployer") == 1
            for _ in range(times):
                assert running(app) == ["web.1"]
        good = server.conf.read_text()
        # What runs has read it; only the deployer is to read it again.
        server.conf.write_text(good + "nonsense\n")
        try:
            server.kill("deployer")
            has(check(ssh("ps", app), 6), "the deployer ended before it had answered; try again")
            has(check(ssh("ps", app), 6), "the deployer does not answer; is `slipway serve` running?")
        finally:
            server.conf.write_text(good)
        until(lambda: ssh("ps", app).code == 0)


def test_left_over():
    """an app that ends leaves nothing, and an older release's instances go"""
    repo = new_app(1)
    old = set(held(repo.app))
    repo.commit("second", hello("two"))
    check(repo.push())
    until(lambda: held(repo.app) and not old & set(held(repo.app)), 90)
    check(ssh("apps:destroy", repo.app, "--confirm", repo.app))
    until(lambda: not held(repo.app), 90)


def test_router():
    """the way in is killed: it is back, and the app behind it never ended"""
    with Server() as server:
        repo = new_app(1)
        address, before = url(repo.app), held(repo.app)
        if DOCKER:
            os.kill(int((server.state / "run/docker/caddy.lock").read_text()), signal.SIGKILL)
        else:
            server.kill("listener")
        until(lambda: get(address).startswith("one"), 30)
        assert held(repo.app) == before


if __name__ == "__main__":
    harness.main(globals())
