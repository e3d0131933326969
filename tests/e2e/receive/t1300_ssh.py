"""What the SSH server offers, and what it does not."""

import os
import pathlib
import signal
import subprocess
import threading

import fixture
import harness
from harness import TMP, check, has, new_key, new_name, run, ssh


def test_shell():
    """a shell is answered with a hint and exit code 2, with and without a terminal"""
    for options in ((), ("-tt",)):
        r = ssh(options=options)
        assert r.code == 2 and "Slipway serves git and commands" in r.all, repr(r)


def test_no_other_service():
    """no sftp, no forwarding, no agent, no X11"""
    r = run(["sftp", "-b", "-", *harness.ssh_argv()[1:3], "-i", harness.ADMIN_KEY, "-P", str(harness.PORT), "-o", "BatchMode=yes",
             "-o", f"UserKnownHostsFile={TMP}/known_hosts", "-o", "StrictHostKeyChecking=accept-new", f"git@{harness.HOST}"], stdin=b"ls\n")
    assert r.code != 0, repr(r)
    r = ssh(options=("-W", "127.0.0.1:22"))
    assert r.code != 0, repr(r)
    r = ssh("version", options=("-R", "0:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"))
    assert r.code == 255, repr(r)
    check(ssh("version", options=("-A", "-X")))
    r = ssh("-s", "netconf", options=("-s",))
    assert r.code != 0, repr(r)


def test_users():
    """only the user git, with the same denial for an unknown key as for another name"""
    stranger = new_key("stranger")
    a = ssh("version", key=stranger)
    b = run([*harness.ssh_argv(), f"root@{harness.HOST}", "version"])
    c = run([*harness.ssh_argv(stranger), f"root@{harness.HOST}", "version"])
    assert a.code == b.code == c.code == 255
    assert a.err.replace("git@", "") == b.err.replace("root@", "") == c.err.replace("root@", ""), (a, b, c)
    assert "publickey" in a.err and "password" not in a.err, repr(a)


def test_attempts():
    """after six keys the connection ends"""
    keys = [new_key(f"wrong{i}") for i in range(7)]
    options = [o for k in keys for o in ("-i", str(k))]
    argv = ["ssh", "-F", "none", *options, *harness.ssh_argv()[3:]]
    r = run([*argv, f"git@{harness.HOST}", "version"])
    assert r.code == 255 and "publickey" in r.err + "publickey", repr(r)
    five = ["ssh", "-F", "none", *options[:10], "-i", harness.ADMIN_KEY, *harness.ssh_argv()[3:]]
    check(run([*five, f"git@{harness.HOST}", "version"]))
    eight = ["ssh", "-F", "none", *options, "-i", harness.ADMIN_KEY, *harness.ssh_argv()[3:]]
    assert run([*eight, f"git@{harness.HOST}", "version"]).code == 255


def first(*options):
    """ssh with options that come before the harness's own: the first one counts."""
    return run(["ssh", "-F", "none", *options, *harness.ssh_argv()[3:], f"git@{harness.HOST}", "version"])


def offered(**options):
    """True where a connection with these client options works."""
    args = [x for name, value in options.items() for x in ("-o", f"{name}={value}")]
    return ssh("version", options=args).code == 0


def test_algorithms():
    """strong algorithms only"""
    for name in ("curve25519-sha256", "ecdh-sha2-nistp256"):
        assert offered(KexAlgorithms=name), name
    for name in ("diffie-hellman-group14-sha1", "diffie-hellman-group14-sha256", "diffie-hellman-group1-sha1"):
        assert not offered(KexAlgorithms=name), name
    for name in ("chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-ctr"):
        assert offered(Ciphers=name), name
    for name in ("aes128-cbc", "aes256-cbc", "3des-cbc"):
        assert not offered(Ciphers=name), name
    for name in ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"):
        assert offered(MACs=name, Ciphers="aes256-ctr"), name
    for name in ("hmac-sha1", "hmac-sha1-etm@openssh.com", "hmac-md5", "umac-64@openssh.com"):
        assert not offered(MACs=name, Ciphers="aes256-ctr"), name
    for name, works in (("rsa-sha2-512", True), ("rsa-sha2-256", True), ("ssh-ed25519", True), ("ssh-rsa", False),
                        ("ecdsa-sha2-nistp256", False)):
        r = first("-o", f"HostKeyAlgorithms={name}", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        assert (r.code == 0) == works, (name, r)


def test_strict_key_exchange():
    """key exchange is strict (Terrapin)"""
    r = first("-o", "LogLevel=DEBUG3")
    assert r.code == 0 and "will use strict KEX ordering" in r.err, r.err[-2000:]


def test_key_types():
    """ed25519, ecdsa and RSA keys log in; RSA with SHA-1 does not"""
    for kind, bits in (("ecdsa", 256), ("ecdsa", 521), ("rsa", 3072)):
        path = TMP / f"key-{kind}{bits}"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-f", str(path)], check=True)
        name = new_name("u")
        check(ssh("users:add", name))
        check(ssh("keys:add", "--user", name, stdin=path.with_suffix(".pub").read_bytes()))
        r = check(ssh("whoami", key=path))
        assert name in r.out, repr(r)
    assert ssh("whoami", key=path, options=("-o", "PubkeyAcceptedAlgorithms=ssh-rsa")).code == 255
    assert ssh("whoami", key=path, options=("-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256")).code == 0


def test_environment():
    """of the client's environment only GIT_PROTOCOL is taken, and only what it may be"""
    evil = ["LD_PRELOAD=/tmp/x.so", "GIT_DIR=/etc", "GIT_TRACE=/tmp/slipway-trace", "GIT_EXEC_PATH=/tmp", "PATH=/tmp",
            "GIT_CONFIG_COUNT=1", "GIT_SSH_COMMAND=false", "HOME=/tmp", "SLIPWAY_CONF=/tmp/x"]
    options = ["-o", "SetEnv=" + " ".join(evil)]
    repo = harness.Repo(new_name())
    repo.commit("first", {"Procfile": "web: x\n"})
    check(repo.push(env={"GIT_SSH_COMMAND": " ".join(harness.ssh_argv(options=["-o", f"'SetEnv={' '.join(evil)}'"]))}))
    check(ssh("version", options=options))
    for value in ("version=2:x", "version=3", "version=22", "x=1", "version=2\n", "version=-1", "", "version=2 --x"):
        r = run([*harness.ssh_argv(options=["-o", f'SetEnv=GIT_PROTOCOL="{value}"' if value else "SetEnv=GIT_PROTOCOL="]),
                 f"git@{harness.HOST}", f"git-upload-pack '{repo.app}'"], stdin=b"0000")
        # Protocol 0: the advertisement begins with a ref, not with "version 2".
        assert r.code == 0 and r.raw[4:44] == repo.head().encode(), (value, r)
    r = run([*harness.ssh_argv(options=["-o", "SetEnv=GIT_PROTOCOL=version=2"]), f"git@{harness.HOST}", f"git-upload-pack '{repo.app}'"],
            stdin=b"0000")
    assert r.raw[4:13] == b"version 2", repr(r)
    assert not os.path.exists("/tmp/slipway-trace")


def hostile_lines():
    text = (fixture.HERE.parents[1] / "unit" / "hostile_lines.txt").read_text()
    for line in text.splitlines():
        kind, escaped = line.split("\t", 1)
        data = escaped.encode("latin-1").decode("unicode_escape").encode("latin-1")
        if b"\0" not in data and data:  # no program's argument can hold that
            yield kind, data


def test_hostile_lines():
    """hostile exec lines by real ssh: each is refused, and nothing else happens"""
    lines = list(hostile_lines())[::2]
    assert len(lines) >= 400
    bad, lock = [], threading.Lock()
    # What the lines would make; somebody else may have made it before.
    trap = pathlib.Path("/tmp/x")
    before = trap.stat().st_mtime_ns if trap.exists() else None

    def work(part):
        for kind, line in part:
            p = subprocess.run([*harness.ssh_argv(), f"git@{harness.HOST}", "--", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=30, check=False)
            if not (p.returncode == 2 if kind != "command" else 0 <= p.returncode <= 6):
                with lock:
                    bad.append((kind, line, p.returncode, p.stderr))

    threads = [threading.Thread(target=work, args=(lines[i::4],)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad, bad[:5]
    assert (trap.stat().st_mtime_ns if trap.exists() else None) == before


def test_long_line():
    """a line that is too long is refused with what to do instead"""
    r = ssh("config:set", "shop", "A=" + "x" * 100000)
    assert r.code in (1, 2, 4), repr(r)
    r = run([*harness.ssh_argv(), f"git@{harness.HOST}", *["y" * 90000] * 2])
    assert r.code == 2 and "standard input" in r.err, (r.code, r.err[:300])


def test_terminal():
    """with a terminal lines end as a terminal needs it"""
    r = ssh("version", options=("-tt",))
    assert r.code == 0 and b"\r\n" in r.raw, repr(r)
    has(ssh("version"), "slipway")


def test_reload():
    """SIGHUP takes new settings and keeps the old ones where the file is wrong"""
    fixture.conf(max_startups="x")
    fixture.listener.send_signal(signal.SIGHUP)
    harness.until(lambda: "the configuration is kept as it was" in fixture.log_text())
    check(ssh("version"))
    fixture.conf(max_startups="20:30:100")
    fixture.listener.send_signal(signal.SIGHUP)
    harness.until(lambda: "read the configuration again" in fixture.log_text())
    check(ssh("version"))


def test_stop():
    """a listener that stops lets people in until nothing else runs, and ends with the last command"""
    fixture.restart()
    check(ssh("version"))
    p = subprocess.Popen([*harness.ssh_argv(), f"git@{harness.HOST}", "git-receive-pack 'stopping'"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    assert p.stdout.read(4) != b""
    fixture.listener.send_signal(signal.SIGTERM)
    harness.until(lambda: "1 connection to wait for" in fixture.log_text())
    check(ssh("version"))
    fixture.listener.send_signal(signal.SIGUSR1)
    harness.until(lambda: "no new connections" in fixture.log_text())
    assert fixture.listener.poll() is None
    p.stdin.write(b"0000")
    p.stdin.close()
    assert p.wait(timeout=30) == 0
    assert fixture.listener.wait(timeout=30) == 0
    fixture.PIDS.remove(fixture.listener)
    fixture.listener = fixture.start_listener()
    check(ssh("version"))


harness.main(globals())
