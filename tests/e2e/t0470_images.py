#!/usr/bin/env python3
"""Deploys without a push: archives, and images that were built elsewhere."""

import gzip
import hashlib
import io
import json
import tarfile
import time
import urllib.request
import zipfile

import harness
from harness import ENV, Repo, check, has, hello, new_name, new_user, page, ssh


def tar(files, prefix="", mode="w:gz", extra=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.PAX_FORMAT) as t:
        for name, text in files.items():
            info = tarfile.TarInfo(prefix + name)
            data = text.encode()
            info.size, info.mtime = len(data), int(time.time())
            t.addfile(info, io.BytesIO(data))
        for info in extra:
            t.addfile(info)
    return out.getvalue()


def entry(name, kind=tarfile.SYMTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(files, prefix=""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(prefix + name, text)
    return out.getvalue()


app = new_name()


def test_archive():
    """git:from-archive: a tar.gz, then a zip in one folder; each is a commit that a clone has"""
    check(ssh("apps:create", app))
    r = check(ssh("git:from-archive", app, "-", stdin=tar(hello("one"), extra=[entry("link", target="web.py")])))
    has(r, "Received an archive as", "3 files", "v1 is live")
    page(app, "one")
    r = check(ssh("git:from-archive", "-a", app, "--json", stdin=zipped(hello("two"), "shop-1.0/")))
    answer = r.json()
    assert answer["release"] == 2 and answer["app"] == app, answer
    page(app, "two")
    repo = Repo(app)
    assert repo.remote_refs()["refs/heads/main"] == answer["commit"]
    repo.git("pull", "-q", "k8s", "main")
    log = repo.git("log", "--format=%an %s").out.splitlines()
    assert log == ["admin from archive"] * 2, log
    assert "two" in (repo.path / "web.py").read_text() and not (repo.path / "link").exists()
    # A push goes on from there.
    repo.commit("three", hello("three"))
    check(repo.push())
    page(app, "three")


def test_archive_refused():
    """What an archive must not hold is named, and nothing changes"""
    before = Repo(app).remote_refs()
    files = hello("never")
    cases = [
        (tar(files, extra=[entry("../x", tarfile.REGTYPE)]), 1, '".."'),
        (tar(files, extra=[entry("/etc/x", tarfile.REGTYPE)]), 1, "absolute path"),
        (tar(files, extra=[entry(".git/hooks/x", tarfile.REGTYPE)]), 1, "repository's own folder"),
        (tar(files, extra=[entry("link", target="../../etc/passwd")]), 1, "leaves the tree"),
        (tar(files, extra=[entry("link", tarfile.LNKTYPE, "etc/passwd")]), 1, "hard link"),
        (tar(files, extra=[entry("null", tarfile.CHRTYPE)]), 1, "neither a file"),
        (zipped(files)[:-30], 1, ""), (tar(files, mode="w")[:700], 1, "can't be read"),
        (gzip.compress(bytes(200 << 20)), 1, ""),
        (b"hello", 1, "no tar, tar.gz or zip"),
        (b"", 2, "standard input is empty"),
    ]
    for data, code, why in cases:
        has(check(ssh("git:from-archive", app, "-", stdin=data), code), why)
    has(check(ssh("git:from-archive", app, "https://example.com/x.tar"), 2), "curl -sSL URL")
    has(check(ssh("git:from-archive", app, "-", stdin=tar({"web.py": "nothing to run"})), 1), "is still live")
    assert Repo(app).remote_refs() == before
    page(app, "three")
    check(ssh("apps:lock", app, "closed"))
    has(check(ssh("git:from-archive", app, "-", stdin=tar(files)), 5), "closed")
    check(ssh("apps:unlock", app))
    key = new_user(new_name("u"))
    check(ssh("git:from-archive", app, "-", stdin=tar(files), key=key), 4)
    has(check(ssh("audit", app)), "git:from-archive")


def image(version):
    """The image of the app's release, by digest."""
    return f"{ENV['REGISTRY']}/{app}@{check(ssh('releases:info', app, version, '--json')).json()['digest']}"


def test_image():
    """git:from-image: another app's image by digest; a push of the commit that was live before deploys again"""
    other = new_name()
    check(ssh("apps:create", other))
    has(check(ssh("git:from-image", other, image("v3"))), "Releasing v1", "web=1", "v1 is live")
    page(other, "three")
    assert Repo(other).remote_refs() == {}
    commit = Repo(app).remote_refs()["refs/heads/main"]
    answer = check(ssh("git:from-image", "-a", app, image("v1"), "--json")).json()
    page(app, "one")
    assert check(ssh("apps:info", app, "--json")).json()["commit"] is None
    # A clone still gets the last commit that was live, and who pushes it again gets it live again.
    assert Repo(app).remote_refs()["refs/heads/main"] == commit
    repo = Repo(app)
    repo.git("pull", "-q", "k8s", "main")
    assert repo.head() == commit
    has(check(repo.push()), "is live")
    page(app, "three")
    # An image's release is like any other: rolled back to, and changed.
    check(ssh("rollback", app, f"v{answer['release']}"))
    page(app, "one")
    check(ssh("config:set", app, "GREETING=again"))
    page(app, "one again")
    assert Repo(app).remote_refs()["refs/heads/main"] == commit


def registry(method, path, data=None, headers=None):
    host = ENV["REGISTRY"].split("/")[0]
    q = urllib.request.Request(path if "://" in path else f"http://{host}/v2/{path}", data, headers or {}, method=method)
    with urllib.request.urlopen(q, timeout=30) as r:
        return r.read(), r.headers


def plain_image(name, source):
    """The same files as an image that buildpacks know nothing of, tagged 1.0."""
    repository, _, digest = source.partition("@")
    repository = repository.partition("/")[2]
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.loads(registry("GET", f"{repository}/manifests/{digest}",
                                   headers={"Accept": f"{kind}, application/vnd.oci.image.manifest.v1+json"})[0])
    config = json.loads(registry("GET", f"{repository}/blobs/{manifest['config']['digest']}")[0])
    config["config"]["Labels"] = {}
    config["config"]["Entrypoint"], config["config"]["Cmd"] = ["python3", "-u"], ["/workspace/web.py"]
    body = json.dumps(config).encode()
    manifest["config"]["digest"] = "sha256:" + hashlib.sha256(body).hexdigest()
    manifest["config"]["size"] = len(body)
    for layer in manifest["layers"]:
        registry("POST", f"{name}/blobs/uploads/?mount={layer['digest']}&from={repository}", b"")
    where = registry("POST", f"{name}/blobs/uploads/", b"")[1]["Location"]
    registry("PUT", f"{where}&digest={manifest['config']['digest']}", body, {"Content-Type": "application/octet-stream"})
    text = json.dumps(manifest).encode()
    registry("PUT", f"{name}/manifests/1.0", text, {"Content-Type": manifest["mediaType"]})
    return f"{ENV['REGISTRY'].split('/')[0]}/{name}", "sha256:" + hashlib.sha256(text).hexdigest()


def test_image_plain():
    """Entrypoint and Cmd of any image are web, and a tag is said to be a digest"""
    other = new_name()
    check(ssh("apps:create", other))
    name, digest = plain_image(f"plain/{other}", image("v2"))
    has(check(ssh("git:from-image", other, f"{name}:1.0")), f"{name}:1.0 is {digest}", "web=1", "v1 is live")
    page(other, "two")
    assert check(ssh("releases:info", other, "--json")).json()["digest"] == digest
    has(check(ssh("git:from-image", other, f"{name}:2.0"), 1), "v2 failed", "v1 is still live")
    page(other, "two")


def test_image_refused():
    """Whose image it is, and what names none"""
    has(check(ssh("git:from-image", app, "no image"), 2))
    has(check(ssh("git:from-image", app, f"{ENV['REGISTRY']}/{app}"), 2), "a tag or a digest")
    user = new_name("u")
    key = new_user(user, "--create")
    own = new_name()
    check(ssh("apps:create", own, key=key))
    has(check(ssh("git:from-image", own, image("v1"), key=key), 4), "no image of an app")
    has(check(ssh("git:from-image", own, f"{ENV['REGISTRY']}/{app}/x:1", key=key), 4), "no image of an app")
    check(ssh("git:from-image", app, image("v1"), key=key), 4)
    has(check(ssh("audit", app)), "git:from-image")


harness.main(globals())
