"""The by-hand way that Slipway is measured against: OpenSSH's sshd with a bare repository whose
post-receive hook runs the same pack build, and then kubectl apply --server-side and kubectl rollout status; or,
on one machine, docker run, a wait until it answers, a PATCH of Caddy's configuration, and docker stop of the old one."""

import getpass
import json
import os
import shlex
import shutil
import socket
import subprocess
import textwrap
import time

HOOK = """\
#!/bin/bash
set -euo pipefail
while read -r old new ref; do
    work=$(mktemp -d)
    mkdir "$work.report"
    git archive "$new" | tar -x -C "$work"
    {pack} build {image} --path "$work" --publish {build_flags} -t {image}:v1 --report-output-dir "$work.report" --no-color
    digest=$(sed -n 's/^ *digest = "\\(.*\\)"/\\1/p' "$work.report/report.toml")
{release}
    rm -rf "$work" "$work.report"
done
"""

KUBERNETES_RELEASE = """\
    sed "s|@IMAGE@|{image}@$digest|" {manifest} | {kubectl} apply --server-side -f -
    {kubectl} -n {namespace} rollout status deployment/web
"""

# Two ports in turn: the old container serves until the new one answers and Caddy leads there.
DOCKER_RELEASE = """\
    read -r port last container <{state}
    run=$(docker run -d --restart unless-stopped -e PORT=8080 -p "127.0.0.1:$last:8080" --entrypoint /cnb/process/web \\
        "{image}@$digest")
    until curl -fs -o /dev/null "http://127.0.0.1:$last/"; do sleep 0.02; done
    curl -fsS -X PATCH -H 'Content-Type: application/json' -d "\\"127.0.0.1:$last\\"" \\
        http://127.0.0.1:{admin}/id/{name}/upstreams/0/dial
    if [[ $container != none ]]; then docker stop "$container" && docker rm "$container"; fi
    echo "$last $port $run" >{state}
    echo "successfully rolled out"
"""

MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 1
  revisionHistoryLimit: 3
  selector: {{matchLabels: {{app: web}}}}
  strategy: {{rollingUpdate: {{maxUnavailable: 0, maxSurge: 1}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      automountServiceAccountToken: false
      containers:
      - name: web
        image: "@IMAGE@"
        command: ["/cnb/process/web"]
        env: [{{name: PORT, value: "8080"}}]
        ports: [{{containerPort: 8080}}]
        resources: {{requests: {{cpu: 10m, memory: 32Mi}}}}
        readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
        livenessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 10, failureThreshold: 6, initialDelaySeconds: 10}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {namespace}}}
spec:
  type: NodePort
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sshd:
    """An sshd of our own on a free port, for the user who runs this, with one key."""

    def __init__(self, folder, key, force=None):
        self.dir, self.key, self.port = folder, key, free_port()
        folder.mkdir(parents=True)
        os.chmod(folder, 0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host"], check=True)
        shutil.copy(f"{key}.pub", folder / "authorized")
        os.chmod(folder / "authorized", 0o600)
        (folder / "config").write_text(textwrap.dedent(f"""\
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {folder}/host
            AuthorizedKeysFile {folder}/authorized
            StrictModes no
            UsePAM no
            PidFile {folder}/pid
            AcceptEnv GIT_PROTOCOL
            {"ForceCommand " + force if force else ""}
            """))
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "config"],
                                        stderr=open(folder / "log", "wb"))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())

    def url(self, path):
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def close(self):
        self.process.terminate()
        self.process.wait()


def bare_repository(path, hook=None):
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)
    subprocess.run(["git", "-C", path, "config", "receive.fsckObjects", "true"], check=True)
    if hook:
        file = path / "hooks/post-receive"
        file.write_text(hook)
        file.chmod(0o755)


def pack_hook(folder, pack, image, builder, build_flags, release):
    return HOOK.format(pack=f"env PACK_HOME={folder}/pack PACK_VOLUME_KEY=byhand {pack}", image=image, release=release.rstrip(),
                       build_flags=" ".join(map(shlex.quote, ["--builder", builder, *build_flags])))


def kubernetes_hook(folder, name, pack, registry, builder, build_flags, kubectl):
    """The hook's text for an app of this name; writes its manifest beside."""
    namespace, image = f"byhand-{name}", f"{registry}/byhand-{name}"
    manifest = folder / f"{name}.yaml"
    manifest.write_text(MANIFEST.format(namespace=namespace))
    return pack_hook(folder, pack, image, builder, build_flags,
                     KUBERNETES_RELEASE.format(image=image, manifest=manifest, kubectl=kubectl, namespace=namespace))


def docker_hook(folder, name, pack, registry, builder, build_flags, admin):
    """The hook's text for an app of this name, which Caddy with its API on the port admin knows."""
    image, state = f"{registry}/byhand-{name}", folder / f"{name}.state"
    state.write_text(f"{free_port()} {free_port()} none\n")
    return pack_hook(folder, pack, image, builder, build_flags,
                     DOCKER_RELEASE.format(image=image, state=state, name=name, admin=admin))


class Caddy:
    """One that leads the host NAME.localhost to an upstream that is to be patched in."""

    def __init__(self, folder, caddy, name):
        self.admin, self.port, self.name = free_port(), free_port(), name
        folder.mkdir(parents=True)
        proxy = {"@id": name, "handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:1"}]}
        route = {"match": [{"host": [f"{name}.localhost"]}], "handle": [proxy]}
        server = {"listen": [f"127.0.0.1:{self.port}"], "routes": [route], "automatic_https": {"disable": True}}
        (folder / "caddy.json").write_text(json.dumps({"admin": {"listen": f"127.0.0.1:{self.admin}"},
                                                       "apps": {"http": {"servers": {"byhand": server}}}}))
        self.process = subprocess.Popen([caddy, "run", "--config", folder / "caddy.json"], stderr=open(folder / "log", "wb"),
                                        env={**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.admin), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((folder / "log").read_text())

    def close(self):
        self.process.terminate()
        self.process.wait()
