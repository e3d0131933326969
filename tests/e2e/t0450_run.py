#!/usr/bin/env python3
"""One-off commands and shells in processes, by the real ssh client, with pipes and with a terminal."""

import concurrent.futures
import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import harness
from harness import ENV, HOST, check, has, new_app, new_user, ssh, ssh_argv, until

APP = None
MANY = 10 * 1024 * 1024


def app():
    global APP
    if APP is None:
        APP = new_app("run", procfile="web: exec python3 -u web.py\nworker: exec sleep 1000\n"
                                      "hello: echo hello from $GREETING\n").app
        check(ssh("config:set", APP, "GREETING=config"))
    return APP


def line(text):
    """A line for the shell in the container: quoted once more, because ssh takes a layer away."""
    return "'" + text.replace("'", "'\\''") + "'"


def pods():
    """Names of the pods, or containers, of one-off commands that the target holds for the app."""
    if ENV["SLIPWAY_TARGET"] == "docker":
        r = harness.run(["docker", "ps", "-aq", "--filter", "label=dev.slipway/run", "--filter",
                         f"label=dev.slipway/app={app()}"])
        return check(r).out.split()
    r = harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "get", "pods", "-A", "-l",
                     f"slipway/run,app.kubernetes.io/name={app()}", "-o", "name"])
    return check(r).out.split()


def no_pods():
    until(lambda: not pods(), seconds=60)


def test_exit_codes():
    """the exit code is the command's own"""
    for code in (0, 1, 3, 42):
        check(ssh("run", app(), line(f"exit {code}")), code)
    check(ssh("run", app(), line("kill -KILL $$")), 137)
    check(ssh("run", app(), "true"))
    check(ssh("run", "-a", app(), "--", "false"), 1)
    has(check(ssh("run", app(), "no-such-program"), 127), "not found")
    no_pods()


def test_streams_apart():
    """standard output and standard error arrive apart, and nothing else with them"""
    r = check(ssh("run", app(), line("echo one; echo two >&2; echo three")))
    assert r.out == "one\nthree\n", repr(r)
    assert r.err == "two\n", repr(r)


def test_words_exactly():
    """several words are the program's arguments, byte for byte; one with blanks is a line for a shell"""
    r = check(ssh("run", app(), "printf", "'[%s]'", "a", "'b c'", "'$HOME'", "'*'", "-n", "'é€😀'"))
    assert r.out == "[a][b c][$HOME][*][-n][é€😀]", repr(r)
    assert check(ssh("run", app(), line("echo $((6 * 7)) | tr 4 x"))).out == "x2\n"
    has(check(ssh("run", app(), "true", "'&&'", "false"), 2), "quote the whole line")


def test_config_and_env():
    """the command has the release's config; -e adds to it and goes before it"""
    show = line('echo "$GREETING $A|$B"; pwd; test $(id -u) -gt 0 && echo app')
    r = check(ssh("run", app(), show))
    assert r.out.splitlines() == ["config |", "/workspace", "app"], repr(r)
    r = check(ssh("run", app(), "-e", "A=1", "--env", "'B=x  =y'", "-e", "GREETING=mine", show))
    assert r.out.splitlines()[0] == "mine 1|x  =y", repr(r)
    has(check(ssh("run", app(), "-e", "1A=2", "true"), 2), "1A")
    assert check(ssh("run", app(), "--process", "hello")).out == "hello from config\n"
    has(check(ssh("run", app(), "--process", "nope"), 2), "nope")


def test_binary_both_ways():
    """10 MiB of any bytes through cat come back the same, also with both ways busy"""
    data = os.urandom(MANY)
    r = check(ssh("run", app(), "cat", stdin=data))
    assert hashlib.sha256(r.raw).digest() == hashlib.sha256(data).digest(), f"{len(r.raw)} bytes came back"
    r = check(ssh("run", app(), "sha256sum", stdin=data))
    assert r.out.split()[0] == hashlib.sha256(data).hexdigest(), repr(r)
    r = check(ssh("run", app(), line(f"head -c {MANY} /dev/zero | tr '\\0' x")))
    assert r.raw == b"x" * MANY, f"{len(r.raw)} bytes"


def test_all_output():
    """what a command prints in its first and last moment arrives"""
    for _ in range(3):
        r = check(ssh("run", app(), "seq", "1", "2000"))
        assert r.out == "".join(f"{i}\n" for i in range(1, 2001)), repr(r)


def test_short_commands():
    """commands that end at once and read no input: each prints its line"""
    name = app()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda i: ssh("run", name, "echo", f"line {i}"), range(24)))
    assert [check(r).out for r in results] == [f"line {i}\n" for i in range(24)], results
    no_pods()


def test_end_of_input():
    """the end of standard input arrives, and may come before the command's own end"""
    assert check(ssh("run", app(), line("cat; echo end"), stdin=b"in")).out == "inend\n"
    assert check(ssh("run", app(), "wc", "-c", stdin=b"")).out.strip() == "0"


class Terminal:
    """ssh under a terminal of this test."""

    def __init__(self, *words, rows=30, cols=100, term="xterm-256color"):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = term
            argv = [*ssh_argv(options=["-tt"]), f"git@{HOST}", *words]
            os.execvp(argv[0], argv)
        self.size(rows, cols)
        self.seen = b""

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        os.write(self.fd, text if isinstance(text, bytes) else text.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data
        return bool(data)

    def expect(self, text, seconds=60):
        end = time.monotonic() + seconds
        text = text if isinstance(text, bytes) else text.encode()
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0 and (self.read(left) or text in self.seen), f"{text!r} is missing in {self.seen!r}"
        self.seen = self.seen.split(text, 1)[1]

    def end(self, seconds=60):
        """Exit code, after all output."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read(end - time.monotonic()):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_terminal():
    """a terminal: its size at once, a new size, TERM, UTF-8, no carriage return too many"""
    t = Terminal("run", app(), "bash", rows=31, cols=101)
    t.expect("$ ")
    t.type("stty size; echo $TERM\n")
    t.expect("31 101\r\n")
    t.expect("xterm-256color\r\n")
    t.type("stty -echo; PS1=; trap 'stty size' WINCH\n")
    t.type("echo ready-$((1+1))\n")
    t.expect("ready-2\r\n")
    t.size(40, 132)
    os.kill(t.pid, signal.SIGWINCH)
    until(lambda: (t.type("stty size\n"), t.read(1), b"40 132" in t.seen)[2])
    t.type("printf '%s\\n' 'grüße 😀'\n")
    t.expect("grüße 😀\r\n")
    t.type("exit 7\n")
    assert t.end() == 7


def test_terminal_size_first():
    """the first thing that a command asks for, the terminal's size, is right"""
    t = Terminal("run", app(), "stty", "size", rows=23, cols=77)
    t.expect("23 77\r\n")
    assert t.end() == 0


def test_control_c():
    """Ctrl-C goes to the command: 130"""
    t = Terminal("run", app(), line("echo begun-$((1+1)); sleep 100; echo never-$((1+1))"))
    t.expect("begun-2")
    t.type(b"\x03")
    assert t.end() == 130
    assert b"never-2" not in t.seen
    t = Terminal("run", app(), line("trap 'echo caught-$((1+1)); exit 5' INT; echo begun-$((1+1)); while :; do sleep 0.1; done"))
    t.expect("begun-2")
    t.type(b"\x03")
    t.expect("caught-2")
    assert t.end() == 5
    no_pods()


def test_no_tty():
    """--no-tty: pipes under a terminal"""
    t = Terminal("run", app(), "--no-tty", line("test -t 1 && echo terminal || echo pipes"))
    t.expect("pipes")
    t.type(b"\x04")
    assert t.end() == 0


def start(*words, **kw):
    return subprocess.Popen([*ssh_argv(), f"git@{HOST}", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **kw)


def test_client_vanishes():
    """a client that is killed takes its command along"""
    p = start("run", app(), line("echo up; sleep 1000"))
    assert p.stdout.readline() == b"up\n"
    assert pods()
    p.kill()
    p.communicate()
    no_pods()
    # Before it has begun.
    p = start("run", app(), "sleep", "1000")
    until(pods)
    p.kill()
    p.communicate()
    no_pods()


def test_not_in_ps():
    """one-off commands are no processes: not in ps, and a release doesn't wait for them"""
    p = start("run", app(), line("echo up; cat"))
    assert p.stdout.readline() == b"up\n"
    names = [i["name"] for i in check(ssh("ps", app(), "--json")).json()]
    assert names == ["web.1"], names
    check(ssh("ps:restart", app()))
    listed = check(ssh("run:list", app(), "--json")).json()
    assert len(listed) == 1 and listed[0]["state"] == "running" and not listed[0]["detached"], listed
    assert listed[0]["command"] == "echo up; cat", listed
    out, err = p.communicate(b"still here")
    assert p.returncode == 0 and out == b"still here", (p.returncode, out, err)


def test_ttl():
    """--ttl ends it, with a word about it"""
    r = ssh("run", app(), "--ttl", "2s", "sleep", "100")
    assert r.code in (124, 137, 143), repr(r)
    has(r, "its time was over")
    has(check(ssh("run", app(), "--ttl", "2", "true"), 2), "10m")


def test_detached():
    """run:detached, run:list, run:logs, run:stop"""
    name = check(ssh("run:detached", app(), line("echo begun; echo $GREETING; exit 4"))).out.strip()
    assert re.fullmatch(r"run\.\d+", name), name
    r = until(lambda: (lambda r: r if r.code == 0 else None)(ssh("run:logs", app(), name, "-t")))
    assert r.out == "begun\nconfig\n", repr(r)

    def state():
        return next((o for o in check(ssh("run:list", app(), "--json")).json() if o["name"] == name), None)

    until(lambda: state()["state"] == "failed")
    one = state()
    assert one["exit_code"] == 4 and one["detached"] and one["started_at"], one
    has(check(ssh("run:list", app())), name, "exit 4", "echo begun")
    assert check(ssh("run:logs", app(), name)).out == "begun\nconfig\n"
    check(ssh("run:stop", app(), name))
    until(lambda: state() is None)
    has(check(ssh("run:logs", app(), name), 4), "no " + name)
    name = check(ssh("run:detached", "--json", app(), "sleep", "1000")).json()["name"]
    until(lambda: (state() or {}).get("state") == "running")
    check(ssh("run:stop", app(), name))
    no_pods()


def test_stop_attached():
    """run:stop ends an attached one, whose client sees it"""
    p = start("run", app(), line("trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.1; done"))
    assert p.stdout.readline() == b"up\n"
    name = check(ssh("run:list", app(), "--json")).json()[-1]["name"]
    check(ssh("run:stop", app(), name))
    out, err = p.communicate(timeout=60)
    assert p.returncode == 9 and out == b"term\n", (p.returncode, out, err)
    has(check(ssh("run:stop", app(), "run.1"), 4), "run.1")
    has(check(ssh("run:stop", app(), "web.1"), 2), "run.48213")


def test_enter():
    """enter: a command and a shell inside a running process"""
    r = check(ssh("enter", app(), "web.1", line("echo in; echo e >&2; cat; exit 6"), stdin=b"data"), 6)
    assert r.out == "in\ndata" and r.err == "e\n", repr(r)
    assert "web.py" in check(ssh("enter", app(), "web", "ls", "-a")).out
    assert check(ssh("enter", app(), "web", "printenv", "GREETING")).out == "config\n"
    data = os.urandom(MANY)
    assert check(ssh("enter", app(), "web.1", "cat", stdin=data)).raw == data
    t = Terminal("enter", app(), "web.1", rows=33, cols=99)
    t.expect("$ ")
    t.type("stty size; exit 3\n")
    t.expect("33 99\r\n")
    assert t.end() == 3
    has(check(ssh("enter", app(), "web.9"), 4), "web.9")
    has(check(ssh("enter", app(), "worker"), 4), "worker")


def test_enter_vanishes():
    """what was entered ends with its client, and nothing else in the process does"""
    def running():
        return check(ssh("enter", app(), "web", line('for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done '
                                                     "2>/dev/null"))).out
    p = start("enter", app(), "web", line("echo up; sleep 777 & trap '' TERM; wait"))
    assert p.stdout.readline() == b"up\n"
    assert "sleep 777" in running()
    p.kill()
    p.communicate()
    t = Terminal("enter", app(), "web")
    t.expect("$ ")
    t.type("echo up-$((1+1)); sleep 778\n")
    t.expect("up-2")
    assert "sleep 778" in running()
    os.kill(t.pid, signal.SIGKILL)
    t.end()
    until(lambda: not re.search("sleep 77|wait", running()))
    assert "web.py" in running()


def test_wrong_input():
    """what does not fit is named, and nothing is started"""
    has(check(ssh("run", app()), 2), "needs a command")
    has(check(ssh("run"), 2), "app is missing")
    has(check(ssh("run", app(), "--ttl", "99d", "true"), 2), "30 days")
    has(check(ssh("run", "nosuchapp", "true"), 4), "not found")
    key = new_user(f"viewer{os.getpid()}")
    check(ssh("access:grant", app(), f"viewer{os.getpid()}", "deploy"))
    has(check(ssh("run", app(), "true", key=key), 3), "operate")
    has(check(ssh("enter", app(), "web.1", key=key), 3), "operate")
    assert not pods()


def test_killed_parts():
    """the deployer's processes are killed: the command is ended, and the client is told"""
    global APP
    with harness.Server() as server:
        saved, APP = APP, None
        for role in ("stream", "deployer"):
            p = start("run", app(), line("echo up; sleep 1000"))
            assert p.stdout.readline() == b"up\n"
            assert server.kill(role) >= 1
            _, err = p.communicate(timeout=60)
            assert p.returncode in (5, 6) and b"ended" in err, (role, p.returncode, err)
            check(ssh("run:list", app()))
            no_pods()
        p = start("run", app(), line("echo up; sleep 1000"))
        assert p.stdout.readline() == b"up\n"
        server.kill("session")
        p.communicate(timeout=60)
        assert p.returncode != 0
        no_pods()
        APP = saved


if __name__ == "__main__":
    harness.main(globals())
