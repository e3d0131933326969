#!/usr/bin/env python3
"""expose = ingress through an Ingress controller, Traefik: what a browser gets, not only what the objects say."""

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import urllib.parse

import harness
import t0700_rollouts
from authority import Authority, ask
from harness import ENV, TMP, TOP, Server, check, free_port, has, hello, new_app, new_name, page, run, ssh, until, url

# Names below localhost lead to this machine, where the controller listens.
DOMAIN = "apps.localhost"


def kubectl(*words, stdin=b""):
    return check(run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], *words], stdin=stdin))


@contextlib.contextmanager
def ingress_class():
    """The name of an IngressClass that Traefik takes, of the test's own: other tests' Ingresses are not its matter."""
    name = new_name("class")
    kubectl("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name},
        "spec": {"controller": "traefik.io/ingress-controller"}}))
    try:
        yield name
    finally:
        kubectl("delete", "ingressclass", name)


class Controller:
    """A controller for one IngressClass."""

    def __init__(self, name):
        self.name, self.port, self.https = name, free_port(), free_port()
        self.log = TMP / f"{name}.log"

    def __enter__(self):
        self.process = subprocess.Popen(
            [TOP / "stack/ingress/controller", "run", "--global.checknewversion=false", "--global.sendanonymoususage=false",
             f"--entrypoints.web.address=127.0.0.1:{self.port}", f"--entrypoints.websecure.address=127.0.0.1:{self.https}",
             "--entrypoints.websecure.http.tls=true", f"--providers.kubernetesingress.ingressclass={self.name}",
             "--providers.kubernetesingress.ingressendpoint.ip=127.0.0.1"],
            env={**os.environ, "KUBECONFIG": ENV["KUBECONFIG"]}, stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"),
            stderr=subprocess.STDOUT)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.process.wait(30)
        if kind is not None:
            for line in self.log.read_text(errors="replace").splitlines()[-20:]:
                print(f"# controller: {line}", flush=True)

    def address(self, app):
        """What apps:info says, by the controller's port: who runs one has 80 and 443."""
        u = urllib.parse.urlsplit(url(app))
        assert u.port is None and u.hostname == f"{app}.{DOMAIN}", u
        return f"http://{u.hostname}:{self.port}"

    def status(self, host):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            c.request("GET", "/", headers={"Host": host})
            return c.getresponse().status
        finally:
            c.close()

    def answers(self, host, status):
        """The controller learns of a change a moment later."""
        until(lambda: self.status(host) == status)


@contextlib.contextmanager
def exposed(**settings):
    with ingress_class() as name, Controller(name) as controller, \
            Server(kubernetes__expose="ingress", kubernetes__domain=DOMAIN, kubernetes__ingress_class=name, **settings) as server:
        yield controller, server


def test_life():
    """an app answers by its Host header: through its names, no process, another name for the app, its end"""
    with exposed() as (controller, server):
        repo = new_app("first")
        app, other = repo.app, new_name("www") + ".example.com"
        host = f"{app}.{DOMAIN}"
        page(app, "first", address=controller.address(app))
        assert controller.status(other) == 404
        # The controller's own word that it has taken the Ingress.
        until(lambda: "127.0.0.1" in kubectl("get", "ingress/web", "-n", server.namespaces + app, "-o",
                                             "jsonpath={.status.loadBalancer.ingress}").out)
        check(ssh("domains:add", app, other))
        controller.answers(other, 200)
        repo.commit("second", hello("second"))
        check(repo.push())
        page(app, "second", address=controller.address(app))
        assert controller.status(other) == 200
        has(check(ssh("maintenance:on", app), 1), "kubernetes has no maintenance page")
        assert controller.status(host) == 200
        # Nothing to lead to: what is said then is the controller's.
        check(ssh("ps:scale", app, "web=0"))
        until(lambda: controller.status(host) in (404, 503))
        check(ssh("ps:scale", app, "web=1"))
        controller.answers(host, 200)
        new = new_name()
        check(ssh("apps:rename", app, new))
        page(new, "second", address=controller.address(new))
        controller.answers(host, 404)
        assert controller.status(other) == 200
        check(ssh("domains:clear", new))
        controller.answers(other, 404)
        # The name and the domain are free: another app has them.
        second = harness.Repo(app)
        second.commit("third", hello("third"))
        check(second.push())
        check(ssh("domains:add", app, other))
        page(app, "third", address=controller.address(app))
        controller.answers(other, 200)
        check(ssh("apps:destroy", new, "--confirm", new))
        controller.answers(f"{new}.{DOMAIN}", 404)
        assert controller.status(host) == 200


def test_rollouts():
    """no request through the controller fails while releases of two instances replace one another"""
    with exposed(release__pre_stop="10s") as (controller, _):
        t0700_rollouts.rollouts(2, where=controller.address, fresh=[])


def certified(controller, host, authority):
    """A client that checks gets the page."""
    try:
        return ask(controller.https, host, authority.cert).startswith("first")
    except ssl.SSLError:
        return False


def web_tls(namespace, cert, key):
    """The Secret of the names without a certificate of the app's own, as cert-manager would make it."""
    doc = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web-tls", "namespace": namespace},
           "type": "kubernetes.io/tls", "stringData": {"tls.crt": cert, "tls.key": key}}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(doc))


def test_https():
    """a domain by the app's own certificate; other names by the Secret web-tls, as soon as the cluster has it"""
    authority, cluster = Authority(), Authority()
    with exposed(kubernetes__tls="yes") as (controller, server):
        app = new_app("first").app
        namespace = server.namespaces + app
        host, domain = f"{app}.{DOMAIN}", new_name("www") + ".example.com"
        assert url(app) == f"https://{host}"
        controller.answers(host, 200)
        # For whoever makes the Secret; it stays, whatever is released.
        mark = "cert-manager.io/cluster-issuer"
        kubectl("annotate", "ingress/web", "-n", namespace, f"{mark}=somebody")
        check(ssh("domains:add", app, domain))
        check(ssh("certs:add", app, stdin="".join(authority.issue(domain))))
        until(lambda: certified(controller, domain, authority))
        assert not certified(controller, host, cluster)
        web_tls(namespace, *cluster.issue(host))
        until(lambda: certified(controller, host, cluster))
        assert certified(controller, domain, authority)
        check(ssh("certs:remove", app))
        until(lambda: not certified(controller, domain, authority))
        web_tls(namespace, *cluster.issue(host, domain))
        until(lambda: certified(controller, domain, cluster))
        assert certified(controller, host, cluster)
        ingress = kubectl("get", "ingress/web", "-n", namespace, "-o", "json").json()
        assert ingress["metadata"]["annotations"][mark] == "somebody", ingress
        has(check(ssh("apps:plan", app)), "Nothing")


def test_check():
    """slipway check names an IngressClass that is not there, and those that are"""
    with ingress_class() as name:
        def said(**settings):
            server = Server(kubernetes__expose="ingress", kubernetes__domain=DOMAIN, **settings)
            return run([ENV["SLIPWAY_BIN"], "check", "--config", server.conf])
        has(check(said(kubernetes__ingress_class=name)), f"ok       cluster: has the IngressClass {name}\n")
        missing = said(kubernetes__ingress_class=name + "s")
        assert missing.code != 0, missing
        line = next(line for line in missing.out.splitlines() if "IngressClass" in line)
        assert line.startswith(f'missing  target kubernetes: the cluster has no IngressClass "{name}s" (there are: '), line
        assert name in line.split("(there are:")[1] and "correct ingress_class in [kubernetes]" in line, line
        # None of these is the default.
        has(check(said()), "note     cluster: has no default IngressClass (there are: ", "set ingress_class in [kubernetes]")


harness.main(globals())
