#!/usr/bin/python3
"""The questions of `slipway init`, on a terminal. Run by tests/unit/test_init.sh with the program. Prints TAP.

As root everything runs as another user, so that the machine's accounts stay as they are."""

import configparser
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap  # noqa: E402
from terminal import Terminal  # noqa: E402

KEY, HOST, REGISTRY = "Public key of the first admin", "Host name of this server", "Registry for the images"
NOBODY = 65534 if os.geteuid() == 0 else None


class Answers(http.server.BaseHTTPRequestHandler):
    """Of a registry, only the answer to "are you one?"."""

    def do_GET(self):
        self.send_response(200 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Place:
    """A folder with the program and a key, and none of what init makes."""

    def __init__(self, program):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-init-"))
        self.folder.chmod(0o755)
        self.program = shutil.copy(program, self.folder / "slipway")
        self.home = self.folder / "home"
        self.home.mkdir()
        self.made = self.folder / "made"
        self.made.mkdir()
        if NOBODY:
            os.chown(self.made, NOBODY, NOBODY)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@desk", "-f", self.home / "key"],
                       check=True)
        self.key = (self.home / "key.pub").read_text().strip()
        self.conf = self.made / "slipway.conf"

    def init(self, *arguments):
        return Terminal([self.program, "init", "--config", self.conf, "--state", self.made / "state", *arguments], NOBODY,
                        {"HOME": str(self.home)})

    def settings(self):
        c = configparser.RawConfigParser()
        c.read(self.conf)
        return c

    def nothing_made(self):
        return list(self.made.iterdir()) == []


def test_all_three(place, registry):
    """three questions; each wrong answer gets a sentence and the question again"""
    t = place.init()
    t.expect(KEY)
    t.type("/nowhere/key.pub\n")
    assert "cannot read /nowhere/key.pub" in t.expect(KEY)
    t.type("ssh-ed25519 AAAA oops\n")
    assert "ssh-ed25519" in t.expect(KEY)
    t.type(place.key + "\n")
    t.expect(HOST)
    for wrong in ("what ever", "203.0.113.7", "-x.example.com"):
        t.type(wrong + "\n")
        assert f'"{wrong}" is' in t.expect(HOST)
    t.type("paas.example.com\n")
    t.expect(REGISTRY + " [localhost:5000/apps]")
    t.type("http://localhost/\n")
    assert "is not HOST[:PORT][/PREFIX]" in t.expect(REGISTRY)
    t.type("localhost:1/apps\n")
    assert "localhost:1" in t.expect(REGISTRY)
    assert place.nothing_made()
    t.type(f"  {registry}/team \n")
    said = t.expect("apps:create shop")
    assert t.end() == 0, t.said
    assert "added key SHA256:" in said and "slipway check --config" in said and "git@paas.example.com" in said, said
    c = place.settings()
    got = [c.get(*s) for s in (("server", "host"), ("docker", "domain"), ("registry", "host"), ("registry", "insecure"),
                               ("build", "network"))]
    assert got == ["paas.example.com", "paas.example.com", f"{registry}/team", "yes", "host"], got
    t = place.init()
    assert t.end() == 0 and KEY not in t.said and HOST not in t.said, t.said


def test_options(place, registry):
    """what the options say is not asked, and counts"""
    t = place.init("--admin-key", "/nowhere/key.pub")
    assert t.end() == 4 and place.nothing_made() and KEY not in t.said, t.said
    t = place.init("--admin-key", place.home / "key.pub", "registry.host=" + registry, "docker.domain=apps.example.com")
    t.expect(HOST)
    t.type("paas.example.com\n")
    assert t.end() == 0 and KEY not in t.said and REGISTRY not in t.said, t.said
    c = place.settings()
    assert (c.get("server", "host"), c.get("docker", "domain")) == ("paas.example.com", "apps.example.com")
    assert (c.get("registry", "insecure"), c.get("build", "network")) == ("no", ""), "only answers bring these with them"


def test_end_of_input(place, registry):
    """Ctrl-D at the last question leaves nothing"""
    t = place.init("--admin-key", place.home / "key.pub")
    t.expect(HOST)
    t.type("paas.example.com\n")
    t.expect(REGISTRY)
    t.type("\x04")
    t.expect("nothing was changed")
    assert t.end() == 1 and place.nothing_made(), t.said


def test_interrupt(place, registry):
    """Ctrl-C at a question leaves nothing"""
    t = place.init()
    t.expect(KEY)
    t.type("~/key.pub\n")
    t.expect(HOST)
    t.type("\x03")
    assert t.end() == -2 and place.nothing_made(), t.said


def test_no_key_yet(place, registry):
    """a server without any key is asked for one, and for nothing else"""
    subprocess.run([place.program, "init", "--config", place.conf, "--state", place.made / "state"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, user=NOBODY, group=NOBODY,
                   extra_groups=[] if NOBODY else None)
    before = place.conf.read_bytes()
    t = place.init()
    t.expect(KEY)
    t.type("~/key.pub\n")
    t.expect("added key")
    assert t.end() == 0 and HOST not in t.said and place.conf.read_bytes() == before, t.said


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    registry = f"localhost:{server.server_address[1]}"
    tests = [fn for name, fn in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    for i, fn in enumerate(tests, 1):
        place = Place(sys.argv[1])
        try:
            fn(place, registry)
            tap.ok(i, fn.__doc__)
        except Exception:
            tap.not_ok(i, fn.__doc__)
        finally:
            shutil.rmtree(place.folder)


main()
