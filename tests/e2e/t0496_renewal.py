#!/usr/bin/env python3
"""Certificates of a real ACME server that end soon: renewed while people visit, and after what goes wrong meanwhile."""

import contextlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import ssl
import threading

import harness
from acme import CERTIFICATE_SECONDS, Acme, auto, served, server_check, vouched
from authority import ask
from harness import ENV, Server, check, has, new_app, new_name, ssh, until

CLUSTER = ENV["SLIPWAY_TARGET"] == "kubernetes"


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


RENEWED_SECONDS = 45  # good for so long; Caddy asks for the next one 30 seconds after the first


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
        look_often(server) # a change of the configuration ends connections that wait, so before somebody has one
        with Visitor(port, host, acme.root, "first"), halfway(server, acme, port, host):
            server.kill("supervisor")
        server.start()
        # It has loaded its configuration then, which is Slipway's again.
        until(lambda: "looked at what runs of 1 app" in server.log.read_text())
        assert caddy(server) == router
        look_often(server)
        with halfway(server, acme, port, host):
            os.kill(router, signal.SIGKILL)
        assert ask(port, host, acme.root).startswith("first") and caddy(server) != router
        assert not auto(app, lambda rows: True)[host]["error"]
    renewing(body)


harness.main(globals())
