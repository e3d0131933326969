"""Ends the servers of a test program that was killed: neither its handlers nor its `with` see that.

Reads lines "PROCESS STATE" from standard input, whose other end the test program alone holds; at its end, however that came,
it ends those that still run. (PR_SET_PDEATHSIG would be lost: a server that is root changes its effective user at times.)
"""

import fcntl
import os
import pathlib
import select
import signal
import sys

SERVER_SECONDS, ROUTER_SECONDS = 60, 10


def end(process, seconds):
    """Ends the process of this pidfd, which is closed; returns when it has ended."""
    try:
        for signo in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, signo)
            if select.select([process], [], [], seconds)[0]:
                break
    except ProcessLookupError:
        pass
    finally:
        os.close(process)


def router_end(state):
    """Ends the Caddy of this state folder: it holds a lock as long as it runs, and goes on where its server was killed."""
    try:
        with open(pathlib.Path(state) / "run" / "docker" / "caddy.lock", encoding="ascii") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                process = os.pidfd_open(int(f.read()))
    except (OSError, ValueError):  # there is none, or none any more
        return
    end(process, ROUTER_SECONDS)


def main():
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the test program's, which ends then
        signal.signal(signo, signal.SIG_IGN)
    servers = []
    for line in sys.stdin:
        pid, _, state = line.rstrip("\n").partition(" ")
        try:
            servers.append((os.pidfd_open(int(pid)), state))
        except ProcessLookupError:
            pass
    for process, state in servers:
        end(process, SERVER_SECONDS)
        router_end(state)


if __name__ == "__main__":
    main()
