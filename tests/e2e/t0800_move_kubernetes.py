#!/usr/bin/env python3
"""apps:move, on a server that has both targets: there and back under requests, failing, cut off, killed, all apps."""

import configparser
import pathlib
import select
import socket
import threading
import time
import urllib.parse
import urllib.request

import harness
from harness import ENV, Repo, Server, check, has, hello, new_name, page, ssh, until, url

CONF = configparser.RawConfigParser()
CONF.read(ENV["SLIPWAY_CONFIG"])
PREFIX = CONF.get("kubernetes", "namespace_prefix")
# Ends where it runs in a pod, but not in a container of Docker.
CRASHES = "web: test -z \"$KUBERNETES_SERVICE_HOST\" || exit 3; exec python3 -u web.py\n"
# Does not serve in a pod before it is let.
HELD = "web: if test -n \"$KUBERNETES_SERVICE_HOST\" -a -z \"$LET\"; then trap exit TERM; sleep 1000 & wait; fi; exec python3 -u web.py\n"


def server(**settings):
    """Both targets, docker for new apps. The state folder's name tells its containers from those of others."""
    return Server(target__target="docker", docker__address="127.0.0.1", docker__prefix=PREFIX, **settings)


def kubeconfig(name, port):
    """The real one, but it leads to a port of this machine."""
    file = pathlib.Path(ENV["SLIPWAY_CONFIG"]).parent / f"{name}.kubeconfig"
    lines = pathlib.Path(CONF.get("kubernetes", "kubeconfig")).read_text().splitlines()
    file.write_text("\n".join(line.split("server:")[0] + f"server: https://127.0.0.1:{port}" if "server:" in line else line
                              for line in lines) + "\n")
    return file


class Way:
    """A way to the cluster's API that can be cut."""

    def __init__(self):
        text = pathlib.Path(CONF.get("kubernetes", "kubeconfig")).read_text()
        self.api = urllib.parse.urlsplit(text.partition("server:")[2].split()[0])
        self.cut, self.open = False, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.open = False
        self.listener.close()

    def run(self):
        while self.open:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            if self.cut:
                near.close()
            else:
                threading.Thread(target=self.pass_on, args=(near,), daemon=True).start()

    def pass_on(self, near):
        with near, socket.create_connection((self.api.hostname, self.api.port)) as far:
            while self.open and not self.cut:
                for ready in select.select([near, far], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (far if ready is near else near).sendall(data)


def new_app(text, **kwargs):
    repo = Repo(new_name("v"))
    repo.commit("first", hello(text, **kwargs))
    check(repo.push())
    return repo.app


def info(app):
    return check(ssh("apps:info", app, "--json")).json()


def containers(app):
    return check(harness.run(["docker", "ps", "-q", "--filter", f"label=dev.slipway/app={app}"])).out.split()


def namespaces(app):
    r = harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "get", "namespace", "-o", "name",
                     "--ignore-not-found", PREFIX + app])
    return check(r).out.split()


def rolls_out(app):
    r = ssh("releases:info", app, "v2", "--json")
    return r.code == 0 and r.json()["step"] == "rollout"


class Requests:
    """Asks for the app's page again and again. One that fails counts where the app is still there."""

    def __init__(self, app):
        self.app, self.address, self.target = app, url(app), info(app)["target"]
        self.sent, self.failed, self.done = 0, [], False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.done:
            try:
                with urllib.request.urlopen(self.address, timeout=10) as r:
                    r.read()
            except OSError as e:
                if info(self.app)["target"] != self.target:
                    return
                self.failed.append(str(e))
            self.sent += 1
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done = True
        self.thread.join()


def move(app, to):
    before, config = info(app), check(ssh("config:export", app)).out
    with Requests(app) as r:
        result = check(ssh("apps:move", app, "--to", to))
    assert r.sent > 10 and not r.failed, (r.sent, r.failed)
    after = info(app)
    assert after["target"] == to and after["digest"] == before["digest"], (before, after)
    assert check(ssh("config:export", app)).out == config
    has(result, f"Moving {app} from {before['target']} to {to}", f"Moving {app} to {to}... done, v{after['release']}",
        f"Its address is {after['url']} now; it was {before['url']}")
    last = check(ssh("releases", app, "--json")).json()[0]
    assert (last["description"], last["target"], last["user"]) == (f"move to {to}", to, "admin"), last


def test_there_and_back():
    """there and back: no request fails, the same image and config, nothing is left where it was"""
    with server():
        app = new_app("moving")
        check(ssh("config:set", app, "GREETING=hello", "SECRET=between"))
        move(app, "kubernetes")
        page(app, "moving")
        until(lambda: not containers(app), 60)
        assert check(ssh("ps", app, "--json")).json()[0]["state"] == "running"
        has(check(ssh("run", app, "printenv", "SECRET")), "between")
        has(check(ssh("apps:move", app, "--to", "kubernetes")), f"{app} is on kubernetes already")
        # A rollback releases where the app is now.
        check(ssh("rollback", app, "v1"))
        assert info(app)["target"] == "kubernetes" and not containers(app)
        move(app, "docker")
        page(app, "moving")
        # Straight back: it waits for what is left there.
        has(check(ssh("apps:move", app, "--to", "kubernetes")), f"Waiting until what {app} has left on kubernetes is removed",
            f"Moving {app} to kubernetes... done")
        page(app, "moving")
        move(app, "docker")
        until(lambda: not namespaces(app), 90)
        assert [a["target"] for a in check(ssh("apps:list", "--json")).json()] == ["docker"]
        check(ssh("apps:destroy", app, "--confirm", app))
        until(lambda: not containers(app), 60)


def test_fails():
    """what does not run there stays where it is; a target that does not answer is said before anything changes"""
    with server():
        app = new_app("stays", procfile=CRASHES)
        with Requests(app) as r:
            result = ssh("apps:move", app, "--to", "kubernetes")
        assert result.code == 1, result
        has(result, "v1 is still live on docker", "exit 3")
        assert not r.failed and info(app)["target"] == "docker"
        page(app, "stays")
        has(check(ssh("releases:retry", app), 1), f"apps:move {app} --to kubernetes")
        until(lambda: not namespaces(app), 90)
        result = ssh("apps:move", app, "--to", "moon")
        assert result.code == 2, result
    with server(kubernetes__kubeconfig=kubeconfig("nowhere", harness.free_port())):
        app = new_name("v")
        check(ssh("apps:create", app))
        result = ssh("apps:move", app, "--to", "kubernetes")
        assert result.code == 6, result
        has(result, "nothing was changed")
        assert info(app)["target"] is None


def test_lost():
    """the cluster is lost midway: it is said as such, the app serves where it was, and can be moved when it is back"""
    with Way() as way, server(kubernetes__kubeconfig=kubeconfig("way", way.port)) as s:
        app = new_app("lost", procfile=HELD)
        s.anew(release__rollout_timeout="10s")
        page(app, "lost")
        with Requests(app) as r:
            results = []
            thread = threading.Thread(target=lambda: results.append(ssh("apps:move", app, "--to", "kubernetes")))
            thread.start()
            until(lambda: rolls_out(app))
            way.cut = True
            thread.join()
        assert results[0].code == 6, results[0]
        has(results[0], "v1 is still live on docker")
        assert not r.failed and info(app)["target"] == "docker"
        way.cut = False
        until(lambda: not namespaces(app), 90)
        # A pod gets the usual time to start in.
        s.anew(release__rollout_timeout=None)
        check(ssh("config:set", app, "LET=1"))
        check(ssh("apps:move", app, "--to", "kubernetes"))
        page(app, "lost")


def test_killed():
    """kill -9 of the release worker and of the server midway: the move goes on and comes to its end"""
    with server() as s:
        app = new_app("killed")
        results = []
        thread = threading.Thread(target=lambda: results.append(ssh("apps:move", app, "--to", "kubernetes")))
        thread.start()
        until(lambda: rolls_out(app))
        assert s.kill("release") > 0
        thread.join()
        has(check(results[0]), f"Moving {app} to kubernetes... done, v2")
        s.kill("supervisor")
        s.start()
        until(lambda: not containers(app), 60)
        assert info(app)["target"] == "kubernetes"
        page(app, "killed")


def test_all():
    """--all moves all apps, those without a release are noted"""
    with server():
        one, two, none = new_app("one"), new_app("two"), new_name("v")
        check(ssh("apps:create", none))
        result = check(ssh("apps:move", "--all", "--to", "kubernetes"))
        has(result, f"Moving {one} to kubernetes... done", f"Moving {two} to kubernetes... done",
            f"{none} has no live release; its first will be on kubernetes")
        assert [a["target"] for a in check(ssh("apps:list", "--json")).json()] == ["kubernetes"] * 3
        page(one, "one")
        page(two, "two")
        has(check(ssh("apps:move", "--all", "--to", "kubernetes")), "All apps are on kubernetes already")


if __name__ == "__main__":
    harness.main(globals())
