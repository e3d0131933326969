"""Two registries: builds go to one, the target pulls from another behind TLS and a password."""

import base64
import json
import pathlib
import subprocess

import harness
from harness import ENV, TMP, TOP, Repo, Server, check, has, hello, new_name, page, refused, run, ssh

PASSWORD = "correct horse battery staple"


class Registry:
    """A registry of our own with TLS and a password, below the tests' folder."""

    def __init__(self, name):
        self.name, self.dev = name, harness.DEV
        passwords = TMP / f"{name}.htpasswd"
        text = subprocess.run(["htpasswd", "-Bin", "ci"], input=PASSWORD, text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        passwords.write_text(text)
        self.call("up", "--port", "0", "--tls", "--htpasswd", str(passwords))
        folder = self.dev / "stack/registry" / name
        self.host = f"localhost:{(folder / 'port').read_text().strip()}"
        self.ca = TMP / f"{name}.pem"
        self.ca.write_bytes((folder / "ca.pem").read_bytes())
        self.ca.chmod(0o644)
        self.auth = TMP / f"{name}.json"
        self.auth.write_text(json.dumps({"auths": {self.host: {
            "auth": base64.b64encode(f"ci:{PASSWORD}".encode()).decode()}}}))

    def call(self, *args):
        subprocess.run([TOP / "stack/registry", args[0], "--name", self.name, *args[1:]],
                       env={**harness.os.environ, "SLIPWAY_DEV": str(self.dev)}, check=True, stdout=subprocess.DEVNULL)

    def settings(self, **more):
        return {"release_registry__host": f"{self.host}/apps", "release_registry__ca": self.ca,
                "release_registry__auth": self.auth, "kubernetes__image_pull_secret": self.auth, **more}

    def __enter__(self):
        # The Docker engine takes any certificate for localhost. A node's trust belongs to whoever started the stack.
        if ENV["SLIPWAY_TARGET"] == "kubernetes":
            stack = pathlib.Path(ENV["KUBECONFIG"]).parent
            subprocess.run([TOP / "stack/kubernetes/trust-registry", self.host, self.ca], check=True,
                           env={**harness.os.environ, "SLIPWAY_DEV": str(stack)})
        return self

    def __exit__(self, *_):
        self.call("down")


# npm runs it as part of the build. It looks where a credential could be: its own environment, and that of each process that
# it sees, where the lifecycle has it; files of docker's. The bracket keeps the line, which npm puts there, from being found.
LOOK = ("echo looked:; env | grep -c CNB_REGISTRY_AUT[H]=; grep -laz CNB_REGISTRY_AUT[H]= /proc/[0-9]*/environ; "
        "ls ~/.docker /var/run/docker.sock; true")
LOCK = '{"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "x", "version": "1.0.0"}}}\n'


def test_build_registry():
    """builds go into a registry behind TLS and a password; in five phases what is built meets no credential"""
    with Registry("builds") as registry, Server(build__trust_builder="no", registry__host=f"{registry.host}/apps",
                                                registry__insecure="no", registry__ca=registry.ca, registry__auth=registry.auth,
                                                kubernetes__image_pull_secret=registry.auth):
        repo = Repo(new_name())
        package = {"name": "x", "version": "1.0.0", "private": True, "scripts": {"build": LOOK}}
        repo.commit("first", {**hello("built"), "package.json": json.dumps(package), "package-lock.json": LOCK})
        r = has(check(repo.push()), f"Published {registry.host}/apps/{repo.app}@sha256:", "[exporter]")
        said = [line.removeprefix("remote:").strip() for line in r.err.splitlines()]
        at = said.index("[builder] looked:")
        assert said[at + 1] == "[builder] 0" and "environ" not in r.all.split("looked:")[-1], r.err
        assert r.all.count("No such file or directory") == 2, r.err
        page(repo.app, "built")


def test_two_registries():
    """the image is published into the second registry, with progress, and runs from there"""
    with Registry("release") as registry, Server(**registry.settings()):
        repo = Repo(new_name())
        repo.commit("first", hello("far"))
        has(check(repo.push()), "publish", "is live")
        assert check(ssh("releases:info", repo.app, "--json")).json()["image"].startswith(registry.host)
        page(repo.app, "far")
        repo.commit("second", hello("farther"))
        check(repo.push())
        page(repo.app, "farther")


def test_wrong_password():
    """a wrong password for the release registry is said, and nothing is live"""
    with Registry("locked") as registry:
        bad = TMP / "bad.json"
        bad.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"ci:wrong").decode()}}}))
        with Server(**registry.settings(release_registry__auth=bad)):
            repo = Repo(new_name())
            repo.commit("first", hello("far"))
            r = refused(repo.push(), "remote rejected", registry.host)
            assert "wrong" not in r.all.replace("wrong password", ""), repr(r)
            assert "refs/heads/main" not in repo.remote_refs()


def test_no_pull():
    """an image that a node may not pull: the push is refused with the reason (the Docker target pulls as itself)"""
    with Registry("closed") as registry, Server(**registry.settings(kubernetes__image_pull_secret="")):
        repo = Repo(new_name())
        repo.commit("first", hello("far"))
        if ENV["SLIPWAY_TARGET"] == "kubernetes":
            refused(repo.push(), "v1 failed", "can't pull its image", "nothing is live")
            assert "refs/heads/main" not in repo.remote_refs()
        else:
            check(repo.push())


def test_registry_down():
    """a release registry that is down is named; the same commit can be pushed again"""
    registry = Registry("down")
    with registry, Server(**registry.settings()) as server:
        repo = Repo(new_name())
        repo.commit("first", hello("far"))
        registry.call("down")
        refused(repo.push(), "remote rejected", registry.host)
        port = registry.host.split(":")[1]
        registry.call("up", "--port", port, "--tls", "--htpasswd", str(TMP / "down.htpasswd"))
        check(repo.push())
        page(repo.app, "far")
        checked = check(run([ENV["SLIPWAY_BIN"], "check", "--config", server.conf]))
        if ENV["SLIPWAY_TARGET"] == "docker":
            has(checked, "router connections: ")


harness.main(globals())
