"""Peers that are silent, slow, many, or speak SSH as nobody should: the limits end them, nobody else notices."""

import os
import resource
import select
import socket
import subprocess
import threading
import time

os.environ["SLIPWAY_SETTINGS"] = ("ssh.login_grace_time=3s ssh.idle_timeout=3s ssh.session_cpu=2s "
                                  "ssh.max_connections_per_address=400")
import paramiko
from paramiko.common import cMSG_CHANNEL_CLOSE as MSG_CHANNEL_CLOSE
from paramiko.common import cMSG_CHANNEL_EOF as MSG_CHANNEL_EOF
from paramiko.common import cMSG_DISCONNECT as MSG_DISCONNECT

import fixture
import harness
from fixture import row
from harness import Repo, check, new_name, ssh, until
from pushclient import PushClient, pack, pkt
from sshraw import RawClient, plain_socket

FILES = {"Procfile": "web: run\n", "a.txt": "one\n"}


def closed(sock, seconds=30):
    """True where the server ends the connection; what it sends before is read away."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([sock], [], [], 1)[0]:
            continue
        try:
            if not sock.recv(65536):
                return True
        except OSError:
            return True
    return False


def no_session_left():
    until(lambda: len(fixture.sessions()) <= 1, 120)  # the spare one


def drip(sock, data, seconds=30, pause=0.3):
    """Sends a byte now and then; True where the server ends it before all is sent."""
    end = time.monotonic() + seconds
    for b in data:
        if time.monotonic() > end:
            return False
        try:
            sock.send(bytes([b]))
        except OSError:
            return True
        if select.select([sock], [], [], pause)[0]:
            try:
                if not sock.recv(65536):
                    return True
            except OSError:
                return True
    return False


def test_silent():
    """a peer that says nothing costs no process and is cut"""
    before = len(fixture.sessions())
    socks = [plain_socket() for _ in range(50)]
    check(ssh("version"))
    until(lambda: len(fixture.sessions()) <= before + 1)
    assert all(closed(s) for s in socks)


def test_not_ssh():
    """a peer that speaks something else is cut at once"""
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"SSH1", b"\0\0\0\0\0", b"EHLO x\r\n"):
        s = plain_socket()
        s.sendall(data)
        assert closed(s, 5), data
    no_session_left()


def test_slow_at_each_phase():
    """silence, and one byte at a time: at the greeting, in the key exchange, before a login, a channel, a request"""
    greeting = b"SSH-2.0-slow_1.0\r\n"
    for sent in (b"S", b"SSH-", greeting, greeting + b"\0\0\1\0"):
        s = plain_socket()
        s.sendall(sent)
        assert closed(s), sent
    for data in (greeting * 4, b"SSH-2.0-" + b"x" * 200):
        s = plain_socket()
        assert drip(s, data), data
    s = plain_socket()
    s.sendall(greeting)
    assert drip(s, b"\0\0\4\0" + b"\x14" * 500)
    for steps in range(3):
        c = RawClient()
        if steps >= 1:
            c.login()
        if steps >= 2:
            c.channel()
        assert c.ended(), steps
        c.close()
    no_session_left()


def test_slow_push():
    """silence and single bytes in the commands, in the options and in the pack; and a fetch that is not read"""
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    first = repo.head()
    head = repo.commit("second", {"r": os.urandom(200000)})
    command = pkt(f"{first} {head} refs/heads/main\0 report-status side-band-64k") + b"0000"
    data = pack(repo, "main", f"^{first}")

    def ends(client):
        end = time.monotonic() + 30
        while client.p.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        return client.p.poll() is not None

    for sent in (b"", command[:50], command, command + data[:1000]):
        client = PushClient(repo.app)
        client.send(sent)
        assert ends(client), len(sent)
        client.kill()
    for sent, slow in ((b"", command), (command, data)):
        client = PushClient(repo.app)
        client.send(sent)
        end = time.monotonic() + 30
        for b in slow:
            try:
                client.send(bytes([b]))
            except OSError:
                break
            time.sleep(0.2)
            if client.p.poll() is not None or time.monotonic() > end:
                break
        assert client.p.poll() is not None
        client.kill()
    assert row("SELECT count(*) FROM builds b JOIN apps a ON a.id = b.app_id WHERE a.name = ?", repo.app) == (1,)
    until(lambda: fixture.nothing_left(repo.app))

    repo.commit("third", {"big": os.urandom(8 << 20)})
    check(repo.push())
    reader = RawClient(window=70000).login()
    c = reader.run(f"git-upload-pack '{repo.app}'")
    c.sendall(pkt(f"want {repo.head()} side-band-64k ofs-delta") + b"0000" + pkt("done\n"))
    assert reader.ended()
    reader.close()
    no_session_left()


def test_maximum_packet():
    """a channel with a maximum packet of 0 to 12 bytes: at worst its own session ends"""
    for size in range(13):
        try:
            c = RawClient(max_packet=size).login()
            c.run("help")
        except Exception:  # refused at once: fine
            continue
        check(ssh("version"))
        c.close()
    no_session_left()
    print(f"# ended for their CPU time: {fixture.log_text().count('it used its CPU time')}", flush=True)
    check(ssh("version"))


def test_beyond_the_window():
    """data beyond the window ends the session, whatever it is doing; the build goes on"""
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    c = RawClient().login()
    ch = c.run(f"git-receive-pack '{repo.app}'")
    ch.sendall(pkt(f"{first} {head} refs/heads/main\0 report-status side-band-64k push-options") + b"0000" +
               pkt("message=fake:wait") + b"0000" + pack(repo, "main", f"^{first}"))
    until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("building",))
    sent = 0
    try:
        for _ in range(400):
            ch.out_window_size = 1 << 30
            sent += ch.send(b"\0" * 30000)
    except (OSError, EOFError):
        pass
    assert c.ended(), sent
    c.close()
    fixture.wake()
    until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("live",))
    no_session_left()


def test_closed_in_the_middle():
    """a channel that is closed without the end of its input, or together with it, or a goodbye: half an input sets nothing"""
    app = new_name()
    check(ssh("apps:create", app))
    whole = RawClient().login()
    c = whole.run(f"config:import {app}")
    c.sendall(b"WHOLE=1\n")
    c.shutdown_write()
    assert c.recv_exit_status() == 0
    whole.close()
    names = check(ssh("config:keys", app)).out
    assert names == "WHOLE\n", names

    def say(client, kind, channel):
        m = paramiko.Message()
        m.add_byte(kind)
        m.add_int(channel.remote_chanid if channel else 11)  # SSH_DISCONNECT_BY_APPLICATION
        if not channel:
            m.add_string("bye")
            m.add_string("")
        client.transport.packetizer.send_message(m)

    for kinds in ([MSG_CHANNEL_CLOSE], [MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE], [MSG_DISCONNECT]):
        for words in (f"config:import {app}", f"config:set {app} HALF=@-"):
            n = len(check(ssh("audit", app, "--json")).json())
            said = f"command {words.split()[0]} "
            begun = fixture.log_text().count(said)
            client = RawClient().login()
            c = client.run(words)
            until(lambda: fixture.log_text().count(said) > begun)
            c.sendall(b"HALF=1\n")
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # what follows arrives together
            for kind in kinds:
                say(client, kind, None if kind == MSG_DISCONNECT else c)
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            until(lambda: len(check(ssh("audit", app, "--json")).json()) == n + 1)
            row = check(ssh("audit", app, "--json")).json()[0]
            assert row["result"] != 0, (kinds, words, row)
            client.close()
    assert check(ssh("config:keys", app)).out == names


def test_many_channels_and_requests():
    """a second channel, a second request, and requests without end are refused"""
    c = RawClient().login()
    first = c.channel()
    try:
        c.transport.open_session(timeout=10)
        raise AssertionError("a second channel was opened")
    except Exception as e:
        assert "channel" in str(e).lower() or "open" in str(e).lower(), e
    for _ in range(100):
        try:
            first.set_environment_variable("X" * 1000, "y" * 1000)
        except Exception:
            break
    first.exec_command("version")
    c.close()
    no_session_left()


class Pushes:
    """Pushes that are made one after the other while something else goes on."""

    def __init__(self, **kwargs):
        self.repo = Repo(new_name(), **kwargs)
        self.repo.commit("first", FILES)
        check(self.repo.push())
        self.times, self.failed, self.stop = [], [], False
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.stop:
            begin = time.monotonic()
            self.repo.commit("next", {"a.txt": f"{len(self.times)}\n"})
            r = self.repo.push()
            if r.code != 0:
                self.failed.append(r)
            self.times.append(time.monotonic() - begin)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        assert self.times and not self.failed, (len(self.times), self.failed[:1])
        print(f"# {len(self.times)} pushes meanwhile, the longest took {max(self.times):.2f} s", flush=True)


def flood(n, sources, data=b"", hold=300):
    """n connections, of which `hold` are kept open at a time."""
    held = []
    for i in range(n):
        s = socket.socket()
        s.bind((sources[i % len(sources)], 0))
        s.settimeout(30)
        s.connect((harness.HOST, fixture.PORT))
        try:
            if data:
                s.send(data)
        except OSError:
            pass
        held.append(s)
        if len(held) > hold:
            held.pop(0).close()
    for s in held:
        s.close()


def raise_fds():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))


def test_flood():
    """10,000 silent connections within a minute while pushes go on"""
    raise_fds()
    with Pushes():
        flood(10000, ["127.0.0.1", "127.0.0.2", "127.0.0.3"], hold=1500)
    no_session_left()


def test_flood_of_greetings():
    """2,000 connections that greet and say no more, from another address, while pushes go on"""
    with Pushes():
        flood(2000, ["127.0.0.2"], b"SSH-2.0-flood\r\n", hold=200)
    no_session_left()


def test_burst():
    """40 commands at once from one address are all served"""
    procs = [subprocess.Popen([*harness.ssh_argv(), f"git@{harness.HOST}", "version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
             for _ in range(40)]
    results = [(p.communicate(timeout=60), p.returncode) for p in procs]
    assert all(code == 0 for _, code in results), [r for r in results if r[1] != 0][:3]


def test_killed_sessions():
    """kill -9 of the sessions in the middle of pushes: the next push works and nothing is left"""
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    first = repo.head()
    head = repo.commit("second", {"r": os.urandom(300000)})
    data = pack(repo, "main", f"^{first}")
    for n in (0, 100, 200000):
        client = PushClient(repo.app)
        client.commands((first, head, "refs/heads/main"))
        client.send(data[:n])
        time.sleep(0.1)
        for pid in fixture.sessions():
            os.kill(pid, 9)
        client.kill()
    check(repo.push())
    assert fixture.nothing_left(repo.app)
    new = Repo(new_name())
    head = new.commit("first", FILES)
    client = PushClient(new.app)
    client.commands(("0" * 40, head, "refs/heads/main"))
    for pid in fixture.sessions():
        os.kill(pid, 9)
    client.kill()
    assert row("SELECT count(*) FROM apps WHERE name = ?", new.app) == (0,)
    check(new.push())


def test_killed_listener():
    """kill -9 of the listener: a push that is being served goes on to its end, and the next listener serves"""
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    repo.commit("second", {"a.txt": "two\n"})
    p = subprocess.Popen(["git", "push", "-o", "message=fake:wait", "k8s", "main"], cwd=repo.path, stderr=subprocess.PIPE,
                         env={**os.environ, "GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
    until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("building",))
    pss = max(int(line.split()[1]) for pid in fixture.sessions()
              for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:"))
    print(f"# the largest session has {pss} KiB (PSS)", flush=True)
    spare = fixture.sessions()
    fixture.stop(fixture.listener, 9)
    fixture.listener = fixture.start_listener()
    check(ssh("version"))
    fixture.wake()
    assert p.wait(timeout=30) == 0, p.stderr.read()
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in spare))


harness.main(globals())
