"""Two registries: builds go to one, the target pulls from another behind TLS and a password."""

import base64
import json
import pathlib
import ssl as ssl_module
import subprocess
import threading
import urllib.request

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

    def get(self, path):
        q = urllib.request.Request(f"https://{self.host}/v2/{path}", headers={
            "Authorization": "Basic " + base64.b64encode(f"ci:{PASSWORD}".encode()).decode(),
            "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"})
        with urllib.request.urlopen(q, context=ssl_module.create_default_context(cafile=self.ca), timeout=30) as r:
            return json.loads(r.read())

    def config(self, image):
        """The configuration of an image in it: HOST/NAME@DIGEST."""
        name, _, digest = image.partition("/")[2].partition("@")
        return self.get(f"{name}/blobs/{self.get(f'{name}/manifests/{digest}')['config']['digest']}")

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
        "ls ~/.docker /var/run/docker.sock 2>&1; true")
LOCK = '{"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "x", "version": "1.0.0"}}}\n'


def test_build_registry():
    """builds go into a registry behind TLS and a password; in five phases what is built meets no credential"""
    with Registry("builds") as registry, build_server(registry, registry.auth):
        push_looking(registry)


def build_server(registry, auth):
    """Builds go to this registry, with the login that the docker config.json `auth` says, in five phases."""
    return Server(build__trust_builder="no", registry__host=f"{registry.host}/apps", registry__insecure="no",
                  registry__ca=registry.ca, registry__auth=auth, kubernetes__image_pull_secret=registry.auth)


def push_looking(registry):
    """A push whose build looks for credentials, and finds none. The repository, and what the person saw."""
    repo = Repo(new_name())
    package = {"name": "x", "version": "1.0.0", "private": True, "scripts": {"build": LOOK}}
    repo.commit("first", {**hello("built"), "package.json": json.dumps(package), "package-lock.json": LOCK})
    r = has(check(repo.push()), f"Published {registry.host}/apps/{repo.app}@sha256:", "[exporter]")
    said = [line.removeprefix("remote:").strip() for line in r.err.splitlines()]
    at = said.index("[builder] looked:")
    assert said[at + 1] == "[builder] 0" and "environ" not in r.all.split("looked:")[-1], r.err
    assert r.all.count("No such file or directory") == 2, r.err
    page(repo.app, "built")
    return repo, r


class Lines(threading.Thread):
    """The command lines of all processes, as often as they can be read, until the end of a `with`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.end = set(), threading.Event()

    def run(self):
        while not self.end.wait(0.02):
            for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(process.read_bytes())
                except OSError:  # it ended while we looked
                    pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.join()


def test_build_helper():
    """the build registry's login comes from a credential helper, for pack and for the server; the secret is nowhere else"""
    with Registry("helper") as registry:
        folder = TMP / "helpers"
        folder.mkdir()
        TMP.chmod(0o755)
        calls = folder / "calls"
        calls.touch()
        calls.chmod(0o666)
        (folder / "secret").write_text(json.dumps({"ServerURL": registry.host, "Username": "ci", "Secret": PASSWORD}))
        helper = folder / "docker-credential-e2e"
        helper.write_text("#!/bin/bash\nread -r server\n"
                          f'echo "$1 $server by $(tr "\\0" " " < /proc/$PPID/cmdline)" >> {calls}\n'
                          f'[[ $1 == get && $server == {registry.host} ]] || {{ echo "credentials not found in native keychain"; exit 1; }}\n'
                          f"cat {folder}/secret\n")
        helper.chmod(0o755)
        auth = TMP / "helper-auth.json"
        auth.write_text(json.dumps({"credHelpers": {registry.host: "e2e"}}))
        auth.chmod(0o644)
        server = build_server(registry, auth)
        server.env = {**harness.os.environ, "PATH": f"{folder}:{harness.os.environ['PATH']}"}
        with server, Lines() as lines:
            repo, r = push_looking(registry)
            # By pack, which publishes, and by the server, which reads the image and tags it.
            asked = [line for line in calls.read_text().splitlines() if line.startswith(f"get {registry.host} by ")]
            assert any("pack build" in line for line in asked) and any("pack build" not in line for line in asked), asked
            repo.commit("second", hello("again"))
            check(repo.push())
            page(repo.app, "again")
            secrets = [PASSWORD, base64.b64encode(f"ci:{PASSWORD}".encode()).decode()]
            logs = [p.read_text(errors="replace") for p in server.state.glob("logs/*/*.log")]
            image = check(ssh("releases:info", repo.app, "v1", "--json")).json()["image"]
            config = json.dumps(registry.config(image))
            assert logs and '"os": "linux"' in config, config
            for secret in secrets:
                for text in (*logs, r.all, server.log.read_text(), config, *(line.decode("utf-8", "replace") for line in lines.seen)):
                    assert secret not in text, f"the secret is in: {text[:500]}"


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
        with Server(**registry.settings(release_registry__auth=bad)) as server:
            repo = Repo(new_name())
            repo.commit("first", hello("far"))
            r = refused(repo.push(), "remote rejected", registry.host, "[release-registry] auth", "tell the server's admin")
            assert "wrong" not in r.all.replace("wrong password", ""), repr(r)
            # Where the server keeps its logins is for its admin, in the log.
            assert str(bad) not in r.all and str(bad) in server.log.read_text()
            assert "refs/heads/main" not in repo.remote_refs()


def test_no_pull():
    """an image that a node may not pull: the push is refused with the reason (the Docker target pulls as itself)"""
    with Registry("closed") as registry, Server(**registry.settings(kubernetes__image_pull_secret="")):
        repo = Repo(new_name())
        repo.commit("first", hello("far"))
        if ENV["SLIPWAY_TARGET"] == "kubernetes":
            refused(repo.push(), "v1 failed", "can't pull its image", "tell the server's admin to set [kubernetes] image_pull_secret",
                    "nothing is live")
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
