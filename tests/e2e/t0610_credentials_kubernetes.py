"""The ways into a real cluster: a pod of it, an account whose rights are those that check asks for and no more, token
files, exec plugins and certificates."""

import atexit
import base64
import json
import os
import pathlib
import re
import subprocess
import urllib.parse

import harness
from harness import ENV, TMP, Repo, Server, check, get, has, hello, new_name, page, refused, ssh, until, url

ACCOUNT_FOLDER = pathlib.Path("/run/secrets/kubernetes.io/serviceaccount")  # /var/run is a link there
NAME = f"slipway-test-account{os.getpid():x}"
PROCFILE = "release: echo migrated\nweb: exec python3 -u web.py\nworker: exec sleep 1000\n"
CRON = json.dumps({"cron": [{"command": "echo tick", "schedule": "0 0 1 1 *"}]})


def kubectl(*words, stdin=b""):
    return check(harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], *words], stdin=stdin)).out


def admin_config():
    return json.loads(kubectl("config", "view", "--raw", "-o", "json"))


CLUSTER = admin_config()["clusters"][0]["cluster"]
SERVER = urllib.parse.urlsplit(CLUSTER["server"])
FOLDER = TMP / "account"


def make_account():
    """An account without rights in a namespace of its own."""
    atexit.register(lambda: kubectl("delete", "namespace,clusterrole,clusterrolebinding", NAME, "--ignore-not-found",
                                    "--wait=false"))
    kubectl("create", "namespace", NAME)
    kubectl("create", "serviceaccount", "deployer", "-n", NAME)
    FOLDER.mkdir()
    (FOLDER / "ca.crt").write_bytes(base64.b64decode(CLUSTER["certificate-authority-data"]))
    new_token("first")


def new_token(secret):
    """A token that ends with a Secret, as a pod's ends with the pod; put where the pod's is."""
    kubectl("create", "secret", "generic", secret, "-n", NAME)
    token = kubectl("create", "token", "deployer", "-n", NAME, "--bound-object-kind", "Secret", "--bound-object-name", secret)
    part = FOLDER / "token.part"
    part.write_text(token)
    part.rename(FOLDER / "token")


def grant(lines):
    """What check says is missing, and nothing else."""
    rules = []
    for line in lines:
        verb, resource, group = re.search(r"cluster: may not (\w+) ([a-z/]+)(?:\.([a-z0-9.]+))?: grant", line).groups()
        rules.append({"apiGroups": [group or ""], "resources": [resource], "verbs": [verb]})
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME}, "rules": rules}
    kubectl("apply", "-f", "-", stdin=json.dumps(role))
    kubectl("create", "clusterrolebinding", NAME, "--clusterrole", NAME, "--serviceaccount", f"{NAME}:deployer")


# The shell sees another folder at the account's place, in a mount namespace that only it, and what it becomes, is in.
IN_POD = ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
          'mount --bind "$0" "$1"; shift; exec "$@"', FOLDER, ACCOUNT_FOLDER]
POD_ENV = {**{k: v for k, v in os.environ.items() if k != "KUBECONFIG"},
           "KUBERNETES_SERVICE_HOST": SERVER.hostname, "KUBERNETES_SERVICE_PORT": str(SERVER.port)}


def make_place():
    """The place of the mount; what had to be made for it is removed again."""
    # Handlers run from the last to the first: the outermost folder goes last.
    for folder in reversed([ACCOUNT_FOLDER, *ACCOUNT_FOLDER.parents][:3]):
        if not folder.exists():
            atexit.register(lambda f=folder: f.is_dir() and f.rmdir())
    ACCOUNT_FOLDER.mkdir(parents=True, exist_ok=True)


def check_lines(server, env=None, prefix=()):
    r = subprocess.run([*prefix, ENV["SLIPWAY_BIN"], "check", "--config", str(server.conf)], env=env, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return r.returncode, r.stdout


def make_rights():
    """An account whose rights are what check asks for, from none on."""
    if FOLDER.exists():
        return
    make_account()
    make_place()
    server = Server(kubernetes__kubeconfig="")
    code, said = check_lines(server, POD_ENV, IN_POD)
    missing = [line for line in said.splitlines() if "may not" in line]
    assert code != 0 and len(missing) > 30, said
    grant(missing)
    until(lambda: check_lines(server, POD_ENV, IN_POD)[0] == 0)


def test_in_cluster():
    """an account in the cluster: check names each right that it lacks, and with these alone all of an app's life works"""
    make_rights()
    server = Server(kubernetes__kubeconfig="")
    server.argv, server.env = [*IN_POD, *server.argv], POD_ENV
    with server:
        repo = Repo(new_name())
        repo.commit("first", {**hello("pod", procfile=PROCFILE), "app.json": CRON})
        check(repo.push())
        page(repo.app, "pod")
        app = repo.app
        check(ssh("ps:scale", app, "worker=1"))
        has(check(ssh("ps", app)), "web.1", "worker.1")
        check(ssh("ps:restart", app))
        has(check(ssh("run", app, "echo", "one-off")), "one-off")
        has(check(ssh("enter", app, "web", "echo", "entered")), "entered")
        name = check(ssh("run:detached", app, "echo", "later")).out.strip()
        until(lambda: "later" in ssh("run:logs", app, name).out)
        check(ssh("cron:run", app, ssh("cron:list", app, "--json").json()[0]["id"]))
        has(check(ssh("logs", app)), "listening")
        check(ssh("apps:plan", app))
        # The old token ends; the new one lies where the kubelet would have put it.
        new_token("second")
        kubectl("delete", "secret", "first", "-n", NAME)
        check(ssh("config:set", app, "GREETING=again"))
        page(app, "pod again")
        repo.commit("broken", {"Procfile": "web: exit 3\n", "app.json": "{}"})
        refused(repo.push(), "web crashed", "v3 is still live")
        check(ssh("apps:destroy", app, "--confirm", app))
        until(lambda: f"/{app}" not in kubectl("get", "namespaces", "-o", "name").replace(server.namespaces, "/"), 60)
        assert "Forbidden" not in server.log.read_text() and "may not" not in server.log.read_text(), server.log.read_text()


class PodServer(Server):
    """A Slipway that is a pod of the cluster. An image with its programs is no part of the stack: the pod has them, and
    the state folder, from the node, which is this machine."""

    SHARED = ["/usr", "/lib", "/lib64", "/bin", "/etc", str(pathlib.Path(ENV["SLIPWAY_BIN"]).parent), str(TMP),
              "/var/run/docker.sock"]

    def pod(self):
        conf = dict(line.split(" = ", 1) for line in self.conf.read_text().splitlines() if " = " in line)
        shared = [*self.SHARED, str(pathlib.Path(conf["pack"]).parent)]
        return {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "slipway", "namespace": NAME},
            "spec": {
                "serviceAccountName": "deployer", "hostNetwork": True, "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 60,
                "containers": [{
                    "name": "slipway", "image": conf["lifecycle_image"], "command": self.argv,
                    "env": [{"name": "PATH", "value": os.environ["PATH"]}],
                    "volumeMounts": [{"name": f"v{i}", "mountPath": path} for i, path in enumerate(shared)]}],
                "volumes": [{"name": f"v{i}", "hostPath": {"path": path}} for i, path in enumerate(shared)]}}

    def start(self):
        kubectl("apply", "-f", "-", stdin=json.dumps(self.pod()))
        self.process = "slipway"
        try:
            until(lambda: ssh("version").code == 0)
        except AssertionError:
            print("# " + kubectl("describe", "pod", "slipway", "-n", NAME).replace("\n", "\n# "))
            raise
        # The API learns a moment later that it runs.
        kubectl("wait", "pod/slipway", "-n", NAME, "--for=condition=Ready", "--timeout=30s")
        with open(self.log, "ab") as log:
            self.follower = subprocess.Popen(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "logs", "-f", "slipway",
                                              "-n", NAME], stdin=subprocess.DEVNULL, stdout=log)

    def stop(self, signo=None):
        if self.process is not None:
            kubectl("delete", "pod", "slipway", "-n", NAME)
            self.follower.wait(10)
            self.process = None


def test_pod():
    """a Slipway that is a pod of the cluster takes pushes, and goes on where the pod before it ended"""
    make_rights()
    with PodServer(kubernetes__kubeconfig="") as server:
        repo = Repo(new_name())
        repo.commit("first", hello("pod", procfile=PROCFILE))
        has(check(repo.push()), "migrated", "v1 is live")
        page(repo.app, "pod")
        has(check(ssh("run", repo.app, "echo", "one-off")), "one-off")
        has(check(ssh("logs", repo.app)), "listening")
        address = url(repo.app)
        server.stop()
        assert "stopped" in server.log.read_text().splitlines()[-1], server.log.read_text()
        assert get(address).startswith("pod")
        server.start()
        repo.commit("second", hello("another pod", procfile=PROCFILE))
        has(check(repo.push()), "v2 is live")
        page(repo.app, "another pod")


def kubeconfig(name, user):
    path = TMP / f"{name}.kubeconfig"
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [{"name": "x", "cluster": CLUSTER}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], "users": [{"name": "x", "user": user}]}))
    path.chmod(0o644)
    return path


def test_kubeconfigs():
    """a token file, an exec plugin as clouds have, and client certificates: each logs in; a plugin's failure is told"""
    make_rights()
    plugin = TMP / "cloud-login"
    plugin.write_text("#!/bin/sh\n[ \"$1\" = get-token ] || { echo 'run: cloud login' >&2; exit 1; }\n"
                      f"printf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\","
                      f"\"status\":{{\"token\":\"%s\"}}}}' \"$(cat {FOLDER}/token)\"\n")
    plugin.chmod(0o755)
    run_plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    for name, user in {"file": {"tokenFile": str(FOLDER / "token")},
                       "exec": {"exec": {**run_plugin, "args": ["get-token"]}},
                       "certificate": admin_config()["users"][0]["user"]}.items():
        code, said = check_lines(Server(kubernetes__kubeconfig=kubeconfig(name, user)))
        assert code == 0 and "answers, Kubernetes v" in said, (name, said)
    code, said = check_lines(Server(kubernetes__kubeconfig=kubeconfig("bad", {"exec": run_plugin})))
    assert code != 0 and "cloud-login failed (exit 1): run: cloud login" in said, said


harness.main(globals())
