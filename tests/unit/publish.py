#!/usr/bin/python3
"""Publishing between real registries, and removing from them (Debian's docker-registry), and through one that fails.

Run by tests/unit/test_publish.sh; PUBLISH_TOOL is tests/unit/publish_tool, RETAIN_TOOL retain_tool. Prints TAP.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/fakes")]
import tap  # noqa: E402
from registry_proxy import Proxy  # noqa: E402

OCI = "application/vnd.oci.image."
TOOL, RETAIN = os.environ["PUBLISH_TOOL"], os.environ["RETAIN_TOOL"]


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """One docker-registry, by the stack's own script."""

    def __init__(self, dev, name, *options):
        self.dev, self.name = dev, name
        self.run("up", *options)
        self.folder = dev / "stack/registry" / name
        self.port = int((self.folder / "port").read_text())
        self.tls = "--tls" in options
        self.login = None

    def run(self, command, *options):
        subprocess.run([TOP / "stack/registry", command, "--name", self.name, "--port", "0", *options],
                       env={**os.environ, "SLIPWAY_DEV": str(self.dev)}, check=True, capture_output=True)

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.tls:
            context = ssl.create_default_context(cafile=self.folder / "ca.pem")
            connection = http.client.HTTPSConnection("localhost", self.port, context=context)
        else:
            connection = http.client.HTTPConnection("localhost", self.port)
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response, response.read()

    def put_blob(self, repository, data):
        response, _ = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        url = http.client.urlsplit(response.getheader("Location"))
        response, _ = self.request("PUT", f"{url.path}?{url.query}&digest={digest(data)}", data)
        assert response.status == 201, response.status
        return {"digest": digest(data), "size": len(data), "mediaType": OCI + "layer.v1.tar"}

    def put_manifest(self, repository, ref, document, kind="manifest"):
        text = json.dumps({"schemaVersion": 2, "mediaType": f"{OCI}{kind}.v1+json", **document}).encode()
        response, body = self.request("PUT", f"/v2/{repository}/manifests/{ref or digest(text)}", text,
                                      {"Content-Type": f"{OCI}{kind}.v1+json"})
        assert response.status == 201, body
        return {"digest": digest(text), "size": len(text), "mediaType": f"{OCI}{kind}.v1+json"}

    def put_image(self, repository, sizes, ref=None):
        config = self.put_blob(repository, json.dumps({"os": "linux", "n": len(sizes)}).encode())
        layers = [self.put_blob(repository, os.urandom(size)) for size in sizes]
        return self.put_manifest(repository, ref, {"config": config, "layers": layers})

    def manifest(self, repository, ref):
        response, body = self.request("GET", f"/v2/{repository}/manifests/{ref}", headers={
            "Accept": f"{OCI}manifest.v1+json, {OCI}index.v1+json"})
        return body if response.status == 200 else None

    def is_whole(self, repository, ref):
        """All blobs that a manifest or index names have their digests."""
        document = json.loads(self.manifest(repository, ref))
        for child in document.get("manifests", []):
            assert self.is_whole(repository, child["digest"])
        for blob in [document["config"], *document["layers"]] if "config" in document else []:
            response, body = self.request("GET", f"/v2/{repository}/blobs/{blob['digest']}")
            assert response.status == 200 and digest(body) == blob["digest"], blob
        return True


class Case:
    def __init__(self, folder, main, other):
        self.folder, self.main, self.other = folder, main, other
        self.count = 0

    def conf(self, source, target=None, auth=None, ca=None, insecure=True, source_auth=None):
        self.count += 1
        path = self.folder / f"{self.count}.conf"
        lines = ["[registry]", f"host = {source}", "insecure = yes"]
        if source_auth:
            lines.append(f"auth = {source_auth}")
        if target:
            lines += ["[release-registry]", f"host = {target}", f"insecure = {'yes' if insecure else 'no'}"]
            if auth:
                lines.append(f"auth = {auth}")
            if ca:
                lines.append(f"ca = {ca}")
        path.write_text("\n".join(lines) + "\n")
        return path

    def auth(self, **document):
        self.count += 1
        path = self.folder / f"{self.count}.json"
        path.write_text(json.dumps(document))
        return path

    def publish(self, conf, source, image, version=1, app="shop", file=None):
        r = subprocess.run([TOOL, conf, app, source, image["digest"], str(version), *([file] if file else [])],
                           capture_output=True, text=True, timeout=60)
        assert r.returncode >= 0, (r.returncode, r.stderr) # what it logs is for the server's admin
        return r.returncode, r.stdout


    def retain(self, conf, history, *images):
        """Removes what is beyond; the digests that are still there for a rollback, and what was logged."""
        r = subprocess.run([RETAIN, conf, str(history), *(image["digest"] for image in images)],
                           capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, (r.returncode, r.stdout, r.stderr)
        there = [line.split()[1] for line in r.stdout.splitlines() if line.startswith("there ")]
        return there, r.stderr


def login(user, password):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def expect(result, code, *texts):
    assert result[0] == code, result
    for text in texts:
        assert text in result[1], f"{text!r} is missing in {result[1]!r}"


def test_same_registry(c):
    """the same registry: a tag alone"""
    image = c.main.put_image("shop", [1000, 2000])
    source = f"localhost:{c.main.port}/shop"
    conf = c.conf(f"localhost:{c.main.port}")
    expect(c.publish(conf, source, image, 7), 0, f"image {source}@{image['digest']}")
    assert digest(c.main.manifest("shop", "v7")) == image["digest"]
    expect(c.publish(conf, source, {"digest": digest(b"none")}), 4, "registry localhost", "has no image")


def test_tls_password(c):
    """another registry behind TLS and a password: copied whole, and nothing the second time"""
    image = c.main.put_image("team/shop", [100, 3_000_000, 5_000_000, 70_000, 0, 9])
    source, target = f"localhost:{c.main.port}/team/shop", f"localhost:{c.other.port}/apps"
    auth = c.auth(auths={f"localhost:{c.other.port}": login("ci", "pass:word")})
    conf = c.conf(f"localhost:{c.main.port}/team", target, auth, c.other.folder / "ca.pem", insecure=False)
    expect(c.publish(conf, source, image, 3), 0, "publish: 7 of 7 layers, 7.7 MiB",
           f"image {target}/shop@{image['digest']}")
    assert c.other.is_whole("apps/shop", "v3")
    again = c.publish(conf, source, image, 4)
    expect(again, 0)
    assert "layers" not in again[1], again
    assert digest(c.other.manifest("apps/shop", "v4")) == image["digest"]


def test_index(c):
    """an index with two images"""
    images = [c.main.put_image("multi", [500, 600]) for _ in range(2)]
    index = c.main.put_manifest("multi", None, {"manifests": [
        {**image, "platform": {"os": "linux", "architecture": name}}
        for image, name in zip(images, ("amd64", "arm64"))]}, "index")
    proxy = Proxy(c.main.port)
    conf = c.conf(f"localhost:{c.main.port}", f"127.0.0.1:{proxy.port}/copies")
    expect(c.publish(conf, f"localhost:{c.main.port}/multi", index, app="multi"), 0)
    assert c.main.is_whole("copies/multi", "v1")
    assert digest(c.main.manifest("copies/multi", "v1")) == index["digest"]


def test_mount(c):
    """one host, another prefix: blobs are mounted, none moves"""
    proxy = Proxy(c.main.port)
    image = c.main.put_image("build/shop", [400_000, 500_000])
    conf = c.conf(f"127.0.0.1:{proxy.port}/build", f"127.0.0.1:{proxy.port}/live")
    out = c.publish(conf, f"127.0.0.1:{proxy.port}/build/shop", image)
    expect(out, 0)
    assert not proxy.seen("GET", "/blobs/") and not proxy.seen("PUT", "/blobs/"), proxy.log
    assert len([e for e in proxy.seen("POST", "/uploads/") if e[2] == 201]) == 3
    assert c.main.is_whole("live/shop", "v1")


def test_denied(c):
    """wrong password, no password, unknown CA, nobody there"""
    image = c.main.put_image("denied", [10])
    source, target = f"localhost:{c.main.port}/denied", f"localhost:{c.other.port}"
    ca = c.other.folder / "ca.pem"
    wrong = c.auth(auths={target: login("ci", "not-it")})
    none = c.auth(auths={})

    def conf(auth, ca_file=ca):
        return c.conf(f"localhost:{c.main.port}", target, auth, ca_file, insecure=False)
    out = c.publish(conf(wrong), source, image)
    expect(out, 3, f"registry {target} refuses the login from [release-registry] auth", "tell the server's admin")
    assert "not-it" not in out[1]
    out = c.publish(conf(none), source, image)
    expect(out, 3, "[release-registry] auth has none for it")
    assert str(c.folder) not in out[1]
    expect(c.publish(conf(None), source, image), 3, "no file with credentials is set", "[release-registry] auth")
    expect(c.publish(conf(wrong, None), source, image), 6, f"registry {target}", "certificate")
    expect(c.publish(c.conf(f"localhost:{c.main.port}", "127.0.0.1:1"), source, image), 6, "registry 127.0.0.1:1")
    plain = c.conf(f"localhost:{c.main.port}", f"127.0.0.1:{c.main.port}", insecure=False)
    expect(c.publish(plain, source, image), 6, "set insecure = yes")
    out = c.publish(conf(c.folder / "missing.json"), source, image)
    expect(out, 4, "the login from [release-registry] auth", "the server's log says why")
    assert "missing.json" not in out[1]


def test_cuts(c):
    """connections cut half-way through blobs, on both sides, and 503 now and then"""
    image = c.main.put_image("cuts", [2_000_000, 1_500_000, 900_000, 40])
    source_proxy, target_proxy = Proxy(c.main.port), Proxy(c.main.port)
    source_proxy.cut_get = 3
    target_proxy.cut_put = 2
    target_proxy.fail_put = 1
    conf = c.conf(f"127.0.0.1:{source_proxy.port}", f"127.0.0.1:{target_proxy.port}/copies")
    expect(c.publish(conf, f"127.0.0.1:{source_proxy.port}/cuts", image, app="cuts"), 0)
    assert c.main.is_whole("copies/cuts", "v1")
    assert [e for e in source_proxy.log if e[2] == 206], "a cut download goes on where it was cut"
    # One that doesn't know ranges sends it all again.
    image = c.main.put_image("cuts", [2_000_000, 10])
    source_proxy.reset()
    source_proxy.cut_get, source_proxy.no_range = 2, True
    expect(c.publish(conf, f"127.0.0.1:{source_proxy.port}/cuts", image, 2, app="cuts"), 0)
    assert c.main.is_whole("copies/cuts", "v2")


def test_chunks(c):
    """a large blob goes in chunks; what is cut goes on with the chunk that was cut, or begins anew"""
    source = f"localhost:{c.main.port}/chunks"
    proxy = Proxy(c.main.port)
    conf = c.conf(f"localhost:{c.main.port}", f"127.0.0.1:{proxy.port}/copies")

    def run(version, **faults):
        image = c.main.put_image("chunks", [20_000_000 + version, 10])
        proxy.reset()
        for name, value in faults.items():
            setattr(proxy, name, value)
        expect(c.publish(conf, source, image, version, app="chunks"), 0)
        assert c.main.is_whole("copies/chunks", f"v{version}")
        return [e[2] for e in proxy.seen("PATCH", "/uploads/")], len(proxy.seen("POST", "/uploads/"))
    # Uploads: of the large layer, the small one, and the first time the config.
    got = run(1)
    assert got == ([202] * 3, 3), got
    got = run(2, cut_patch=[1, 3, 5])
    assert got == (["cut", 202, "cut", 202, "cut", 202], 2), (got, proxy.log)
    # A registry that has a part which it never acknowledged may refuse to go on with it (docker-registry does).
    patches, uploads = run(3, part_patch=[2])
    assert patches.count("cut") == 1 and patches.count(202) >= 3 and uploads in (2, 3), (patches, proxy.log)
    patches, uploads = run(4, refuse={"PATCH": 405})
    assert patches == [405] and uploads == 3 and len(proxy.seen("PUT", "/uploads/")) == 2, (patches, uploads)
    out = c.publish(conf, source, c.main.put_image("chunks", [9_000_000]), 5, app="chunks")
    expect(out, 0)
    proxy.reset()
    proxy.cut_patch = range(1000)
    image = c.main.put_image("chunks", [9_500_000])
    expect(c.publish(conf, source, image, 6, app="chunks"), 6, f"registry 127.0.0.1:{proxy.port}")
    assert len(proxy.seen("PATCH", "/uploads/")) < 20


def image_file(path, sizes):
    """An image as base/image_file.h has it, among other bytes."""
    blobs, data = [], b"before"
    for text in [json.dumps({"os": "linux", "sizes": sizes}).encode(), *(os.urandom(n) for n in sizes)]:
        blobs.append({"digest": digest(text), "offset": len(data), "size": len(text)})
        data += text + b"between"
    layers = [{"mediaType": OCI + "layer.v1.tar", "digest": b["digest"], "size": b["size"]} for b in blobs]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "layers": layers[1:],
                           "config": {**layers[0], "mediaType": OCI + "config.v1+json"}})
    table = json.dumps({"manifest": manifest, "blobs": blobs}).encode()
    path.write_bytes(data + table + b"%020d" % len(table))
    return {"digest": digest(manifest.encode())}, blobs


def test_file(c):
    """an image that a person sent: its blobs come from a file, whole or in chunks, also through cuts"""
    proxy = Proxy(c.main.port)
    name, path = f"127.0.0.1:{proxy.port}/sent/shop", c.folder / "image"
    conf = c.conf(f"127.0.0.1:{proxy.port}/sent")

    def run(version, sizes, code=0, damage=None, **faults):
        image, blobs = image_file(path, sizes)
        if damage is not None:
            with open(path, "r+b") as f:
                f.seek(blobs[damage]["offset"])
                f.write(b"!")
        proxy.reset()
        for fault, value in faults.items():
            setattr(proxy, fault, value)
        out = c.publish(conf, name, image, version, file=path)
        assert out[0] == code, (out, proxy.log)
        if code == 0:
            expect(out, 0, f"image {name}@{image['digest']}")
            assert c.main.is_whole("sent/shop", f"v{version}")
        else:
            assert c.main.manifest("sent/shop", f"v{version}") is None
        return out, image
    run(1, [100, 2_000_000, 0, 70_000])
    run(2, [20_000_000, 10], cut_patch=[1, 3])
    run(3, [20_000_000, 10], part_patch=[2])
    run(4, [9_000_000, 10], refuse={"PATCH": 405})
    run(5, [2_000_000, 10], cut_put=2)
    for n, sizes in enumerate(([100, 200], [20_000_000, 200])):
        out, _ = run(6 + n, sizes, 1, damage=1)
        expect(out, 1, "the file of the image is damaged", "send it again")
    # Again, from where a worker was killed: nothing moves but the tag.
    _, image = run(8, [300_000])
    proxy.reset()
    expect(c.publish(conf, name, image, 9, file=c.folder / "gone"), 0)
    assert not proxy.seen("POST", "/uploads/")
    expect(c.publish(conf, name, {"digest": digest(b"none")}, 10, file=c.folder / "gone"), 1, "gone", "send it again")
    expect(c.publish(conf, name, {"digest": digest(b"none")}, 10, file=path), 1, "instead of")


def test_cut_for_good(c):
    """a registry that always cuts: an end, with its name"""
    image = c.main.put_image("always", [100_000])
    proxy = Proxy(c.main.port)
    proxy.cut_get = 1000
    conf = c.conf(f"127.0.0.1:{proxy.port}", f"localhost:{c.main.port}/copies")
    expect(c.publish(conf, f"127.0.0.1:{proxy.port}/always", image, app="always"), 6,
           f"registry 127.0.0.1:{proxy.port}")
    assert len(proxy.seen("GET", "/blobs/")) < 20
    assert c.main.manifest("copies/always", "v1") is None


def test_wrong_digest(c):
    """a registry that sends other bytes: refused, and nothing of it arrives"""
    images = [c.main.put_image("wrong", [100_000]), c.main.put_image("wrong", [9_000_000])]
    proxy = Proxy(c.main.port)
    conf = c.conf(f"127.0.0.1:{proxy.port}", f"localhost:{c.main.port}/copies")
    for image, fault, text in ((images[0], "wrong", "sent data whose digest is sha256:"), (images[0], "longer", "sent more than the"),
                               (images[1], "wrong", "sent data whose digest is sha256:")):
        proxy.reset()
        setattr(proxy, fault, True)
        expect(c.publish(conf, f"127.0.0.1:{proxy.port}/wrong", image, app="wrong"), 1,
               f"registry 127.0.0.1:{proxy.port} {text}")
        assert c.main.manifest("copies/wrong", "v1") is None


def test_statuses(c):
    """403, 404 and 429 to an upload say what to do; control characters of a registry don't get through"""
    image = c.main.put_image("statuses", [1000])
    proxy = Proxy(c.main.port)
    conf = c.conf(f"localhost:{c.main.port}", f"127.0.0.1:{proxy.port}/copies")
    for status, code, text in ((403, 3, "give it that right"), (404, 4, "has no repository copies/statuses"),
                               (429, 5, "limits requests"), (500, 6, "answered 500")):
        proxy.reset()
        proxy.refuse = {"POST": status}
        out = c.publish(conf, f"localhost:{c.main.port}/statuses", image, app="statuses")
        expect(out, code, f"registry 127.0.0.1:{proxy.port}", text)
        assert "\x1b" not in out[1]


def test_bearer(c):
    """token authentication: by password, by refresh token, with tokens that run out, refused"""
    source = f"localhost:{c.main.port}/bearer"
    proxy = Proxy(c.main.port, bearer=True)
    target = f"127.0.0.1:{proxy.port}/tokens"
    host = f"127.0.0.1:{proxy.port}"

    def run(auth, version):
        image = c.main.put_image("bearer", [300_000, 200])
        conf = c.conf(f"localhost:{c.main.port}", target, auth)
        return c.publish(conf, source, image, version, app="bearer")
    expect(run(c.auth(auths={host: login("ci", "pass:word")}), 1), 0)
    assert c.main.is_whole("tokens/bearer", "v1")
    assert len(proxy.token_requests) <= 3, proxy.token_requests
    assert proxy.token_requests[0][2] == ["proxy"]
    proxy.reset()
    expect(run(c.auth(auths={host: {"identitytoken": "refresh"}}), 2), 0)
    assert {r[0] for r in proxy.token_requests} == {"POST"}
    proxy.reset()
    proxy.token_seconds = 0
    expect(run(c.auth(auths={host: login("ci", "pass:word")}), 3), 3)
    proxy.reset()
    proxy.token_seconds = 300
    out = run(c.auth(auths={host: login("ci", "no")}), 4)
    expect(out, 3, f"the token server of registry {host} refuses the login")
    expect(run(None, 5), 3, f"registry {host} wants a login")
    # Both sides in one registry that wants tokens: the scope names both repositories.
    proxy.reset()
    image = c.main.put_image("bearer", [300_000])
    auth = c.auth(auths={host: login("ci", "pass:word")})
    conf = c.conf(host, f"{host}/mounted", auth, source_auth=auth)
    expect(c.publish(conf, f"{host}/bearer", image, app="bearer"), 0)
    assert c.main.is_whole("mounted/bearer", "v1")
    assert not proxy.seen("PUT", "/blobs/")


def test_helper(c):
    """a credential helper, found in PATH"""
    image = c.main.put_image("helper", [10])
    target = f"localhost:{c.other.port}"
    program = c.folder / "docker-credential-test"
    program.write_text("#!/bin/bash\nread -r server\n"
                       f'[[ $1 == get && $server == {target} ]] || exit 1\n'
                       'echo \'{"Username": "ci", "Secret": "pass:word"}\'\n')
    program.chmod(0o755)
    conf = c.conf(f"localhost:{c.main.port}", target, c.auth(credHelpers={target: "test"}),
                  c.other.folder / "ca.pem", insecure=False)
    old = os.environ["PATH"]
    os.environ["PATH"] = f"{c.folder}:{old}"
    expect(c.publish(conf, f"localhost:{c.main.port}/helper", image, app="helper"), 0)
    os.environ["PATH"] = old
    assert c.other.is_whole("helper", "v1")


def there(registry, repository, *images):
    """Which of the images the registry has, as a list of booleans."""
    return [registry.request("HEAD", f"/v2/{repository}/manifests/{image['digest']}", headers={
        "Accept": f"{OCI}manifest.v1+json, {OCI}index.v1+json"})[0].status == 200 for image in images]


def test_retention(c):
    """images beyond the kept ones go from both registries, also from other tags; those that are kept are whole"""
    images = [c.main.put_image("gone/shop", [1000 + i], f"v{i}") for i in range(5)]
    auth = c.auth(auths={f"localhost:{c.other.port}": login("ci", "pass:word")})
    conf = c.conf(f"localhost:{c.main.port}/gone", f"localhost:{c.other.port}/gone", auth, c.other.folder / "ca.pem",
                  insecure=False)
    for n, image in enumerate(images):
        expect(c.publish(conf, f"localhost:{c.main.port}/gone/shop", image, n), 0)
    left, log = c.retain(conf, 2, *images)
    assert left == [image["digest"] for image in images[2:]], left
    assert "2 images of old releases removed" in log, log
    for registry in (c.main, c.other):
        assert there(registry, "gone/shop", *images) == [False, False, True, True, True]
        assert registry.is_whole("gone/shop", "v4")
    # The oldest is released again, then what came in between is.
    back = c.main.put_image("gone/shop", [7])
    left, _ = c.retain(conf, 1, back, images[2], images[3], back, images[4])
    assert left == [back["digest"], back["digest"], images[4]["digest"]], left
    assert there(c.main, "gone/shop", back, *images[2:]) == [True, False, False, True]


def test_retention_index(c):
    """with an index goes what it names, but for what a kept one names, too"""
    parts = [c.main.put_image("multi/shop", [500 + i]) for i in range(3)]
    a, b = (c.main.put_manifest("multi/shop", None, {"manifests": [
        {**part, "platform": {"os": "linux", "architecture": "amd64"}} for part in pair]}, "index")
            for pair in (parts[:2], parts[1:]))
    conf = c.conf(f"localhost:{c.main.port}/multi")
    left, _ = c.retain(conf, 0, a, b)
    assert left == [b["digest"]], left
    assert there(c.main, "multi/shop", a, b, *parts) == [False, True, False, True, True]


def test_retention_refused(c):
    """a registry that deletes nothing is told of once, with what to do, and its images can be rolled back to"""
    images = [c.main.put_image("kept/shop", [100 + i]) for i in range(3)]
    proxy = Proxy(c.main.port)
    conf = c.conf(f"127.0.0.1:{proxy.port}/kept")
    proxy.refuse = {"DELETE": 405}
    left, log = c.retain(conf, 0, *images)
    assert left == [image["digest"] for image in images], left
    assert log.count("doesn't let images be deleted") == 1 and "delete: enabled" in log, log
    # Others are tried again: until then nothing is made of what may be gone.
    for status, text in ((403, "give it that right"), (500, "answered 500")):
        proxy.refuse = {"DELETE": status}
        left, log = c.retain(conf, 0, *images)
        assert left == [images[2]["digest"]], left
        assert "stay until the next release" in log and text in log and "\x1b" not in log, log
    assert there(c.main, "kept/shop", *images) == [True] * 3


def test_retention_bearer(c):
    """token authentication: the right to delete is asked for"""
    images = [c.main.put_image("right/shop", [100 + i]) for i in range(2)]
    proxy = Proxy(c.main.port, bearer=True)
    host = f"127.0.0.1:{proxy.port}"
    conf = c.conf(f"{host}/right", source_auth=c.auth(auths={host: login("ci", "pass:word")}))
    left, _ = c.retain(conf, 0, *images)
    assert left == [images[1]["digest"]], left
    assert ["repository:right/shop:pull,delete"] in [r[1] for r in proxy.token_requests], proxy.token_requests
    assert there(c.main, "right/shop", *images) == [False, True]


def main():
    tests = [(name, function) for name, function in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="slipway-publish-") as text:
        folder = pathlib.Path(text)
        passwords = folder / "htpasswd"
        subprocess.run(["htpasswd", "-Bbc", passwords, "ci", "pass:word"], check=True, capture_output=True)
        main_registry = Registry(folder, "main")
        other = Registry(folder, "other", "--tls", "--htpasswd", str(passwords))
        other.login = "ci:pass:word"
        try:
            case = Case(folder, main_registry, other)
            for number, (name, function) in enumerate(tests, 1):
                try:
                    function(case)
                    tap.ok(number, function.__doc__)
                except Exception:
                    failed += 1
                    tap.not_ok(number, function.__doc__)
        finally:
            main_registry.run("down")
            other.run("down")
    sys.exit(failed != 0)


main()
