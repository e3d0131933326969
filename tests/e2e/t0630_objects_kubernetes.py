"""What a release is in the cluster, seen by the cluster's own client: its objects, the ways in, and who else changes them."""

import json

import harness
from harness import ENV, Repo, Server, check, has, hello, new_name, page, refused, ssh, until


def kubectl(*words, stdin=b""):
    return check(harness.run(["kubectl", "--kubeconfig", ENV["KUBECONFIG"], *words], stdin=stdin)).out


def prefix(config):
    return next(line.split(" = ")[1].strip() for line in open(config) if line.startswith("namespace_prefix = "))


def objects(namespace, kinds):
    """{(kind, name): object}"""
    found = json.loads(kubectl("get", kinds, "-n", namespace, "-o", "json"))["items"]
    return {(o["kind"], o["metadata"]["name"]): o for o in found}


def test_objects():
    """each object is as a careful person would write it; what a process type had goes with it"""
    repo = Repo(new_name())
    repo.commit("first", hello("one", procfile="web: exec python3 -u web.py\nworker: exec sleep 1000\n"))
    check(ssh("apps:create", repo.app))
    check(ssh("config:set", repo.app, "GREETING=first"))
    check(repo.push())
    check(ssh("ps:scale", repo.app, "web=2", "worker=1"))
    namespace = prefix(ENV["SLIPWAY_CONFIG"]) + repo.app
    kinds = "serviceaccounts,secrets,deployments,services,pods"
    found = objects(namespace, kinds)
    for o in found.values():
        if o["kind"] in ("Deployment", "Service", "Secret", "Pod"):
            labels = o["metadata"]["labels"]
            assert labels["app.kubernetes.io/managed-by"] == "slipway" and labels["app.kubernetes.io/name"], labels
    digest = check(ssh("releases:info", repo.app, "--json")).json()["image"]
    assert "@sha256:" in digest
    secret = None
    for process, n in (("web", 2), ("worker", 1)):
        spec = found["Deployment", process]["spec"]
        pod = spec["template"]["spec"]
        c = pod["containers"][0]
        assert spec["replicas"] == n and spec["revisionHistoryLimit"] > 0
        assert c["image"] == digest, c["image"]
        assert found["ServiceAccount", pod["serviceAccountName"]]["automountServiceAccountToken"] is False
        assert not any("serviceAccountToken" in json.dumps(v) for v in pod.get("volumes", []))
        everywhere = {**pod["securityContext"], **c["securityContext"]}
        assert everywhere["runAsNonRoot"] and everywhere["runAsUser"] == 1000, everywhere
        assert everywhere["seccompProfile"]["type"] == "RuntimeDefault" and everywhere["capabilities"]["drop"] == ["ALL"]
        assert everywhere["allowPrivilegeEscalation"] is False
        assert c["resources"]["requests"] == {"cpu": "10m", "memory": "32Mi"}, c["resources"]
        assert c["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}, c["resources"]
        assert pod["topologySpreadConstraints"] and pod["terminationGracePeriodSeconds"] >= 30
        secret = next(e["secretRef"]["name"] for e in c["envFrom"])
        if process == "web":
            assert {e["name"]: e.get("value") for e in c["env"]}["PORT"] and c["readinessProbe"] and c["livenessProbe"]
            assert c["lifecycle"]["preStop"]
    assert found["Service", "web"]["spec"]["type"] == "NodePort" and ("Service", "worker") not in found
    # Another value is another Secret; the same one is the same.
    check(ssh("config:set", repo.app, "GREETING=second"))
    after = objects(namespace, kinds)
    names = {n for k, n in after if k == "Secret"}
    now = next(e["secretRef"]["name"] for e in after["Deployment", "web"]["spec"]["template"]["spec"]["containers"][0]["envFrom"])
    assert now != secret and now in names, (now, secret, names)
    check(ssh("config:set", repo.app, "GREETING=first"))
    after = objects(namespace, "deployments")
    assert after["Deployment", "web"]["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"] == secret
    repo.commit("second", hello("two"))
    check(repo.push())
    assert {n for k, n in objects(namespace, "deployments")} == {"web"}


def test_conflict():
    """a field that somebody else holds with another value: the push is refused and names them, what runs stays"""
    repo = harness.new_app("one")
    namespace = prefix(ENV["SLIPWAY_CONFIG"]) + repo.app
    ours = objects(namespace, "deployments")["Deployment", "web"]["spec"]["revisionHistoryLimit"]
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
              "spec": {"revisionHistoryLimit": ours + 1}}
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager", "somebody", "-f", "-", stdin=json.dumps(theirs))
    repo.commit("second", hello("two"))
    refused(repo.push(), 'Deployment web: .spec.revisionHistoryLimit is held by "somebody" with another value', "v1 is still live")
    page(repo.app, "one")
    theirs["spec"]["revisionHistoryLimit"] = ours
    kubectl("apply", "--server-side", "--field-manager", "somebody", "-f", "-", stdin=json.dumps(theirs))
    check(repo.push())
    page(repo.app, "two")


def exposed(**settings):
    """A live app, and its Service and Ingress, where the server has these settings."""
    server = Server(**{f"kubernetes__{k}": v for k, v in settings.items()})
    with server:
        repo = harness.new_app("one")
        found = objects(server.namespaces + repo.app, "services,ingresses")
        yield repo, found["Service", "web"]["spec"], found.get(("Ingress", "web"), {}).get("spec"), server.namespaces + repo.app


def test_ingress():
    """expose = ingress: the host below the domain, the class, TLS"""
    for repo, service, ingress, _ in exposed(expose="ingress", domain="apps.example.com", ingress_class="somebodys", tls="yes"):
        host = f"{repo.app}.apps.example.com"
        assert service["type"] == "ClusterIP" and ingress["ingressClassName"] == "somebodys"
        assert [r["host"] for r in ingress["rules"]] == [host], ingress
        assert ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "web"
        assert ingress["tls"][0]["hosts"] == [host], ingress
        assert harness.url(repo.app) == f"https://{host}"


def test_load_balancer():
    """expose = loadbalancer: the address is the one that the cluster's provider gives"""
    for repo, service, ingress, namespace in exposed(expose="loadbalancer"):
        assert service["type"] == "LoadBalancer" and ingress is None
        # No provider gives addresses on one machine.
        kubectl("patch", "service", "web", "-n", namespace, "--subresource", "status", "--type", "merge", "-p",
                json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}))
        repo.commit("second", hello("two"))
        has(check(repo.push()), "http://192.0.2.7")
        assert harness.url(repo.app) == "http://192.0.2.7"


def test_no_exposure():
    """expose = none: a Service inside of the cluster, and no URL"""
    for repo, service, ingress, _ in exposed(expose="none"):
        assert service["type"] == "ClusterIP" and ingress is None
        assert not check(ssh("apps:info", repo.app, "--json")).json()["url"]
        until(lambda: check(ssh("ps", repo.app, "--json")).json()[0]["state"] == "running")


harness.main(globals())
