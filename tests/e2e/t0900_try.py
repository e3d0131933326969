"""./dev try with parts that are there already, interrupted, killed and repeated: nothing is left."""

import atexit
import os
import pathlib
import signal
import subprocess

import harness
from harness import ENV, TMP, TOP, free_port, has, run, ssh_argv

# What one run says when it has come to this point.
INTERRUPTED_AT = ["Starting the stack", "slipway: started", "===> DETECTING", "-----> Releasing v"]
KILLED_AT = ["slipway: started", "===> DETECTING", "-----> Releasing v"]
END_SECONDS = 90  # for a step to begin, and for all that was started to end

DEV = TMP / "try"
PORT, HTTP_PORT, NO_REGISTRY_PORT = free_port(), free_port(), free_port()
REGISTRY = ENV["REGISTRY"] + "-foreign"
GIVEN = ["--registry", REGISTRY, "--builder", ENV["BUILDER"]]
ON_KUBERNETES = ENV["SLIPWAY_TARGET"] == "kubernetes"
APP = "flask-kubernetes" if ON_KUBERNETES else "flask"
# "./dev test" removes what begins so when it ends, whatever happened.
PREFIX = f"slipway-test-try{os.getpid():x}-"


def environment():
    env = {**os.environ, "SLIPWAY_DEV": str(DEV), "SLIPWAY_PORT": str(PORT), "SLIPWAY_HTTP_PORT": str(HTTP_PORT),
           "SLIPWAY_REGISTRY_PORT": str(NO_REGISTRY_PORT), "SLIPWAY_PREFIX": PREFIX}
    env.pop("KUBECONFIG", None)
    if ON_KUBERNETES:
        env["KUBECONFIG"] = ENV["KUBECONFIG"]
    # The same program again: nothing is compiled.
    DEV.mkdir(mode=0o755, exist_ok=True)
    TMP.chmod(0o755)
    if not (DEV / "build").exists():
        (DEV / "build").symlink_to(pathlib.Path(ENV["SLIPWAY_BIN"]).parent)
    return env


def dev(*words):
    return run([TOP / "dev", *words], env=environment())


# Also after a test that failed; before the harness removes the folder.
atexit.register(lambda: dev("down"))


def on_try(*words):
    return run([*ssh_argv(key=DEV / "slipway/admin", port=PORT), "git@127.0.0.1", *words])


def listening(port):
    return run(["bash", "-c", f": >/dev/tcp/127.0.0.1/{port}"]).code == 0


def ours():
    """Command lines of all processes that were started for this folder, and containers of its apps that run."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            marked = f"SLIPWAY_DEV={DEV}".encode() in (p / "environ").read_bytes().split(b"\0")
            line = (p / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended, or is the kernel's
            continue
        if marked or str(DEV) in line:
            found.append(line)
    out = run(["docker", "ps", "-q", "--filter", f"label=dev.slipway/state={DEV}/slipway/state"],
              env={"DOCKER_HOST": "unix:///var/run/docker.sock"})
    return found + harness.check(out).out.split()


def nothing_is_left():
    assert not ours(), ours()
    assert not listening(PORT) and not listening(HTTP_PORT)


def stop_at(text, signo):
    """Starts a try, and signals its whole process group when it says text, as a terminal does. Its exit code."""
    # A shell's background job, as this one may be, ignores Ctrl-C, and what it starts inherits that.
    p = subprocess.Popen([TOP / "dev", "try", *GIVEN], env=environment(), start_new_session=True,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen = b""
    while text.encode() not in seen:
        piece = os.read(p.stdout.fileno(), 65536)
        assert piece, f"try ended before {text!r}: {seen.decode(errors='replace')}"
        seen += piece
    os.killpg(p.pid, signo)
    seen += p.stdout.read()
    return p.wait(END_SECONDS), seen.decode(errors="replace")


def test_interrupted():
    """Ctrl-C at each point leaves nothing that runs"""
    for text in INTERRUPTED_AT:
        code, said = stop_at(text, signal.SIGINT)
        assert code == 130, (text, code, said)
        nothing_is_left()


def test_killed_and_repeated():
    """kill -9 at each point, and the next try works; its page is the sample's"""
    for text in KILLED_AT:
        stop_at(text, signal.SIGKILL)
    for _ in range(2):
        r = harness.check(dev("try", *GIVEN))
        has(r, "Hello from Flask", "It works, in")


def test_given_parts():
    """the given parts are used: no stand-in was built or started"""
    assert not (DEV / "stack").exists() and not listening(NO_REGISTRY_PORT)
    assert f"-----> Published {REGISTRY}/{APP}@" in harness.check(on_try("builds:output", APP)).all
    has(on_try("builds:output", APP), f"Building with {ENV['BUILDER']}")
    if ON_KUBERNETES:
        # Seen on the cluster that was given, by its own client.
        names = harness.check(run(["kubectl", "get", "deployments", "-n", PREFIX + APP, "-o", "name"],
                                  env={"KUBECONFIG": ENV["KUBECONFIG"]}))
        has(names, "deployment.apps/web")


def test_down():
    """down ends what was started, and nothing else"""
    harness.check(on_try("apps:destroy", APP, "--confirm", APP))
    harness.check(dev("down"))
    nothing_is_left()
    harness.check(harness.ssh("version"))
    harness.check(run(["docker", "version"], env={"DOCKER_HOST": "unix:///var/run/docker.sock"}))
    if ON_KUBERNETES:
        harness.check(run(["kubectl", "get", "nodes"], env={"KUBECONFIG": ENV["KUBECONFIG"]}))


harness.main(globals())
