#!/usr/bin/env python3
"""Standard input that breaks off: each command that reads it changes nothing where its client vanishes in the middle."""

import io
import json
import pathlib
import signal
import socket
import struct
import subprocess
import tarfile
import threading

import harness
from harness import Server, check, hello, new_app, new_key, new_name, new_user, ssh, ssh_argv, until


class Relay:
    """Between a client and the server: counts what it has passed on to the server, and can cut the connection."""

    def __init__(self):
        self.sent, self.grown = 0, threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        client, _ = self.listener.accept()
        server = socket.create_connection((harness.HOST, int(harness.PORT)))
        self.ends = [client, server]
        threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()
        self.pump(client, server, True)

    def pump(self, source, to, counts):
        try:
            while piece := source.recv(65536):
                to.sendall(piece)
                if counts:
                    with self.grown:
                        self.sent += len(piece)
                        self.grown.notify_all()
        except OSError:  # cut, from either side
            pass
        try:
            to.shutdown(socket.SHUT_WR)
        except OSError:  # the other side is gone, too
            pass

    def wait(self, count):
        with self.grown:
            assert self.grown.wait_for(lambda: self.sent >= count, 30), (self.sent, count)

    def cut(self):
        """The server gets a reset: what a dead network does to it in the end."""
        server = self.ends[1]
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.shutdown(socket.SHUT_RD)  # whoever reads from it would keep it open
        server.close()

    def close(self):
        """All that the client has said, and its end, have been passed on."""
        self.thread.join(30)
        for s in (self.listener, *self.ends):
            s.close()


def begin(relay, words, half, key=None):
    """A client whose command runs, and which has sent half of its input and waits for more."""
    argv = ["LogLevel=DEBUG2" if a == "LogLevel=ERROR" else a for a in ssh_argv(key, port=relay.port)]
    p = subprocess.Popen([*argv, f"git@{harness.HOST}", *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, start_new_session=True,
                         # A shell's background job ignores Ctrl-C, and so does what it starts.
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    for line in p.stderr:
        if b"exec request accepted" in line:
            break
    else:
        raise AssertionError(f"{words} did not begin")
    threading.Thread(target=p.stderr.read, daemon=True).start()  # ssh never waits for its log
    before = relay.sent
    p.stdin.write(half)
    p.stdin.flush()
    relay.wait(before + len(half))
    return p


def by_signal(signo):
    def vanish(words, half):
        relay = Relay()
        p = begin(relay, words, half)
        p.send_signal(signo)
        p.wait(30)
        relay.close()
    return vanish


def by_cut(words, half):
    relay = Relay()
    p = begin(relay, words, half)
    relay.cut()
    p.wait(30)
    relay.close()


WAYS = {"kill -9": by_signal(signal.SIGKILL), "SIGTERM": by_signal(signal.SIGTERM), "Ctrl-C": by_signal(signal.SIGINT),
        "a cut": by_cut}


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def state(app):
    """All that the commands could have changed, but the audit's rows."""
    rows = [check(ssh(*words, "--json")).json() for words in (
        ("apps:info", app), ("apps:list",), ("config:list", app, "--show"), ("releases", app), ("builds:list", app),
        ("access:list", app), ("ps:report", app))]
    keys = [{**k, "last_used_at": None} for k in check(ssh("keys:list", "--all", "--json")).json()]
    files = sorted(str(p.relative_to(harness.STATE)) for p in pathlib.Path(harness.STATE).rglob("*")
                   if not p.name.startswith("slipway.db"))
    return json.dumps([rows, keys, files], indent=1)


def rows(verb):
    return [r for r in check(ssh("audit", "-n", "1000", "--json")).json() if r["command"] == verb]


def too_early(server):
    """How many have vanished before their command had begun, which leaves no row then."""
    return server.log.read_text().count("ended before a request was made")


def cases(app):
    """(words, half): each half is whole by itself."""
    document = json.loads(check(ssh("apps:export", app, "--json")).out)
    document["config"] = {"HALF": {"value": "half"}}
    return [
        (["config:import", app], b"HALF=1\nHALF_TOO=2\n"),
        (["config:set", app, "A=1", "HALF=@-"], b"half of a value"),
        (["keys:add", "half"], new_key("half").with_suffix(".pub").read_bytes()),
        (["apps:apply", app], json.dumps(document).encode() + b"\n"),
        (["apps:import", new_name(), "--skip-deploy"], json.dumps(document).encode() + b"\n"),
        (["git:from-archive", app, "-"], tar(hello("half"))),
    ]


def half_read(*ways):
    with Server() as server:
        app = new_app().app
        tried = cases(app)
        before, begun = state(app), 0
        for way in ways:
            for words, half in tried:
                n, early = len(rows(words[0])), too_early(server)
                WAYS[way](words, half)
                until(lambda: len(rows(words[0])) + too_early(server) == n + early + 1)  # the command has ended
                failed = rows(words[0])[:len(rows(words[0])) - n]
                assert all(row["result"] != 0 for row in failed), (way, words, failed)
                begun += len(failed)
                assert state(app) == before, f"{words[0]} with half of its input, and {way}: {before}\n{state(app)}"
        assert begun >= len(ways) * len(tried) // 2, begun
        # Each half would have been taken: a client that says that this is all changes something by it.
        for words, half in tried:
            before = state(app)
            check(ssh(*words, stdin=half))
            assert state(app) != before, words


def test_half_read():
    """half of the input, then kill -9 or SIGTERM: config, keys, releases, apps and files stay; the whole is taken"""
    half_read("kill -9", "SIGTERM")


def test_half_read_and_away():
    """half of the input, then Ctrl-C or a cut: the same"""
    half_read("Ctrl-C", "a cut")


def test_taken_away():
    """who has the role, the key or the right when the input begins, and not when it ends, changes nothing"""
    def shown():
        return [check(ssh(*words, "--json")).out for words in (
            ("apps:info", app), ("apps:list",), ("config:list", app), ("releases", app), ("builds:list", app))]

    def goes_on(words, half, key, meanwhile, code):
        before, relay = shown(), Relay()
        p = begin(relay, words, half, key)
        meanwhile()
        p.stdin.close()
        assert p.wait(30) == code, words
        relay.close()
        assert shown() == before, words

    with Server():
        app = new_app().app
        for words, half in cases(app):
            name = new_name("u")
            key = new_user(name, "--create")
            check(ssh("access:grant", app, name, "own"))
            goes_on(words, half, key, lambda: check(ssh("keys:remove", name, "--user", name)), 3)
            assert check(ssh("keys:list", "--user", name, "--json")).json() == []
            key = new_key(new_name("k"))
            check(ssh("keys:add", "--user", name, stdin=key.with_suffix(".pub").read_bytes()))
            if app in words:
                goes_on(words, half, key, lambda: check(ssh("access:revoke", app, name)), 4)
            elif "apps:import" in words:
                goes_on(words, half, key, lambda: check(ssh("users:set", name, "user")), 3)


harness.main(globals())
