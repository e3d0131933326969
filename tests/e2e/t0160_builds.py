"""Builds by the real pack: limits of time, output and memory, cancel, a server that stops, the pushed project.toml; and what an operator sees of them."""

import json
import os
import signal
import threading

import harness
from harness import ENV, Repo, Server, check, has, hello, new_name, page, refused, run, ssh, until
from kill import push_until

# npm runs the script "build"; nothing is fetched.
LOCK = '{"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "x", "version": "1.0.0"}}}\n'


def building(script):
    """Files of an app whose build runs this line."""
    package = {"name": "x", "version": "1.0.0", "private": True, "scripts": {"build": f"echo begun; {script}"}}
    return {**hello("built"), "package.json": json.dumps(package), "package-lock.json": LOCK}


def containers(app):
    """Names of all containers of the engine that the app's builds have."""
    docker = {"DOCKER_HOST": "unix:///var/run/docker.sock"}
    ids = check(run(["docker", "ps", "-aq"], env=docker)).out.split()
    # One may be gone by now.
    seen = json.loads(run(["docker", "inspect", *ids], env=docker).out or "[]")
    return [c["Name"] for c in seen if f"{ENV['REGISTRY']}/{app}" in json.dumps(c["Config"].get("Cmd"))]


def no_container(app):
    until(lambda: not containers(app))


def test_limits():
    """a build that takes too long is ended with its containers and the reason; what it says is bounded"""
    with Server(build__build_output="64K") as server:
        repo = Repo(new_name())
        repo.commit("talks", building("seq 20000; exit 1"))
        r = refused(repo.push(), "more than 64 KiB; the build goes on")
        assert len(r.err) < 400000, len(r.err)  # git puts "remote: " and blanks around each line
        server.anew(build__build_timeout="20s")
        repo.commit("slow", building("sleep 1000"))
        refused(repo.push(), "the build took longer than 20s, the limit (build_timeout)")
        no_container(repo.app)
        assert repo.remote_refs() == {}
        server.anew(build__build_timeout=None)
        (repo.path / "package.json").unlink()
        repo.commit("fine", hello("fine"))
        check(repo.push())
        page(repo.app, "fine")


def test_no_room():
    """a disk without the room that a build needs: said, and nothing is run"""
    with Server(build__build_disk="1024G"):
        repo = Repo(new_name())
        repo.commit("first", hello("one"))
        r = refused(repo.push(), "MiB free; a build needs", "build_disk")
        assert "DETECTING" not in r.all


def limits(app):
    """Memory, swap included, CPU weight and processes of the containers that the app's build has now."""
    docker = {"DOCKER_HOST": "unix:///var/run/docker.sock"}
    seen = json.loads(run(["docker", "inspect", *(name.removeprefix("/") for name in containers(app))], env=docker).out or "[]")
    return {tuple(c["HostConfig"][name] for name in ("Memory", "MemorySwap", "CpuShares", "PidsLimit")) for c in seen}


def test_memory():
    """a build that uses more memory than is allowed is refused with that reason, while a neighbour's push goes live; either way of building"""
    greedy = building("python3 -c 'x = [b\"x\" * (1 << 20) for i in range(1 << 10)]' || exit 3")
    for trusted in ("yes", "no"):
        with Server(build__build_memory="256M", build__trust_builder=trusted):
            repo, neighbour, pushed = Repo(new_name()), Repo(new_name()), []
            neighbour.commit("first", hello("beside"))
            other = threading.Thread(target=lambda: pushed.append(neighbour.push()))
            repo.commit("greedy", greedy)
            other.start()
            r = refused(repo.push(), "the build was killed: it used more than 256M of memory, the limit (build_memory)")
            other.join()
            has(r, "begun")
            check(pushed[0])
            page(neighbour.app, "beside")
            assert repo.remote_refs() == {}
            no_container(repo.app)
            assert check(ssh("builds:list", repo.app, "--json")).json()[0]["state"] == "failed"
            # One that fails by itself has another reason, and one that fits goes live.
            repo.commit("fails", building("exit 3"))
            r = refused(repo.push(), "a buildpack failed")
            assert "killed" not in r.all, repr(r)
            repo.commit("fine", building("true"))
            check(repo.push())
            page(repo.app, "built")


def test_weight():
    """a build's containers have the limits of the settings, without build_memory a share of the machine's memory"""
    machine = int(check(run(["docker", "info", "-f", "{{.MemTotal}}"], env={"DOCKER_HOST": "unix:///var/run/docker.sock"})).out)
    with Server(build__build_cpu_shares="77", build__build_pids="999", build__builders="3"):
        repo = Repo(new_name())
        repo.commit("slow", building("sleep 1000"))
        p, reader = push_until(repo, "  begun")
        memory = machine // 4 * 3 // 3 >> 20 << 20
        until(lambda: limits(repo.app) == {(memory, memory, 77, 999)})
        check(ssh("builds:cancel", repo.app))
        assert p.wait(30) == 1
        reader.join()


def test_cancel():
    """builds:cancel ends a build with its containers, and the push with it"""
    repo = Repo(new_name())
    repo.commit("slow", building("sleep 1000"))
    p, reader = push_until(repo, "  begun")
    assert containers(repo.app)
    has(check(ssh("builds:cancel", repo.app)), "asked to stop")
    assert p.wait(30) == 1
    reader.join()
    no_container(repo.app)
    assert check(ssh("builds:list", repo.app, "--json")).json()[0]["state"] == "canceled"
    has(check(ssh("builds:output", repo.app)), "The build was canceled.")
    repo.commit("fine", building("true"))
    check(repo.push())


def test_pack_dies_late():
    """pack fails once the image is published: a warning, and the release goes on"""
    with Server() as server:
        repo = Repo(new_name())
        # Part of the layer with the packages, which is cached: pack is busy with that after it has published the image.
        repo.commit("big", building("mkdir -p node_modules && head -c 200M /dev/urandom >node_modules/big"))
        p, reader = push_until(repo, "-----> Published")
        for pid, line in harness.descendants(server.process.pid).items():
            if " build " in line and "--publish" in line:
                os.kill(pid, signal.SIGKILL)
        assert p.wait(60) == 0
        reader.join()
        page(repo.app, "built")
        has(check(ssh("builds:output", repo.app)), "pack failed after the image was published", "cache", "is live")
        no_container(repo.app)


def test_stopped_twice():
    """a server that is told to stop again gives a build back; the next start does it, and the push may be awaited there"""
    with Server() as server:
        repo = Repo(new_name())
        repo.commit("slow", building("sleep 8"))
        p, reader = push_until(repo, "  begun")
        server.process.terminate()
        until(lambda: (harness.STATE / "run/draining").exists())
        server.stop()
        assert p.wait(30) != 0
        reader.join()
        no_container(repo.app)
        server.start()
        has(check(ssh("builds:attach", repo.app)), "is live")
        page(repo.app, "built")


def test_project():
    """project.toml: without the setting it has no say; with it, what it excludes is not built, and what is not allowed is named"""
    files = {**hello("one"), "project.toml": '[_]\nschema-version = "0.2"\n[io.buildpacks]\nexclude = ["secret.txt"]\n', "secret.txt": "x\n"}
    shows = "release: ls; true\nweb: exec python3 -u web.py\n"
    for allowed in ("no", "yes"):
        with Server(build__allow_project_toml=allowed):
            repo = Repo(new_name())
            repo.commit("first", {**files, "Procfile": shows})
            r = has(check(repo.push()), "web.py")
            assert ("secret.txt" in r.all) == (allowed == "no"), repr(r)
            if allowed == "yes":
                repo.commit("script", {"project.toml": '[_]\nschema-version = "0.2"\n[[io.buildpacks.group]]\nid = "x/y"\n'
                                                       '[io.buildpacks.group.script]\napi = "0.10"\ninline = "id"\n'})
                refused(repo.push(), "inline buildpack scripts are not allowed here")


def test_log():
    """as JSON lines the log says of which app, build, release, user and connection it speaks"""
    with Server(server__log_format="json") as server:
        repo = Repo(new_name())
        repo.commit("first", hello("one"))
        check(repo.push())
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        for name, value in (("app", repo.app), ("build", "1"), ("release", "1"), ("user", "admin"), ("connection", None)):
            assert any(name in line and value in (line[name], None) for line in lines), (name, lines)


def test_admin():
    """slipway admin: a command on the machine itself, as admin, with its exit code"""
    def admin(*words, stdin=b""):
        return run([ENV["SLIPWAY_BIN"], "admin", "--config", ENV["SLIPWAY_CONFIG"], *words], stdin=stdin)
    app = new_name()
    check(admin("apps:create", app))
    check(admin("config:set", app, "GREETING=two words", "B=@-", stdin="from input"))
    assert check(admin("config:get", app, "GREETING")).out == "two words\n"
    assert check(ssh("config:get", app, "B")).out.strip() == "from input"
    assert admin("apps:info", "no-such-app").code == 4
    has(check(admin("help", "ps:scale")), "ps:scale")
    rows = check(admin("audit", app, "--json")).json()
    assert [(r["command"], r["user"]) for r in rows][-2:] == [("config:set", "local"), ("apps:create", "local")], rows
    check(admin("apps:destroy", app, "--confirm", app))


harness.main(globals())
