#!/usr/bin/env python3
"""Deploys without a git client: archives."""

import gzip
import io
import tarfile
import time
import zipfile

import harness
from harness import Repo, check, has, hello, new_app, new_key, new_name, new_user, page, ssh


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


harness.main(globals())
