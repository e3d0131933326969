#!/usr/bin/env python3
"""HTTPS by a client that checks: certificates that Caddy makes by itself, an app's own ones, the same on an Ingress."""

import base64
import http.client
import json
import pathlib
import urllib.parse

import harness
from acme import CERTIFICATE_SECONDS, Acme, auto, refuses, served, server_check, vouched
from authority import Authority, ask
from harness import ENV, Server, check, has, hello, new_app, new_name, run, ssh, until, url

CLUSTER = ENV["SLIPWAY_TARGET"] == "kubernetes"


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
