#!/usr/bin/env python3
"""Where an app answers, and what: its own host names; the maintenance page."""

import http.client
import json
import urllib.parse

import harness
from harness import ENV, Server, check, has, hello, new_app, new_name, new_user, page, run, ssh, url

CLUSTER = ENV["SLIPWAY_TARGET"] == "kubernetes"


def instances(app):
    """What runs, but for what a release has just ended, by what a new container or pod would not have."""
    return sorted((i["name"], i["started_at"]) for i in check(ssh("ps", app, "--json")).json()
                  if i["state"] != "stopping")


def ask(address, host=None):
    """Status, headers and text of one request, for another host than the address's."""
    u = urllib.parse.urlsplit(address)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=10)
    try:
        c.request("GET", u.path or "/", headers={"Host": host} if host else {})
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
    running = instances(app)
    has(check(ssh("maintenance:on", app)), "503 until maintenance:off")
    status, headers, text = ask(url(app))
    assert (status, headers["Retry-After"]) == (503, "60") and "maintenance" in text, (status, headers, text)
    assert check(ssh("maintenance:report", "-a", app, "--json")).json() == {"app": app, "maintenance": True}
    assert check(ssh("apps:info", app, "--json")).json()["maintenance"] is True
    assert instances(app) == running
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


def hosts(app, prefix):
    """The host names of the app's Ingress."""
    r = check(run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], "-n", prefix + app, "get", "ingress/web", "-o", "json"]))
    return [rule["host"] for rule in r.json()["spec"]["rules"]]


def test_domains_docker():
    """domains:add: the app answers under more names, one app each, through renames, rollbacks and a restart of its processes"""
    if CLUSTER:
        has(check(ssh("domains:add", new_app("port").app, "www.example.com"), 1), "expose = ingress")
        return
    repo, domain, other = new_app("first"), f"{new_name('www')}.example.com", new_name("x") + ".example.com"
    app = repo.app
    assert ask(url(app), domain)[0] == 404
    running = instances(app)
    has(check(ssh("domains:add", app, domain.upper(), other)), f"Adding {domain}", "done, v2")
    assert instances(app) == running
    assert [ask(url(app), h)[2][:5] for h in (None, domain, other)] == ["first"] * 3
    assert check(ssh("domains", app, "--json")).json() == {"app": app, "domains": sorted([domain, other]), "release": 2}
    stranger = new_app("stranger").app
    has(check(ssh("domains:add", stranger, domain), 1), "another app's domain")
    assert ask(url(app), domain)[2].startswith("first")
    check(ssh("rollback", app, "v1"))
    assert ask(url(app), domain)[2].startswith("first")
    new = new_name()
    check(ssh("apps:rename", app, new))
    assert ask(url(new), domain)[2].startswith("first")
    has(check(ssh("apps:plan", new)), "Nothing")
    has(check(ssh("domains:remove", new, domain)), "done, v5")
    assert [ask(url(new), h)[0] for h in (None, domain, other)] == [200, 404, 200]
    check(ssh("domains:add", stranger, domain))
    assert ask(url(stranger), domain)[2].startswith("stranger")
    has(check(ssh("domains:clear", new)), "done, v6")
    assert ask(url(new), other)[0] == 404
    # Those of an app that is gone are free.
    check(ssh("apps:destroy", stranger, "--confirm", stranger))
    harness.until(lambda: ssh("domains:add", new, domain).code == 0)
    assert ask(url(new), domain)[2].startswith("first")


def test_domains_document():
    """domains go along in an app's document: a copy leaves those of the first out, applied they are served with one release"""
    app = new_app("first").app
    if CLUSTER:
        assert check(ssh("apps:export", app)).json()["domains"] == []
        return
    domain, other = f"{new_name('www')}.example.com", new_name("x") + ".example.com"
    check(ssh("domains:add", app, domain))
    document = check(ssh("apps:export", app)).json()
    assert document["domains"] == [domain], document
    running = instances(app)
    document["domains"].append(other)
    text = json.dumps(document).encode()
    has(check(ssh("apps:apply", app, stdin=text)), "~ domains:", "done, v3")
    assert instances(app) == running
    assert [ask(url(app), h)[2][:5] for h in (domain, other)] == ["first"] * 2
    copy = new_name()
    has(check(ssh("apps:import", copy, stdin=text)), "Other apps have these domains", domain, other, "done, v1")
    assert check(ssh("domains", copy, "--json")).json()["domains"] == []
    # It takes over: both at once, and the first one by a document without any.
    has(check(ssh("apps:apply", app, stdin=b'{"slipway": 1, "domains": []}')), "- domains:", "done, v4")
    assert ask(url(app), domain)[0] == 404
    del document["name"]
    has(check(ssh("apps:apply", copy, stdin=json.dumps(document).encode())), "+ domains:", "done, v2")
    assert [ask(url(copy), h)[2][:5] for h in (domain, other)] == ["first"] * 2


def test_domains_ingress():
    """on Kubernetes the names are the Ingress's"""
    if not CLUSTER:
        return
    with Server(kubernetes__expose="ingress", kubernetes__domain="apps.test") as server:
        app = new_app("first").app
        assert hosts(app, server.namespaces) == [f"{app}.apps.test"]
        running = instances(app)
        has(check(ssh("domains:add", app, "other.apps.test"), 1), "an app named other")
        has(check(ssh("domains:add", app, "www.example.com", "example.com")), "done, v2")
        assert hosts(app, server.namespaces) == [f"{app}.apps.test", "example.com", "www.example.com"]
        assert instances(app) == running
        check(ssh("domains:clear", app))
        assert hosts(app, server.namespaces) == [f"{app}.apps.test"]


harness.main(globals())
