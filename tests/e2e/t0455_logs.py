#!/usr/bin/env python3
"""Logs: all instances in one order; a follower through a rollout and a crash has each line once; a type that there is not;
many followers of one that writes much."""

import collections
import contextlib
import os
import pathlib
import re
import subprocess
import time

import harness
from harness import ENV, HOST, TMP, Repo, check, get, has, hello, new_app, new_name, ssh, ssh_argv, until, url

RATE = 200  # lines a second of each instance

# Each process names itself anew and numbers its lines, on both of its streams. It says when it has come to its end.
COUNTER = r'''
import http.server, os, signal, sys, threading, time, uuid
me, lock, n, stop = uuid.uuid4().hex[:12], threading.Lock(), 0, threading.Event()

def say(text=""):
    global n
    with lock:
        out = sys.stdout if n % 3 else sys.stderr
        print(f"#{me} {n}{text}", file=out, flush=True)
        n += 1

def end(code):
    stop.set()
    for _ in range(300):
        say()
    with lock:
        os.write(1, f"#{me} {n} end\n".encode())
        os._exit(code)

class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(me)))
        self.end_headers()
        self.wfile.write(me.encode())
        if self.path == "/crash":  # who has no answer asks again, and another one
            threading.Thread(target=end, args=(3,)).start()
    def log_message(self, *_):
        pass

def count():
    while not stop.wait(1 / RATE):
        say()

signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end, args=(0,)).start())
threading.Thread(target=count).start()
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), H).serve_forever()
'''

# As many lines as are asked for, all the time.
FLOOD = r'''
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
at, n = time.monotonic(), 0
while True:
    os.write(1, b"".join(b"%09d %s\n" % (n + i, b"x" * 50) for i in range(100)))
    n += 100
    at += 0.01
    time.sleep(max(0, at - time.monotonic()))
'''

BEGINS = 100
LINE = re.compile(r"^(\S+) (\S+) #(\w+) (\d+)( end)?$")
repo = None


def files(text):
    return {"Procfile": "web: exec python3 web.py\nflood: exec python3 flood.py\n", "flood.py": FLOOD,
            "web.py": f"RATE = {RATE}  # {text} {harness.unique}\n{COUNTER}",
            "app.json": '{"formation": {"web": {"quantity": 2}, "flood": {"quantity": 0}}}'}


class Follower:
    """A person with logs -t, whose output goes into a file."""

    def __init__(self, *words, **how):
        self.path = pathlib.Path(TMP) / f"follow-{time.monotonic_ns()}"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([*ssh_argv(), f"git@{HOST}", "logs", *words], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT, **how)

    def lines(self):
        """(time, name, process, number, at its end) of each whole line."""
        text = self.path.read_text().rpartition("\n")[0]
        found = [LINE.match(line) for line in text.splitlines()]
        assert None not in found, [line for line, m in zip(text.splitlines(), found) if m is None][:3]
        return [(m[1], m[2], m[3], int(m[4]), m[5] is not None) for m in found]

    def numbers(self):
        """{process: its numbers, as they came}."""
        all_ = collections.defaultdict(list)
        for _, _, process, number, _ in self.lines():
            all_[process].append(number)
        return all_

    def ended(self):
        return {process for _, _, process, _, end in self.lines() if end}

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def whole(who, from_start):
    """Of each process, no number is missing between its first and its last, and none is there twice. A follower's first lines
    are not in the order of their numbers: what a process prints on its two streams is given its time, and its place in the log,
    by two readers. So one number may lie before the follower's beginning and a smaller one behind it; counted is from the
    BEGINS lines on. The past of -n 200 ends behind these."""
    begin = {process: number for _, _, process, number, _ in who.lines()[:BEGINS]}
    for process, seen in who.numbers().items():
        twice = [n for n, times in collections.Counter(seen).items() if times > 1]
        first = 0 if process in from_start else begin.get(process, min(seen))
        missing = sorted(set(range(first, max(seen) + 1)) - set(seen))
        assert not twice and not missing, f"{process}: {len(seen)} lines, twice: {twice[:9]}, missing: {missing[:9]}"


def test_rollout_and_crash():
    """a follower has each line of each process once: through a rollout, and through a crash"""
    global repo
    repo = Repo(new_name())
    repo.commit("first", files("first"))
    check(repo.push())
    # Two who came at other times: one in the middle of lines, one with some of the past.
    for tail in ("0", "200"):
        if tail == "0":
            f = Follower(repo.app, "-t", "-n", tail)
            until(lambda: len(f.numbers()) == 2)
            old = set(f.numbers())
        else:
            g = Follower(repo.app, "-t", "-n", tail, "-p", "web")
            until(lambda: len(g.numbers()) == 2)
    repo.commit("second", files("second"))
    check(repo.push())
    until(lambda: old <= f.ended() and old <= g.ended())
    until(lambda: len(f.numbers()) >= 4 and len(g.numbers()) >= 4)
    # One of the new ones ends in the middle of its work, and is started again.
    crashed = get(url(repo.app) + "/crash")
    for who in (f, g):
        until(lambda: crashed in who.ended(), 60)
        before = set(who.numbers())
        until(lambda: set(who.numbers()) - before or len(who.numbers()) >= 5, 60)
        time.sleep(1)
    f.stop(), g.stop()
    whole(f, set(f.numbers()) - old)
    whole(g, set(g.numbers()) - old)
    print(f"# {len(f.lines())} lines of {len(f.numbers())} processes")


def last(app, n):
    """The last lines of all instances, n at most, as LINE has them. What is wrong with them is told shortly."""
    r = ssh("logs", app, "-n", str(n))
    assert r.code == 0, (r.code, r.err)
    text = r.out.splitlines()
    rows = [LINE.match(line) for line in text]
    other = [line for line, m in zip(text, rows) if m is None]
    assert len(rows) <= n and not other, (len(rows), other[:5])
    late = [(a[1], b[1]) for a, b in zip(rows, rows[1:]) if a[1] > b[1]]
    assert not late, late[:5]
    twice = [line for line, times in collections.Counter((m[3], m[4]) for m in rows).items() if times > 1]
    assert not twice, (len(twice), twice[:5])
    return rows


def test_order():
    """logs -n: so many lines of all instances together, in order of time, up to now; --since; one instance; --json"""
    app = repo.app
    assert len(last(app, 1)) == 1
    # On a busy machine one instance may stand still while the other prints all 300.
    until(lambda: len({m[2] for m in last(app, 300)}) == 2)
    rows = last(app, 300)
    assert len(rows) == 300, len(rows)
    name = rows[-1][2]
    assert check(ssh("logs", app, "-n", "0")).out == ""
    rows = check(ssh("logs", app, "--since", "5s", "-p", name)).out.splitlines()
    assert rows and len(rows) < 20 * RATE and all(f" {name} " in line for line in rows), (len(rows), rows[:3])
    row = check(ssh("logs", app, "-n", "1", "--json")).json()
    assert sorted(row) == ["process", "text", "time"] and row["process"].startswith("web."), row


def test_long_past():
    """logs --since of a long log: the last 10000 lines, and a line in front says that older ones are left out"""
    big = Repo(new_name())
    big.commit("first", {**hello("one", procfile="web: python3 fill.py; exec python3 -u web.py\n"),
                         "fill.py": "for i in range(30000): print('line', i, 'of many')\n"})
    check(big.push())
    until(lambda: " line 29999 of many" in check(ssh("logs", big.app, "-n", "200")).out)
    rows = check(ssh("logs", big.app, "--since", "1h")).out.splitlines()
    assert rows[0].endswith(" slipway older lines are left out here: the last 10000 are shown"), rows[:2]
    numbers = [int(m[1]) for m in (re.search(" web[.]1 line ([0-9]+) of many$", row) for row in rows) if m]
    assert len(rows) == 10001 and numbers[-1] == 29999 and numbers == list(range(numbers[0], 30000)), (len(rows), numbers[:1])
    rows = check(ssh("logs", big.app, "-n", "10000")).out.splitlines()
    assert len(rows) == 10000 and " slipway " not in rows[0], rows[:2]


def test_crash_loop():
    """logs -n of one that has crashed twice has each line once, while it waits to be started again, too"""
    one = Repo(new_name())
    one.commit("first", {**files("loop"), "app.json": '{"formation": {"web": {"quantity": 1}, "flood": {"quantity": 0}}}'})
    check(one.push())
    for _ in range(2):
        crashed = get(url(one.app) + "/crash", 30)
        until(lambda: any(m[5] and m[3] == crashed for m in last(one.app, 300)))
    until(lambda: any(m[3] != crashed for m in last(one.app, 300)[-1:]), 60)


def test_no_such_type():
    """a process type that the app does not have is named, with those that it has"""
    has(check(ssh("logs", repo.app, "-p", "wbe"), 2), "no process type wbe", "web", "flood")
    has(check(ssh("logs", repo.app, "-t", "-p", "wbe.1"), 2), "no process type wbe")
    assert check(ssh("logs", repo.app, "-p", "flood")).out == ""


def test_builds_and_releases():
    """logs -p build and -p release: what has been printed, and what comes, of a push, of config and of a build that fails"""
    app = repo.app
    r = check(ssh("logs", app, "-p", "build", "-n", "1000"))
    names = [line.split(" ")[0] for line in r.out.splitlines()]
    assert len(set(names)) == 2 and names == sorted(names, key=lambda n: int(n.removeprefix("build."))), names
    has(r, "is live")
    assert len(check(ssh("logs", app, "-p", "build", "-n", "2")).out.splitlines()) == 2
    row = check(ssh("logs", app, "-p", "release", "-n", "1", "--json")).json()
    assert row["process"] == "release.v2" and row["time"] is None, row
    builds, releases = Follower(app, "-t", "-n", "1", "-p", "build"), Follower(app, "-t", "-n", "1", "-p", "release")
    for f in (builds, releases):
        until(lambda: f.path.stat().st_size > 0)
    check(ssh("config:set", app, "A=1"))
    repo.commit("fails", {"requirements.txt": "no-such-module @ file:///nowhere\n"})
    assert repo.push().code == 1
    until(lambda: "Processing /nowhere" in builds.path.read_text())
    until(lambda: "release.v3 " in releases.path.read_text())
    shown = check(ssh("releases:output", app, "v3")).out.splitlines()
    until(lambda: [f"release.v3 {line}" for line in shown] == releases.path.read_text().splitlines()[1:])
    shown = check(ssh("builds:output", app)).out.splitlines()
    name = names[-1].partition(".")[0] + "." + str(check(ssh("builds:list", app, "--json")).json()[0]["id"])
    until(lambda: [f"{name} {line}" for line in shown] == builds.path.read_text().splitlines()[1:])
    builds.stop(), releases.stop()


def test_release_command():
    """what a release command prints is in logs -p release, with config values masked, and not among the processes' lines"""
    one, value = Repo(new_name()), "a-word-that-nobody-sees"
    check(ssh("apps:create", one.app))
    check(ssh("config:set", one.app, f"WORD={value}"))
    one.commit("first", hello("one", "web: exec python3 -u web.py\nrelease: echo the word is $WORD\n"))
    check(one.push())
    shown = check(ssh("logs", one.app, "-p", "release")).out
    assert re.search(r"^release\.v\d+ .*the word is \S", shown, re.M) and value not in shown, shown
    until(lambda: check(ssh("logs", one.app, "-n", "300")).out)
    shown = check(ssh("logs", one.app, "-n", "300")).out
    assert "the word is" not in shown and value not in shown, shown


def test_router():
    """logs -p router: what came to the app's address on Docker, without what follows the path's ?; on Kubernetes, why there is none"""
    one, other = new_app("one"), new_app("other")
    app = one.app
    if ENV["SLIPWAY_TARGET"] != "docker":
        has(check(ssh("logs", app, "-p", "router"), 1), "kubernetes shows no router's lines", "has a log of its own")
        return
    f = Follower(app, "-t", "-n", "0", "-p", "router")
    get(url(other.app) + "/of-another")
    get(url(app) + "/seen?token=a-word-that-nobody-sees")
    until(lambda: "/seen" in ssh("logs", app, "-p", "router").out)
    row = check(ssh("logs", app, "-p", "router")).out.splitlines()[-1]
    host = url(app).split("//")[1].split(":")[0]
    assert re.fullmatch(r'\S+ router at=info method=GET path="/seen" host=%s fwd="127\.0\.0\.1" service=\d+ms status=200 '
                        r'bytes=\d+ protocol=http' % re.escape(host), row), row
    assert all(" router " in line and host in line for line in ssh("logs", app, "-p", "router").out.splitlines())
    assert check(ssh("logs", app, "-p", "router", "-n", "1")).out.splitlines() == [row]
    assert check(ssh("logs", app, "-p", "router", "-n", "1", "--json")).json()["process"] == "router"
    get(url(app) + "/later")
    until(lambda: 'path="/later"' in f.path.read_text())
    f.stop()
    with open(f"{ENV['SLIPWAY_STATE']}/run/docker/requests/requests.log") as kept:
        assert "a-word-that-nobody-sees" not in kept.read()


def pss(pid):
    """KiB of the process's own part of memory; 0: it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
    except (OSError, TypeError):
        return 0


def stand_back():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Counter:
    """A person with logs -t whose output is counted, and kept nowhere; on a machine of theirs, whose work is not a push's."""

    def __init__(self, *words):
        self.process = subprocess.Popen([*ssh_argv(), f"git@{HOST}", "logs", *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=stand_back)

    @property
    def bytes(self):
        """That ssh has written: nearly all are the lines."""
        return int(re.search(r"^wchar: (\d+)", pathlib.Path(f"/proc/{self.process.pid}/io").read_text(), re.M)[1])


FOLLOWERS = 50
FOLLOWER_KIB = 8 * 1024  # of memory for each: a session and a stream
FLOOD_LINE = len("2026-01-02T03:04:05Z flood.1 000000000 " + "x" * 50 + "\n")
FLOOD_APP = {**files("flood"), "app.json": '{"formation": {"web": {"quantity": 1}, "flood": {"quantity": 0}}}'}


@contextlib.contextmanager
def many_followers(server, app):
    """FOLLOWERS of the server's app's process "flood", which writes from then on."""
    all_ = [Counter(app, "-t", "-n", "0", "-p", "flood") for _ in range(FOLLOWERS)]
    try:
        # What reads the app's logs is one for all of them.
        until(lambda: len(server.processes("session")) >= FOLLOWERS and len(server.processes("stream")) == 1)
        check(ssh("ps:scale", app, "flood=1"))
        until(lambda: all(f.bytes > 100 * FLOOD_LINE for f in all_), 120)
        yield all_
        assert all(f.process.poll() is None for f in all_)
        assert len(server.processes("stream")) == 1
    finally:
        for f in all_:
            f.process.kill()
            f.process.wait()


def test_many_followers():
    """50 followers of 10,000 lines a second: a push goes live beside them, and memory stays bounded"""
    with harness.Server(ssh__max_connections_per_address="100") as server:
        writer, other = Repo(new_name()), Repo(new_name())
        writer.commit("first", FLOOD_APP)
        check(writer.push())
        other.commit("first", hello("one"))
        check(other.push())

        def push(text):
            other.commit(text, hello(text))
            begin = time.monotonic()
            check(other.push())
            return time.monotonic() - begin

        alone = push("two")
        with many_followers(server, writer.app) as all_:
            before, begin = [f.bytes for f in all_], time.monotonic()
            beside = push("three")
            seconds = time.monotonic() - begin
            rates = sorted((f.bytes - n) / FLOOD_LINE / seconds for f, n in zip(all_, before))
            used = [pss(p) for role in ("session", "stream") for p in server.processes(role)]
        per = sum(used) / FOLLOWERS
        print(f"# a push alone {alone:.1f} s, beside {FOLLOWERS} followers {beside:.1f} s; each had {rates[0]:.0f} to "
              f"{rates[-1]:.0f} lines a second; {per:.0f} KiB for each follower")
        assert per < FOLLOWER_KIB, used


LEFT_OUT = re.compile(r"^\S+ slipway (\d+) lines are left out here: ")


def flood_rows(data):
    """[number, or -n where n lines are told to be left out] of the whole lines."""
    rows = []
    for line in data.decode().rpartition("\n")[0].splitlines():
        left = LEFT_OUT.match(line)
        rows.append(-int(left[1]) if left else int(line.split(" ")[2]))
    return rows


def complete(rows):
    """Each line follows the one before, or a line says how many are between them. The number of those."""
    left, expected = 0, None
    for row in rows:
        if row < 0:
            left, expected = left - row, expected - row if expected is not None else None
            continue
        assert expected is None or row == expected, (expected, row)
        expected = row + 1
    return left


FAST_BYTES = 12 << 20  # more than what is kept for slow ones, and than a file of the engine's


def test_slow_follower():
    """one who takes no lines holds up nobody else, and has each line then, or is told how many are missing; files change meanwhile"""
    one = Repo(new_name())
    one.commit("first", {**files("slow"), "app.json": '{"formation": {"web": {"quantity": 0}, "flood": {"quantity": 1}}}'})
    check(one.push())
    argv = [*ssh_argv(), f"git@{HOST}", "logs", one.app, "-t", "-n", "0", "-p", "flood"]
    slow, fast = (subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(2))
    got = {slow: b"", fast: b""}

    def take(who):
        piece = os.read(who.stdout.fileno(), 1 << 20)
        assert piece, (who is slow, len(got[who]))
        got[who] += piece
        return flood_rows(got[who][-1000:].partition(b"\n")[2])[-1:]

    try:
        while len(got[fast]) < FAST_BYTES:
            latest = take(fast)
        while max(take(slow), default=0) < latest[0]:
            pass
    finally:
        for who in got:
            who.kill()
            who.wait()
    assert complete(flood_rows(got[fast])) == 0
    rows = flood_rows(got[slow])
    print(f"# the slow one has {len(rows)} lines, and was told of {complete(rows)} that are left out")


if __name__ == "__main__":
    harness.main(globals())
