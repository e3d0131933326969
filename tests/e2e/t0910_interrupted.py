#!/usr/bin/env python3
"""A test program that is interrupted leaves no server: neither its roles nor its router."""

import os
import select
import signal
import subprocess
import sys

import harness
from harness import TOP, descendants, until

# A test that has a server of its own, and then waits for ever.
PROGRAM = f"""
import signal, sys
sys.path.insert(0, {str(TOP / "tests" / "e2e")!r})
import harness
def test_waits():
    with harness.Server(target__target="docker"):
        print("serves", flush=True)
        signal.pause()
harness.main(globals())
"""


def processes(program):
    """{process: line} of the server's processes; the router's name is Slipway's until it has become Caddy."""
    return {pid: line for pid, line in descendants(program.pid).items() if "slipway" in line or "caddy" in line}


def listens():
    """What a shell starts behind "&" ignores Ctrl-C, as this test may be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def one(signo):
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, preexec_fn=listens) as p:
        assert p.stdout.readline() == "1..1\n"
        assert p.stdout.readline() == "serves\n"
        until(lambda: any("caddy run" in line for line in processes(p).values()))
        found = processes(p)
        assert sum("slipway: " in line for line in found.values()) >= 3, found
        # Sessions end by themselves.
        watched = {os.pidfd_open(pid): line for pid, line in found.items() if "slipway: session" not in line}
        p.send_signal(signo)
        p.wait(60)
        ended(watched)


def ended(watched):
    """All of these end; a pidfd is readable then."""
    while watched:
        ready = select.select(list(watched), [], [], 60)[0]
        assert ready, f"still there: {list(watched.values())}"
        for fd in ready:
            os.close(fd)
            del watched[fd]


def test_interrupted():
    """a Ctrl-C"""
    one(signal.SIGINT)


def test_terminated():
    """SIGTERM, as of a run of all tests that is ended"""
    one(signal.SIGTERM)


def test_killed():
    """SIGKILL, which the program itself cannot see"""
    one(signal.SIGKILL)


def test_killed_server():
    """Caddy, which goes on where its server is killed, ends with the test"""
    with harness.Server(target__target="docker") as server:
        until(lambda: any("caddy run" in line for line in descendants(server.process.pid).values()))
        watched = {os.pidfd_open(pid): line for pid, line in descendants(server.process.pid).items() if "caddy run" in line}
        server.kill("supervisor")
        assert watched and not select.select(list(watched), [], [], 0)[0], watched
    ended(watched)


harness.main(globals())
