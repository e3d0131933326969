"""A real ACME server, and what is seen of the certificates that Caddy gets from it."""

import hashlib
import json
import pathlib
import socket
import ssl
import subprocess
import urllib.request

import harness
from authority import Authority, ask
from harness import ENV, TMP, TOP, check, new_name, run, ssh, until

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
