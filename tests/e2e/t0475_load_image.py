#!/usr/bin/env python3
"""git:load-image: images as docker save writes them, on standard input."""

import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import tarfile
import tempfile

import harness
from harness import ENV, HOST, TMP, Repo, Server, check, descendants, has, new_name, new_user, page, run, ssh, ssh_argv, until

# The smallest image that serves text: it has neither a shell nor buildpacks' launcher.
SERVER = r"""
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end(int signo) { (void) signo; _exit(0); }

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short) atoi(getenv("PORT"))) };
    const char *greeting = getenv("GREETING");
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    char in[4096], text[256], out[512];

    signal(SIGTERM, end);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    snprintf(text, sizeof(text), "%s %s\n", argc > 1 ? argv[1] : "", greeting != NULL ? greeting : "");
    if (bind(s, (struct sockaddr *) &a, sizeof(a)) != 0 || listen(s, 64) != 0)
        return 1;
    for (;;) {
        int c = accept(s, NULL, NULL), n;

        if (read(c, in, sizeof(in)) > 0) {
            n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(text), text);
            if (write(c, out, (size_t) n) == n && shutdown(c, SHUT_WR) == 0)
                while (read(c, in, sizeof(in)) > 0)
                    continue;
        }
        close(c);
    }
}
"""

app = new_name()
tag = f"slipway-test-{os.getpid()}"


def docker(*args, **kwargs):
    r = subprocess.run(["docker", *args], capture_output=True, **kwargs)
    assert r.returncode == 0, (args, r.stderr)
    return r.stdout


def image(name, text, big=0):
    """Builds TAG/NAME with the engine: three layers, the second of `big` random bytes. Its archive."""
    folder = TMP / f"image-{name.replace(':', '-')}"
    folder.mkdir()
    (folder / "web.c").write_text(SERVER)
    subprocess.run(["cc", "-O1", "-static", "-o", folder / "web", folder / "web.c"], check=True)
    (folder / "big").write_bytes(os.urandom(big))
    (folder / "text").write_text(text)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY web /web\nCOPY big /big\nCOPY text /text\n"
                                       f"ENTRYPOINT [\"/web\"]\nCMD [{json.dumps(text)}]\n")
    docker("build", "-q", "-t", f"{tag}/{name}", folder)
    return save(name)


def save(*names):
    return docker("save", *(f"{tag}/{name}" for name in names))


def files(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as t:
        return {m.name: t.extractfile(m).read() for m in t if m.isfile()}


def tar(content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def with_oci_layout(archive, change=lambda config: None, compress=False):
    """The same image as Docker 25 and later save it."""
    old = files(archive)
    entry = json.loads(old["manifest.json"])[0]
    config = json.loads(old[entry["Config"]])
    change(config)
    blobs = [json.dumps(config).encode(), *(old[layer] for layer in entry["Layers"])]
    if compress:
        blobs[1] = gzip.compress(blobs[1])
    new = {f"blobs/sha256/{digest(b)}": b for b in blobs}
    manifest = [{"Config": f"blobs/sha256/{digest(blobs[0])}", "RepoTags": entry["RepoTags"],
                 "Layers": [f"blobs/sha256/{digest(b)}" for b in blobs[1:]]}]
    new["index.json"] = b'{"schemaVersion": 2, "manifests": []}'
    new["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    new["manifest.json"] = json.dumps(manifest).encode()
    return tar(new)


def kept():
    return sorted(os.listdir(harness.STATE / "images"))


def test_load():
    """docker save's output, with -, without a word, and by name; gzip, too; it is live, and a release like any other"""
    check(ssh("apps:create", app))
    one = image("web:1", "one")
    has(check(ssh("git:load-image", app, "-", stdin=one)), f"Received {tag}/web:1", "3 layers", "web=1", "v1 is live")
    page(app, "one")
    until(lambda: not kept())
    assert Repo(app).remote_refs() == {}
    two = image("web:2", "two")
    answer = check(ssh("git:load-image", "-a", app, "--json", stdin=gzip.compress(two))).json()
    assert answer["release"] == 2 and answer["image"] == f"{tag}/web:2", answer
    page(app, "two")
    info = check(ssh("releases:info", app, "--json")).json()
    assert info["digest"] == answer["digest"] and info["image"].endswith(f"/{app}@{answer['digest']}"), info
    check(ssh("config:set", app, "GREETING=again"))
    page(app, "two again")
    check(ssh("rollback", app, "v1"))
    page(app, "one")
    # The same image has the same digest, and none of it is sent to the registry again.
    has(check(ssh("git:load-image", app, f"{tag}/web:2", stdin=two)), answer["digest"][:19], "is live")
    page(app, "two")
    has(check(ssh("releases", app)), f"image {tag}/web:2")
    has(check(ssh("audit", app)), "git:load-image")


def test_load_several():
    """an archive of two images needs a name"""
    both = save("web:1", "web:2")
    has(check(ssh("git:load-image", app, "-", stdin=both), 2), "2 images", f"{tag}/web:1", f"{tag}/web:2")
    has(check(ssh("git:load-image", app, f"{tag}/web:3", stdin=both), 2), "no image with that name", f"{tag}/web:1")
    check(ssh("git:load-image", app, f"{tag}/web:1", stdin=both))
    page(app, "one")


def test_load_layout():
    """the layout of Docker 25 and later, also with a compressed layer"""
    has(check(ssh("git:load-image", app, stdin=with_oci_layout(save("web:2")))), "3 layers", "is live")
    page(app, "two")
    has(check(ssh("git:load-image", app, stdin=with_oci_layout(save("web:1"), compress=True))), "is live")
    page(app, "one")


def test_load_refused():
    """what is cut off, damaged, for another system or no image at all changes nothing, and nothing of it is kept"""
    before = check(ssh("releases", app, "--json")).out
    one = save("web:1")
    damaged = files(one)
    layer = json.loads(damaged["manifest.json"])[0]["Layers"][2]
    damaged[layer] = damaged[layer][:-1] + b"!"
    cases = [
        (one[:len(one) // 2], 1, "can't be read"), (one[:512 * 3], 1, ""), (gzip.compress(one)[:-2000], 1, ""),
        (tar(damaged), 1, "layer 3 is damaged"), (b"hello" * 1000, 1, "no archive as docker save writes it"),
        (b"", 2, "docker save my/app:1.2 | ssh"), (tar({"a": b"x"}), 1, "no manifest.json"),
        (tar({"oci-layout": b"{}"}), 1, "skopeo copy"), (tar({"../x": b"x"}), 1, '".."'), (tar({"/etc/x": b"x"}), 1, "absolute"),
        (with_oci_layout(one, lambda c: c.update(os="windows")), 1, "apps run on Linux"),
        (with_oci_layout(one, lambda c: c["config"].update(Entrypoint=None, Cmd=None)), 1, "says no command"),
    ]
    for data, code, why in cases:
        has(check(ssh("git:load-image", app, "-", stdin=data), code), why)
    has(check(ssh("git:load-image", app, "Not/AnImage", stdin=one), 2), "lower-case")
    assert check(ssh("releases", app, "--json")).out == before
    until(lambda: not kept())
    page(app, "one")
    # Another machine's image is told of; whether it starts, only the target knows.
    other = with_oci_layout(one, lambda c: c.update(architecture="s390x"))
    has(check(ssh("git:load-image", app, "-", stdin=other)), "The image is for s390x, and this server is")
    check(ssh("apps:lock", app, "closed"))
    has(check(ssh("git:load-image", app, "-", stdin=one), 5), "closed")
    check(ssh("apps:unlock", app))
    key = new_user(new_name("u"))
    check(ssh("git:load-image", app, "-", stdin=one, key=key), 4)


def test_load_shell():
    """an image with a shell and no launcher: run and enter work in it"""
    other = new_name()
    run_image = ENV["BUILDER"].rsplit("/", 1)[0] + "/run"
    folder = TMP / "shell"
    folder.mkdir()
    for name, text in harness.hello("shell").items():
        (folder / name).write_text(text)
    (folder / "Dockerfile").write_text(f"FROM {run_image}\nCOPY web.py /web.py\nENV MARK=\"a b\"\nENTRYPOINT []\n"
                                       "CMD [\"python3\", \"-u\", \"/web.py\"]\n")
    docker("build", "-q", "-t", f"{tag}/shell:1", folder)
    check(ssh("apps:create", other))
    has(check(ssh("git:load-image", other, stdin=save("shell:1"))), "is live")
    page(other, "shell")
    assert check(ssh("run", other, "printenv", "MARK")).out == "a b\n"
    check(ssh("run", other, "sh", "-c", "'exit 7'"), 7)
    assert check(ssh("enter", other, "web", "printenv", "MARK")).out == "a b\n"


def begin(name, archive):
    """git:load-image that goes on while a test does something else; its output so far is read up to a text."""
    source = tempfile.TemporaryFile()
    source.write(archive)
    source.seek(0)
    argv = [*ssh_argv(port=harness.PORT), f"git@{HOST}", "git:load-image", name, "-"]
    return subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def read_until(p, text):
    seen = b""
    while text.encode() not in seen:
        piece = os.read(p.stdout.fileno(), 65536)
        assert piece, seen
        seen += piece


def test_load_killed():
    """kill -9 of the session, of the release worker while it publishes, and of the server: finished or nothing is left"""
    big = image("big:1", "big", big=60_000_000)
    small = save("web:1")
    with Server(git__max_image="64M") as server:
        other = new_name()
        check(ssh("apps:create", other))
        # A session that dies while it takes the archive.
        p = subprocess.Popen([*ssh_argv(port=harness.PORT), f"git@{HOST}", "git:load-image", other, "-"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        p.stdin.write(big[:len(big) // 2])
        p.stdin.flush()
        until(lambda: [n for n in kept() if n.startswith("incoming-")])
        assert server.kill("session") > 0
        p.wait(30)
        p.stdin.detach()
        until(lambda: not [line for line in descendants(server.process.pid).values() if "role image" in line])
        check(ssh("git:load-image", other, "-", stdin=small))
        until(lambda: not kept())
        page(other, "one")
        # The release worker, while it publishes.
        p = begin(other, big)
        read_until(p, "Releasing v2")
        assert server.kill("release") > 0
        assert b"v2 is live" in p.communicate(timeout=60)[0]
        page(other, "big")
        until(lambda: not kept())
        # All of it.
        p = begin(other, with_oci_layout(big, lambda c: c["config"].update(Cmd=["bigger"])))
        read_until(p, "Releasing v3")
        server.stop(signal.SIGKILL)
        p.communicate(timeout=30)
        server.start()
        until(lambda: check(ssh("releases:info", other, "--json")).json()["version"] == 3)
        page(other, "bigger")
        until(lambda: not kept())
        larger = tar({**files(small), "more": bytes(70 << 20)})
        has(check(ssh("git:load-image", other, "-", stdin=larger), 1), "larger than 64 MiB", "max_image")
        until(lambda: not kept())


def test_load_registry_down():
    """a registry that doesn't answer: exit code 6, the app stays, and the file goes"""
    other = new_name()
    with Server(registry__host=f"localhost:{harness.free_port()}/apps"):
        check(ssh("apps:create", other))
        has(check(ssh("git:load-image", other, "-", stdin=save("web:1")), 6), "registry localhost", "Nothing is live")
        until(lambda: not kept())
        has(check(ssh("releases:retry", other), 1), "send it again")


harness.main(globals())
