#!/usr/bin/env python3
"""What answers at an app's address besides the app: the maintenance page."""

import http.client
import urllib.parse

import harness
from harness import check, has, hello, new_app, new_name, new_user, page, ssh, url

CLUSTER = harness.ENV["SLIPWAY_TARGET"] == "kubernetes"


def ask(address):
    """Status, headers and text of one request."""
    u = urllib.parse.urlsplit(address)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=10)
    try:
        c.request("GET", u.path or "/")
        r = c.getresponse()
        return r.status, r.headers, r.read().decode()
    finally:
        c.close()


def test_maintenance():
    """maintenance:on: the next request has the page, with Retry-After; it outlasts releases, and the app goes on behind it"""
    repo = new_app("first")
    app = repo.app
    page(app, "first")
    viewer = new_user(new_name("u"))
    check(ssh("maintenance:on", app, key=viewer), 4)
    has(check(ssh("maintenance:report", app)), "off")
    if CLUSTER:
        has(check(ssh("maintenance:on", app), 1), "kubernetes has no maintenance page", "the cluster")
        has(check(ssh("maintenance:report", app)), "off")
        check(ssh("maintenance:off", app))
        page(app, "first")
        return
    running = [i["id"] for i in check(ssh("ps", app, "--json")).json()]
    has(check(ssh("maintenance:on", app)), "503 until maintenance:off")
    status, headers, text = ask(url(app))
    assert (status, headers["Retry-After"]) == (503, "60") and "maintenance" in text, (status, headers, text)
    assert check(ssh("maintenance:report", "-a", app, "--json")).json() == {"app": app, "maintenance": True}
    assert check(ssh("apps:info", app, "--json")).json()["maintenance"] is True
    assert [i["id"] for i in check(ssh("ps", app, "--json")).json()] == running
    repo.commit("second", hello("second"))
    check(repo.push())
    assert ask(url(app))[0] == 503
    has(check(ssh("maintenance:off", app)), "off")
    assert ask(url(app))[0] == 200
    page(app, "second")
    assert check(ssh("audit", app, "--json")).json()[0]["command"] == "maintenance:off"
    # Another app of that name begins without the page.
    check(ssh("maintenance:on", app))
    check(ssh("apps:destroy", app, "--confirm", app))
    repo.commit("third", hello("third"))
    check(repo.push())
    page(app, "third")


harness.main(globals())
