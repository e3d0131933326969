#!/usr/bin/env python3
"""HTTPS by a client that checks: certificates that Caddy makes by itself, an app's own ones, the same on an Ingress."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request

import harness
from authority import Authority, ask
from harness import ENV, TMP, TOP, Server, check, has, hello, new_app, new_name, run, ssh, until, url

CLUSTER = ENV["SLIPWAY_TARGET"] == "kubernetes"
CERTIFICATE_SECONDS = 120  # Caddy asks again a minute after what has failed


def refuses(port, host, authority):
    try:
        return ask(port, host, authority) == 0
    except ssl.SSLError:
        return True


def vouched(port, host, authority):
    """False also while nothing listens."""
    try:
        return not refuses(port, host, authority)
    except OSError:
        return False


def test_docker():
    """names below localhost by Caddy's own authority, a domain by its own certificate: replaced, restarted, removed"""
    if CLUSTER:
        has(check(ssh("certs:add", new_app("port").app), 1), "expose = ingress")
        return
    plain = new_app("plain").app
    has(check(ssh("certs:add", plain), 1), "[docker] tls = yes")
    authority, other = Authority(), Authority()
    domain = f"{new_name('www')}.example.com"
    cert, key = authority.issue(domain)
    with Server(docker__tls="yes", docker__https_port=harness.free_port()) as server:
        repo = new_app("first")
        app = repo.app
        u = urllib.parse.urlsplit(url(app))
        port, host = u.port, u.hostname
        local = pathlib.Path(server.state, "run/docker/caddy/pki/authorities/local/root.crt")
        assert u.scheme == "https" and host == f"{app}.localhost"
        # Certificates are made in the background, after the address is there.
        until(lambda: local.exists() and vouched(port, host, local))
        assert ask(port, host, local).startswith("first")
        has(check(ssh("certs:add", app, stdin=cert + key), 1), f"is for {domain}")
        check(ssh("domains:add", app, domain))
        has(check(ssh("certs:add", app, stdin=cert), 2), "no private key")
        has(check(ssh("certs:add", app, stdin=cert + other.issue(domain)[1]), 2), "not that of the certificate")
        added = check(ssh("certs:add", app, stdin=key + cert))
        has(added, "done, v3", f"isn't for {host}")
        assert ask(port, domain, authority.cert).startswith("first")
        assert refuses(port, domain, other.cert)
        assert ask(port, host, local).startswith("first")
        info = check(ssh("certs:info", app, "--json")).json()
        assert info["names"] == [domain] and info["issuer"] == "CN=Test authority" and info["release"] == 3, info
        # The key is where Caddy reads it, and nowhere else that is readable.
        secret = "".join(key.splitlines()[1:-1])[20:60]
        found = [p for p in pathlib.Path(server.state).rglob("*") if p.is_file()
                 and secret.encode() in p.read_bytes().replace(b"\n", b"")]
        assert [p.parent.name for p in found] == ["certs"] and found[0].stat().st_mode & 0o007 == 0, found
        assert secret not in (server.log.read_text() + check(ssh("audit", app, "--json")).out + added.all).replace("\n", "")
        # Another one in its place, by another authority; what is left of the first goes.
        cert, key = other.issue(domain, "*.apps.example.com")
        has(check(ssh("certs:update", app, stdin=cert + key)), "done, v4")
        assert ask(port, domain, other.cert).startswith("first") and refuses(port, domain, authority.cert)
        assert len(list(found[0].parent.iterdir())) == 1
        repo.commit("second", hello("second"))
        check(repo.push())
        assert ask(port, domain, other.cert).startswith("second")
        # New keys for all that is sealed, a new start, and the file lost: it comes back.
        check(ssh("secrets:rotate"))
        server.stop()
        next(found[0].parent.iterdir()).unlink()
        server.start()
        until(lambda: vouched(port, domain, other.cert))
        assert ask(port, domain, other.cert).startswith("second")
        has(check(ssh("certs:remove", app)), "done, v6")
        # No authority vouches for it here: Caddy would have to ask one, outside.
        assert refuses(port, domain, other.cert) and list(found[0].parent.iterdir()) == []
        assert check(ssh("certs:info", app, "--json")).json()["names"] == []
        assert ask(port, host, local).startswith("second")


def test_redirect():
    """plain HTTP leads to HTTPS"""
    if CLUSTER:
        return
    http_port = harness.free_port()
    with Server(docker__tls="yes", docker__https_port=harness.free_port(), docker__http_port=http_port):
        u = urllib.parse.urlsplit(url(new_app("first").app))
        c = http.client.HTTPConnection("127.0.0.1", http_port, timeout=10)
        c.request("GET", "/x", headers={"Host": u.hostname})
        r = c.getresponse()
        assert r.status == 308 and r.headers["Location"] == f"https://{u.hostname}:{u.port}/x", (r.status, r.headers["Location"])
        c.close()


class Acme:
    """A real ACME server: Pebble, which sees all names at 127.0.0.1 and asks the router's ports there. Used with `with`."""

    def __init__(self, http_port, https_port, seconds=None):
        """seconds: how long its certificates are good; and it takes its time to look at a name, so that one can come between."""
        self.authority = Authority()
        cert, key = self.authority.issue("localhost")
        self.folder = TMP / new_name("acme")
        self.folder.mkdir()
        (self.folder / "cert.pem").write_text(cert)
        (self.folder / "key.pem").write_text(key)
        self.port, self.manage, self.dns, self.dns_manage = (harness.free_port() for _ in range(4))
        self.directory = f"https://localhost:{self.port}/dir"
        # Without "retryAfter": it would say a date half of the times, which Debian's Caddy takes for an error.
        (self.folder / "config.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.manage}",
            "certificate": str(self.folder / "cert.pem"), "privateKey": str(self.folder / "key.pem"),
            "httpPort": http_port, "tlsPort": https_port, "keyAlgorithm": "ecdsa",
            **({"profiles": {"short": {"description": "ends soon", "validityPeriod": seconds}}} if seconds else {})}}))
        self.env = {"PEBBLE_AUTHZREUSE": "0", **({"PEBBLE_VA_SLEEPTIME": "2"} if seconds else {"PEBBLE_VA_NOSLEEP": "1"})}
        self.root = self.folder / "root.pem"
        self.processes = []

    def start(self, *argv):
        with open(self.folder / f"{pathlib.Path(argv[0]).name}.log", "ab") as log:
            self.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env))

    def name(self, host, address):
        """From now on the name leads there."""
        for what in "clear-a", "add-a":
            q = urllib.request.Request(f"http://127.0.0.1:{self.dns_manage}/{what}",
                                       json.dumps({"host": host + ".", "addresses": [address]}).encode())
            urllib.request.urlopen(q, timeout=10).close()

    def certificate(self):
        """The root that its certificates end in; None while it doesn't answer."""
        try:
            with urllib.request.urlopen(f"https://localhost:{self.manage}/roots/0", timeout=10,
                                        context=ssl.create_default_context(cafile=self.authority.cert)) as r:
                return r.read()
        except OSError:
            return None

    def __enter__(self):
        self.parts = parts = pathlib.Path(check(run([TOP / "stack/pebble/build"])).out.splitlines()[-1])
        self.start(parts / "pebble-challtestsrv", "-dnsserver", f"127.0.0.1:{self.dns}", "-management",
                   f"127.0.0.1:{self.dns_manage}", "-defaultIPv6", "", "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "")
        self.up()
        return self

    def up(self):
        """It knows nothing of before, and has another root."""
        self.start(self.parts / "pebble", "-config", self.folder / "config.json", "-dnsserver", f"127.0.0.1:{self.dns}")
        self.root.write_bytes(until(self.certificate))

    def down(self):
        p = self.processes.pop()
        p.terminate()
        p.wait(10)

    def orders(self):
        """How often it was asked for a certificate."""
        return (self.folder / "pebble.log").read_text().count("POST /order-plz")

    def __exit__(self, kind, value, trace):
        for p in self.processes:
            p.terminate()
            p.wait(10)
        if kind is not None:
            print("".join(f"# acme: {line}\n" for line in (self.folder / "pebble.log").read_text().splitlines()[-30:]), end="")


def served(port, host):
    """SHA-256 of the certificate that is shown for the name, whoever made it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, \
            context.wrap_socket(plain, server_hostname=host) as s:
        return hashlib.sha256(s.getpeercert(binary_form=True)).hexdigest()


def auto(app, good):
    """What certs:auto tells, by host name, where that is good."""
    rows = {r["host"]: r for r in check(ssh("certs:auto", app, "--json")).json()}
    return rows if good(rows) else None


def server_check(server, code=0):
    return check(run([ENV["SLIPWAY_BIN"], "check", "--config", server.conf]), code)


def test_acme():
    """a domain gets a certificate from an ACME server, and keeps it; one that can't be validated harms no other"""
    if CLUSTER:
        return
    http_port, https_port = harness.free_port(), harness.free_port()
    good, bad = f"{new_name('www')}.example.com", f"{new_name('elsewhere')}.example.com"
    with Acme(http_port, https_port) as acme, Server(
            docker__tls="yes", docker__https_port=https_port, docker__http_port=http_port, docker__acme_ca=acme.authority.cert,
            docker__acme_directory=acme.directory, docker__acme_email="dev@example.com") as server:
        repo = new_app("first")
        app = repo.app
        check(ssh("domains:add", app, good))
        until(lambda: vouched(https_port, good, acme.root), CERTIFICATE_SECONDS)
        assert ask(https_port, good, acme.root).startswith("first")
        has_it = served(https_port, good)
        # A name that leads to another machine.
        acme.name(bad, "127.0.0.2")
        check(ssh("domains:add", app, bad))
        repo.commit("second", hello("second"))
        check(repo.push())
        assert ask(https_port, good, acme.root).startswith("second") and served(https_port, good) == has_it
        local = pathlib.Path(server.state, "run/docker/caddy/pki/authorities/local/root.crt")
        assert ask(https_port, f"{app}.localhost", local).startswith("second")
        assert refuses(https_port, bad, acme.root)
        rows = until(lambda: auto(app, lambda rows: rows[bad]["error"]), CERTIFICATE_SECONDS)
        assert rows[bad]["issuer"] is None and "127.0.0.2" in rows[bad]["error"] and rows[bad]["error_at"], rows
        assert "Pebble Intermediate" in rows[good]["issuer"] and not rows[good]["error"], rows
        assert "Caddy Local Authority" in rows[f"{app}.localhost"]["issuer"] and not any(r["own"] for r in rows.values()), rows
        has(check(ssh("certs:auto", app)), "by CN", "none: ", "127.0.0.2")
        noted = server_check(server)
        has(noted, f"note     certificate of {bad}: there is none: ", "127.0.0.2")
        assert good not in noted.out, noted
        # What was wrong is put right; without another word Caddy would try again in a minute.
        acme.name(bad, "127.0.0.1")
        server.stop()
        has(server_check(server), "note     certificates: they can't be seen: the router")
        server.start()
        until(lambda: vouched(https_port, good, acme.root), CERTIFICATE_SECONDS)
        assert ask(https_port, good, acme.root).startswith("second") and served(https_port, good) == has_it
        until(lambda: vouched(https_port, bad, acme.root), CERTIFICATE_SECONDS)
        assert ask(https_port, bad, acme.root).startswith("second") and not auto(app, lambda rows: rows[bad]["error"])
        assert bad not in server_check(server).out
        acme.authority.cert.rename(acme.folder / "elsewhere")
        has(server_check(server, 1), "cannot read [docker] acme_ca")


class Visitor:
    """Asks for a page again and again, over new connections and over one that stays. Used with `with`; tell() is how often it
    has got it since the last time."""

    def __init__(self, port, host, root, text):
        self.port, self.host, self.text = port, host, text
        self.root = root.read_text()
        self.seen, self.failures, self.ended = 0, [], False
        self.thread = threading.Thread(target=self.visit)

    def connection(self):
        context = ssl.create_default_context(cadata=self.root)
        c = http.client.HTTPSConnection(self.host, self.port, timeout=10, context=context)
        c._create_connection = lambda address, *rest: socket.create_connection(("127.0.0.1", self.port), *rest)
        return c

    def get(self, connection):
        connection.request("GET", "/")
        r = connection.getresponse()
        body = r.read().decode()
        assert r.status == 200 and body.startswith(self.text), (r.status, body)

    def visit(self):
        with contextlib.closing(self.connection()) as one:
            while not self.ended:
                try:
                    self.get(one)
                    with contextlib.closing(self.connection()) as another:
                        self.get(another)
                    self.seen += 1
                except (OSError, http.client.HTTPException, AssertionError) as e:
                    self.failures.append(repr(e))
                    self.ended = True

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        assert self.seen > 0 and not self.failures, (self.seen, self.failures)


def look_often(server):
    """Caddy looks every 10 minutes which certificates are in their last third; from now on each second, until its
    configuration changes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(str(pathlib.Path(server.state, "run/docker/admin.sock")))
        c = http.client.HTTPConnection("localhost")
        c.sock = s
        c.request("PUT", "/config/apps/tls/automation/renew_interval", '"1s"', {"Content-Type": "application/json"})
        r = c.getresponse()
        assert r.status == 200, r.read()


def caddy(server):
    """Its process id."""
    return int(pathlib.Path(server.state, "run/docker/caddy.lock").read_text())


RENEWED_SECONDS = 30  # good for so long; Caddy asks for the next one 20 seconds after the first


def renewing(body):
    """body(server, acme, port, app, host): with an app at a domain whose certificates end soon"""
    http_port, https_port = harness.free_port(), harness.free_port()
    host = f"{new_name('www')}.example.com"
    with Acme(http_port, https_port, RENEWED_SECONDS) as acme, Server(
            docker__tls="yes", docker__https_port=https_port, docker__http_port=http_port, docker__acme_ca=acme.authority.cert,
            docker__acme_directory=acme.directory) as server:
        app = new_app("first").app
        check(ssh("domains:add", app, host))
        until(lambda: vouched(https_port, host, acme.root), CERTIFICATE_SECONDS)
        body(server, acme, https_port, app, host)


def test_renewal():
    """a certificate is renewed while people visit; while the ACME server is down that is told, and no longer when it is back"""
    if CLUSTER:
        return

    def body(server, acme, port, app, host):
        first, before = served(port, host), auto(app, lambda rows: True)[host]
        look_often(server)
        with Visitor(port, host, acme.root, "first"):
            until(lambda: served(port, host) != first, CERTIFICATE_SECONDS)
        after = auto(app, lambda rows: True)[host]
        assert after["not_after"] > before["not_after"] and not after["error"], (before, after)
        assert host not in server_check(server).out
        acme.down()
        row = until(lambda: auto(app, lambda rows: rows[host]["error"]), CERTIFICATE_SECONDS)[host]
        assert "connection refused" in row["error"] and row["error_at"] and "Pebble" in row["issuer"], row
        has(check(ssh("certs:auto", app)), "connection refused")
        has(server_check(server), f"note     certificate of {host}: it ", "and no new one comes: ", "connection refused")
        acme.up()
        # Pebble has forgotten all accounts, which Caddy learns of only since 2.8. It asks again a minute later.
        shutil.rmtree(pathlib.Path(server.state, "run/docker/caddy/acme"))
        until(lambda: vouched(port, host, acme.root), CERTIFICATE_SECONDS)
        assert ask(port, host, acme.root).startswith("first")
        assert not auto(app, lambda rows: True)[host]["error"]
        assert host not in server_check(server).out
    renewing(body)


def test_renewal_killed():
    """kill -9 of the router and of the server in the middle of a renewal"""
    if CLUSTER:
        return

    @contextlib.contextmanager
    def halfway(server, acme, port, host):
        """Inside, Caddy waits for the ACME server's answer; after it, for the certificate's change."""
        before, orders = served(port, host), acme.orders()
        look_often(server)
        until(lambda: acme.orders() > orders, CERTIFICATE_SECONDS)
        acme.processes[-1].send_signal(signal.SIGSTOP)
        try:
            assert served(port, host) == before
            yield
        finally:
            acme.processes[-1].send_signal(signal.SIGCONT)
        until(lambda: vouched(port, host, acme.root) and served(port, host) != before, CERTIFICATE_SECONDS)

    def body(server, acme, port, app, host):
        router = caddy(server)
        with Visitor(port, host, acme.root, "first"), halfway(server, acme, port, host):
            server.kill("supervisor")
        server.start()
        # It has loaded its configuration then, which is Slipway's again.
        until(lambda: "looked at what runs of 1 app" in server.log.read_text())
        assert caddy(server) == router
        with halfway(server, acme, port, host):
            os.kill(router, signal.SIGKILL)
        assert ask(port, host, acme.root).startswith("first") and caddy(server) != router
        assert not auto(app, lambda rows: True)[host]["error"]
    renewing(body)


def kubectl(*words):
    return check(run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], *words]))


def test_ingress():
    """on Kubernetes it is a Secret that the Ingress names, for the names that it is for"""
    if not CLUSTER:
        return
    authority = Authority()
    with Server(kubernetes__expose="ingress", kubernetes__domain="apps.test", kubernetes__tls="yes") as server:
        app = new_app("first").app
        space = server.namespaces + app
        cert, key = authority.issue("example.com", "*.example.com")
        check(ssh("domains:add", app, "www.example.com"))
        has(check(ssh("certs:add", app, stdin=cert + key)), "done, v3")
        secret = kubectl("-n", space, "get", "secret/web-certificate", "-o", "json").json()
        assert secret["type"] == "kubernetes.io/tls", secret
        assert base64.b64decode(secret["data"]["tls.crt"]).decode() == cert
        assert base64.b64decode(secret["data"]["tls.key"]).decode() == key
        tls = kubectl("-n", space, "get", "ingress/web", "-o", "json").json()["spec"]["tls"]
        assert tls == [{"hosts": ["www.example.com"], "secretName": "web-certificate"},
                       {"hosts": [f"{app}.apps.test"], "secretName": "web-tls"}], tls
        has(check(ssh("apps:plan", app)), "Nothing")
        secret = "".join(key.splitlines()[1:-1])[20:60]
        assert secret not in json.dumps(check(ssh("releases:info", app, "--json")).json())
        check(ssh("certs:remove", app))
        check(run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "-n", space, "get", "secret/web-certificate"]), 1)
        tls = kubectl("-n", space, "get", "ingress/web", "-o", "json").json()["spec"]["tls"]
        assert tls == [{"hosts": [f"{app}.apps.test", "www.example.com"], "secretName": "web-tls"}], tls


harness.main(globals())
