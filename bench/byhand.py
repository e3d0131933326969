"""The by-hand way that Slipway is measured against: OpenSSH's sshd with a bare repository whose
post-receive hook runs the same pack build, kubectl apply --server-side and kubectl rollout status."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import textwrap

HOOK = """\
#!/bin/bash
set -euo pipefail
while read -r old new ref; do
    work=$(mktemp -d)
    mkdir "$work.report"
    git archive "$new" | tar -x -C "$work"
    {pack} build {image} --path "$work" --publish {build_flags} -t {image}:v1 --report-output-dir "$work.report" --no-color
    digest=$(sed -n 's/^ *digest = "\\(.*\\)"/\\1/p' "$work.report/report.toml")
    sed "s|@IMAGE@|{image}@$digest|" {manifest} | {kubectl} apply --server-side -f -
    {kubectl} -n {namespace} rollout status deployment/web
    rm -rf "$work" "$work.report"
done
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
        resources: {{requests: {{cpu: 50m, memory: 64Mi}}}}
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


def deploy_hook(folder, name, pack, registry, builder, build_flags, kubectl):
    """The hook's text for an app of this name; writes its manifest beside."""
    namespace = f"byhand-{name}"
    manifest = folder / f"{name}.yaml"
    manifest.write_text(MANIFEST.format(namespace=namespace))
    return HOOK.format(pack=f"env PACK_HOME={folder}/pack PACK_VOLUME_KEY=byhand {pack}", kubectl=kubectl,
                       image=f"{registry}/byhand-{name}", manifest=manifest, namespace=namespace,
                       build_flags=" ".join(map(shlex.quote, ["--builder", builder, *build_flags])))
