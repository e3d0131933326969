"""End-to-end tests by the clients that people use: git, ssh and HTTP, on a running Slipway.

A test file is a program: functions named test_*, run in order, one TAP line each; ends with
`harness.main(globals())`. The stack comes from the file env in SLIPWAY_DEV (./dev up writes it).
A test that needs something that is not there fails; nothing is skipped.
"""

import atexit
import configparser
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests" / "e2e")]
import tap  # noqa: E402
import warden  # noqa: E402

DEV = pathlib.Path(os.environ.get("SLIPWAY_DEV", TOP / ".dev"))
TEST_SECONDS = 240  # one test that hangs must not eat the whole run

TMP = pathlib.Path(tempfile.mkdtemp(prefix="slipway-e2e-"))
atexit.register(shutil.rmtree, TMP, ignore_errors=True)


def _read_env():
    values = {}
    for line in (DEV / "env").read_text().splitlines():
        line = line.removeprefix("export ").strip()
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values[name] = value.strip("'\"")
    return values


ENV = _read_env()
HOST, PORT = ENV["SLIPWAY_HOST"], ENV["SLIPWAY_PORT"]
STATE = pathlib.Path(ENV["SLIPWAY_STATE"])
ADMIN_KEY = ENV["SLIPWAY_KEY"]


_getaddrinfo = socket.getaddrinfo


def _resolve(host, *args, **kwargs):
    """Names below localhost are this machine (RFC 6761 section 6.3), as for browsers and curl; glibc has none."""
    if isinstance(host, str) and host.endswith(".localhost"):
        host = "127.0.0.1"
    return _getaddrinfo(host, *args, **kwargs)


socket.getaddrinfo = _resolve


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")
        self.out = out.decode("utf-8", "replace")

    @property
    def all(self):
        return self.out + self.err

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(argv, cwd=None, env=None, stdin=b"", timeout=TEST_SECONDS):
    full = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    full.update({"LC_ALL": "C.UTF-8", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                 "GIT_TERMINAL_PROMPT": "0", "GIT_AUTHOR_NAME": "dev", "GIT_AUTHOR_EMAIL": "dev@example.com",
                 "GIT_COMMITTER_NAME": "dev", "GIT_COMMITTER_EMAIL": "dev@example.com"})
    full.update(env or {})
    if isinstance(stdin, str):
        stdin = stdin.encode()
    p = subprocess.run([str(a) for a in argv], cwd=cwd, env=full, input=stdin, timeout=timeout,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return Result(p.returncode, p.stdout, p.stderr)


def ssh_argv(key=None, port=None, options=()):
    return ["ssh", "-F", "none", "-i", str(key or ADMIN_KEY), "-p", str(port or PORT),
            "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={TMP}/known_hosts",
            "-o", "LogLevel=ERROR", *options]


def ssh(*words, key=None, stdin=b"", options=(), timeout=TEST_SECONDS):
    """ssh git@host WORDS…, as typed: ssh joins the words with spaces."""
    return run([*ssh_argv(key, options=options), f"git@{HOST}", *words], stdin=stdin, timeout=timeout)


def new_key(name):
    path = TMP / f"key-{name}"
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def new_user(name, *flags):
    """A user with a key of its own; returns the key's path."""
    key = new_key(name)
    check(ssh("users:add", name, *flags))
    check(ssh("keys:add", "--user", name, stdin=key.with_suffix(".pub").read_bytes()))
    return key


_serial = 0


def new_name(prefix="t"):
    """An app name that no other test of this or an earlier run uses."""
    global _serial
    _serial += 1
    return f"{prefix}{os.getpid():x}x{_serial}"


class Repo:
    """A developer's repository with remote k8s."""

    def __init__(self, app, key=None, path=None, branch="main"):
        self.app, self.key = app, key or ADMIN_KEY
        self.path = pathlib.Path(path or tempfile.mkdtemp(prefix="repo-", dir=TMP))
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / ".git").exists():
            self.git("init", "-q", "-b", branch)
        self.git("remote", "add", "k8s", f"ssh://git@{HOST}:{PORT}/{app}", ok=None)

    def git(self, *args, ok=0, env=None, stdin=b"", timeout=TEST_SECONDS):
        e = {"GIT_SSH_COMMAND": " ".join(ssh_argv(self.key))}
        e.update(env or {})
        r = run(["git", *args], cwd=self.path, env=e, stdin=stdin, timeout=timeout)
        assert ok is None or r.code == ok, f"git {' '.join(map(str, args))}: {r!r}"
        return r

    def write(self, files):
        for name, text in files.items():
            p = self.path / name
            p.parent.mkdir(parents=True, exist_ok=True)
            p.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def copy(self, example):
        shutil.copytree(TOP / "examples" / example, self.path, dirs_exist_ok=True)
        return self

    def commit(self, message="change", files=None, empty=False):
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, *(["--allow-empty"] if empty else []))
        return self.head()

    def head(self, ref="HEAD"):
        return self.git("rev-parse", ref).out.strip()

    def push(self, *args, env=None, timeout=TEST_SECONDS):
        """git push ARGS (default: k8s main); returns the result, whatever it is."""
        return self.git("push", *(args or ("k8s", "main")), ok=None, env=env, timeout=timeout)

    def remote_refs(self):
        """{ref: commit} of the remote; {} also where the app was never made."""
        r = self.git("ls-remote", "k8s", ok=None)
        assert r.code == 0 or "not found" in r.err, repr(r)
        out = r.out
        return {ref: oid for oid, ref in (line.split("\t") for line in out.splitlines())}


HELLO_SERVER = r'''
import http.server, os, signal, sys
# The first process of a container has no default action for TERM.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (TEXT + " " + os.environ.get("GREETING", "") + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, fmt, *args):
        print("request", self.path, flush=True)
print("listening", flush=True)
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
'''


unique = f"{os.getpid()}.{time.time_ns()}"  # keeps builds of other runs from being reused


def hello(text="hello", procfile="web: exec python3 -u web.py\n"):
    """Files of the smallest app that serves text."""
    return {"Procfile": procfile, "web.py": f"TEXT = {text!r}  # {unique}\n" + HELLO_SERVER}


def new_app(text="hello", key=None, **kwargs):
    """An app that is live; returns its repository."""
    repo = Repo(new_name(), key=key)
    repo.commit("first", hello(text, **kwargs))
    check(repo.push())
    return repo


def url(app):
    return check(ssh("apps:info", app, "--json")).json()["url"]


# Below the ephemeral ports, and below node ports.
KNOCK_PORTS = (10000, 30000)


def _knock(address):
    """One request, from a port that no other client takes by itself. A connection that kube-proxy refuses because
    it does not know the pods yet leaves its ports in the table of connections for two minutes, without the way to
    the pods: whoever took the same port later would be refused, too."""
    u = urllib.parse.urlsplit(address)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=10, source_address=("", random.randrange(*KNOCK_PORTS)))
    try:
        c.request("GET", u.path or "/")
        r = c.getresponse()
        if r.status >= 400:
            raise urllib.error.HTTPError(address, r.status, r.reason, r.headers, None)
        return r.read().decode()
    finally:
        c.close()


def get(address, seconds=10):
    """The page's text; a refused connection is tried again within the time, since kube-proxy and
    routers learn of a new Service a moment after it is there."""
    end = time.monotonic() + seconds
    while True:
        try:
            return _knock(address)
        except (OSError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def page(app, text, seconds=10, address=None):
    """The app's page, or the one at this address, begins with text. kube-proxy moves connections to the new pods a moment
    after the release is live, so an older page is asked again."""
    address = address or url(app)
    end = time.monotonic() + seconds
    while True:
        got = get(address)
        if got.startswith(text):
            return got
        assert time.monotonic() < end, f"{address} still says {got!r}, not {text!r}"
        time.sleep(0.1)


def check(result, code=0):
    assert result.code == code, repr(result)
    return result


def has(result, *texts):
    """All texts stand in what the person saw."""
    for text in texts:
        assert text in result.all, f"{text!r} is missing in: {result!r}"
    return result


def refused(result, *texts):
    """A push that was refused with these words, as git reports it."""
    assert result.code != 0, repr(result)
    return has(result, "rejected" if "[remote rejected]" in result.all or "! [" in result.all else "", *texts)


def until(what, seconds=30):
    """Waits for something outside our reach (a process that restarts) to become true."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"not true after {seconds} s: {what}"
        time.sleep(0.05)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descendants(pid):
    """{pid: command line} of all processes below pid."""
    found = {}
    try:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                line = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(child)] = line.strip()
                found.update(descendants(int(child)))
    except OSError:  # it ended while we looked
        pass
    return found


_started = []  # servers that may still run
_warden = None  # the process that ends them where this one is killed


def _end_servers():
    while _started:
        _started[-1].end()


atexit.register(_end_servers)


def _watch(server):
    global _warden
    if _warden is None:
        _warden = subprocess.Popen([sys.executable, warden.__file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   text=True, start_new_session=True)
    print(server.process.pid, server.state, file=_warden.stdin, flush=True)


class Server:
    """A Slipway of the test's own, on the same stack: other settings, or to be killed.
    Used with `with`; inside, ssh() and Repo talk to it. It ends with this program, also where that is interrupted or killed."""

    def __init__(self, **settings):
        """settings: section__name="value"."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=TMP))
        self.dir.chmod(0o755)
        TMP.chmod(0o755)
        self.values = configparser.RawConfigParser()
        self.values.read(ENV["SLIPWAY_CONFIG"])
        self.state, self.port = self.dir / "state", str(free_port())
        self.conf = self.dir / "slipway.conf"
        self._configure({"server__state": self.state, "ssh__port": self.port, "docker__http_port": str(free_port()),
                         **settings})
        self.namespaces = self.values.get("kubernetes", "namespace_prefix", fallback="")
        self.log = self.dir / "log"
        r = run([ENV["SLIPWAY_BIN"], "init", "--state", self.state, "--config", self.conf,
                 "--admin-key", f"{ADMIN_KEY}.pub"])
        check(r)
        # A test may put it into other surroundings.
        self.argv, self.env = [ENV["SLIPWAY_BIN"], "serve", "--config", str(self.conf)], None
        self.process = None

    def _configure(self, settings):
        for name, value in settings.items():
            section, _, key = name.partition("__")
            section = section.replace("_", "-")
            if not self.values.has_section(section):
                self.values.add_section(section)
            if value is None:
                self.values.remove_option(section, key)
            else:
                self.values.set(section, key, str(value))
        with open(self.conf, "w") as f:
            self.values.write(f)

    def anew(self, **settings):
        """Starts it again with these settings, too; None takes one away. On Docker the apps can be reached a moment later."""
        self.stop()
        self._configure(settings)
        self.start()

    def start(self):
        if self not in _started:
            _started.append(self)
        self.process = subprocess.Popen(self.argv, env=self.env, stdin=subprocess.DEVNULL,
                                        stderr=open(self.log, "ab"))
        _watch(self)
        until(lambda: ssh("version").code == 0)

    def stop(self, signo=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(signo)
            self.process.wait(60)
            self.process = None

    def end(self):
        """Stops it for good, also one that was killed or does not end, and its router."""
        if self in _started:
            _started.remove(self)
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.stop(signal.SIGKILL)
        finally:
            warden.router_end(self.state)

    def processes(self, role):
        """Process ids of a role: listener, session, builder, build, deployer, release, stream."""
        return [pid for pid, line in descendants(self.process.pid).items() if line.startswith(f"slipway: {role}")]

    def kill(self, role):
        """kill -9 of all processes of a role ("supervisor": the server itself); how many there were."""
        if role == "supervisor":
            self.stop(signal.SIGKILL)
            return 1
        pids = self.processes(role)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def __enter__(self):
        global PORT, STATE
        self._saved = (PORT, STATE)
        PORT, STATE = self.port, self.state
        try:
            self.start()
        except BaseException:
            PORT, STATE = self._saved
            self.end()
            raise
        return self

    def __exit__(self, kind, value, trace):
        global PORT, STATE
        try:
            # ./dev test deletes the namespaces of all tests at once when it ends.
            if not self.namespaces.endswith("-test-") and self.process is not None:
                for app in ssh("apps:list", "--json").json():
                    ssh("apps:destroy", app["name"], "--confirm", app["name"])
        finally:
            self.end()
        # main() ends in it, where several tests share the server.
        well = kind is None or kind is SystemExit and value.code == 0
        if not well and self.log.exists():
            for line in self.log.read_text(errors="replace").splitlines()[-40:]:
                print(f"# log: {line}", flush=True)
        PORT, STATE = self._saved


def _alarm(*_):
    raise TimeoutError(f"test took longer than {TEST_SECONDS} s")


def _interrupt(*_):
    raise KeyboardInterrupt


def main(names):
    wanted = sys.argv[1:]
    tests = [(n, f) for n, f in names.items() if n.startswith("test_") and callable(f)
             and (not wanted or any(w in n for w in wanted))]
    failed = 0
    signal.signal(signal.SIGALRM, _alarm)
    for signo in (signal.SIGTERM, signal.SIGHUP):  # like a Ctrl-C: what was started is ended
        signal.signal(signo, _interrupt)
    print(f"1..{len(tests)}", flush=True)
    for i, (name, fn) in enumerate(tests, 1):
        label = (fn.__doc__ or name.removeprefix("test_").replace("_", " ")).strip().splitlines()[0]
        begin = time.monotonic()
        try:
            signal.alarm(TEST_SECONDS)
            fn()
            tap.ok(i, f"{label} # {time.monotonic() - begin:.1f} s")
        except KeyboardInterrupt:
            raise
        except BaseException:  # an assertion, a time-out, anything: the next test still runs
            failed += 1
            tap.not_ok(i, f"{label} # {time.monotonic() - begin:.1f} s")
        finally:
            signal.alarm(0)
    sys.exit(1 if failed else 0)
