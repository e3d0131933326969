"""A listener of its own with a fake worker behind it, for tests of the gateway alone: real git and ssh at
one end, rows at the other. Importing it starts both; `harness` is then ready to be used.

SLIPWAY_PROGRAM and FAKE_WORKER name the two programs (default: in the current folder, as `make check`
has it). As root everything of the server's runs as another user.
"""

import atexit
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.path.abspath(os.environ.get("SLIPWAY_PROGRAM", "./slipway"))
WORKER = os.path.abspath(os.environ.get("FAKE_WORKER", "./tests/fakes/fake_worker"))
NOBODY = 65534

SERVER = pathlib.Path(tempfile.mkdtemp(prefix="slipway-gateway-"))
SERVER.chmod(0o755)
STATE = SERVER / "objects" / "state"  # a repository has a folder of that name, too
CONF = SERVER / "slipway.conf"
LOG = SERVER / "log"
PIDS = []


def as_server(argv, **kwargs):
    if os.geteuid() == 0:
        kwargs.update(user=NOBODY, group=NOBODY, extra_groups=[])
    return [str(a) for a in argv], {"umask": 0o077, **kwargs}


def _remove():
    for p in PIDS:
        if p.poll() is None:
            p.kill()
        p.wait()
    found = [n for n, line in enumerate(log_text().splitlines()) if "Sanitizer" in line or "runtime error" in line]
    if found:
        print("not ok - the sanitizers found something in the server")
        for line in log_text().splitlines()[found[0]:found[0] + 40]:
            print("# " + line)
    shutil.rmtree(SERVER, ignore_errors=True)


atexit.register(_remove)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("0.0.0.0", 0))
listening.listen(4096)
PORT = listening.getsockname()[1]

# The build folder may be closed to the server's user.
shutil.copy(PROGRAM, SERVER / "slipway")
shutil.copy(WORKER, SERVER / "fake_worker")
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f", SERVER / "key"], check=True)
(SERVER / "pub").write_bytes((SERVER / "key.pub").read_bytes())
(SERVER / "pub").chmod(0o644)
STATE.parent.mkdir()
if os.geteuid() == 0:
    os.chown(SERVER, NOBODY, NOBODY)
    os.chown(STATE.parent, NOBODY, NOBODY)


def conf(**settings):
    """Changes settings; the listener reads them at its next start or reload."""
    text = CONF.read_text()
    for name, value in settings.items():
        text, n = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert n == 1, f"setting {name} stands {n} times in the configuration"
    CONF.write_text(text)


def _start(argv, **kwargs):
    argv, kwargs = as_server(argv, **kwargs)
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=open(LOG, "ab"), **kwargs)
    PIDS.append(p)
    return p


def start_listener():
    n = listening.fileno()
    as_3 = "" if n == 3 else f"3<&{n} {n}<&-"
    return _start(["bash", "-c", f'exec "$@" {as_3}', "bash", SERVER / "slipway", "role", "listener",
                   "--config", CONF], pass_fds=[n])


def stop(p, signo=signal.SIGTERM):
    p.send_signal(signo)
    p.send_signal(signal.SIGUSR1)  # "nothing else runs any more" (gateway/gateway.h)
    p.wait(timeout=60)
    PIDS.remove(p)
    return p.returncode


def start_worker():
    return _start([SERVER / "fake_worker", STATE])


argv, kw = as_server([SERVER / "slipway", "init", "--config", CONF, f"--state={STATE}", f"--admin-key={SERVER}/pub",
                      "ssh.listen=127.0.0.1", f"ssh.port={PORT}", "registry.host=127.0.0.1:1",
                      *os.environ.get("SLIPWAY_SETTINGS", "").split()])
init = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **kw)
assert init.returncode == 0, init.stdout.decode()
listener = start_listener()
worker = start_worker()

(SERVER / "env").write_text(f"SLIPWAY_HOST=127.0.0.1\nSLIPWAY_PORT={PORT}\nSLIPWAY_KEY={SERVER}/key\n"
                            f"SLIPWAY_STATE={STATE}\n")
os.environ["SLIPWAY_DEV"] = str(SERVER)
sys.path.insert(0, str(HERE.parent))

import harness  # noqa: E402  (it reads the file that was just written)

harness.TEST_SECONDS = int(os.environ.get("TEST_SECONDS", "90"))


def restart(**settings):
    """The listener anew, with other settings."""
    global listener
    stop(listener)
    conf(**settings)
    listener = start_listener()


def row(sql, *args):
    """One row of the server's database."""
    db = sqlite3.connect(f"file:{STATE}/slipway.db?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql, args).fetchone()
    finally:
        db.close()


def change(sql, *args):
    """A change that no command makes."""
    db = sqlite3.connect(STATE / "slipway.db", timeout=10)
    try:
        with db:
            db.execute(sql, args)
    finally:
        db.close()


def app_id(app):
    return row("SELECT id FROM apps WHERE name = ?", app)[0]


def repository(app):
    return STATE / "repos" / f"{app_id(app)}.git"


def wake():
    """The sign that builds with fake:wait wait for."""
    path = STATE / "run" / "fake.wake"
    path.touch()


def nothing_left(app):
    """No quarantine is left behind in an app's repository."""
    return not list((repository(app) / "objects").glob("incoming-*"))


def sessions():
    """Process ids of sessions under the listener."""
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(listener.pid)], stdout=subprocess.PIPE, check=False)
    return [int(p) for p in out.stdout.split()]


def log_text():
    return LOG.read_text(errors="replace")
