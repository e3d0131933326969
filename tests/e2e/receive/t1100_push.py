"""Pushes that must work, by real git over real ssh; the worker behind the listener is a fake."""

import os
import signal
import subprocess
import time

import fixture
import harness
from fixture import nothing_left, row
from harness import TMP, Repo, check, has, new_name, new_user, refused, run, ssh, until
from pushclient import ZERO, PushClient, pack

FILES = {"Procfile": "web: run\n", "a.txt": "one\n"}


def live(app):
    r = row("SELECT r.commit_id FROM apps a LEFT JOIN releases r ON r.id = a.live_release_id WHERE a.name = ?", app)
    return r and r[0]


def new_app(*messages):
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    return repo


def clone(app, *args):
    path = TMP / f"clone-{len(list(TMP.iterdir()))}"
    r = run(["git", "clone", "-q", *args, f"ssh://git@{harness.HOST}:{harness.PORT}/{app}", str(path)],
            env={"GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
    return r, path


def test_first_push():
    """the first push creates the app and goes live"""
    repo = Repo(new_name())
    head = repo.commit("first", FILES)
    r = has(check(repo.push()), f"Created app {repo.app}", f"Received main {head[:7]} (2 files, 13 bytes)", "v1 is live",
            "[new branch]", "main -> main")
    assert "remote: -----> Building" in r.err
    assert live(repo.app) == head
    assert repo.remote_refs() == {"HEAD": head, "refs/heads/main": head}
    assert nothing_left(repo.app)


def test_fast_forward_and_forced():
    """a fast-forward, then a forced push of the older commit"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"a.txt": "two\n"})
    has(check(repo.push()), f"{first[:7]}..{second[:7]}", "v2 is live")
    r = repo.push("k8s", f"{first}:refs/heads/main")
    assert r.code != 0 and "non-fast-forward" in r.all, repr(r)
    has(check(repo.push("--force", "k8s", f"{first}:refs/heads/main")), "forced update", "v3 is live")
    assert live(repo.app) == first
    check(repo.push("--force-with-lease", "k8s", "main"))
    assert live(repo.app) == second


def test_shallow_then_full():
    """a depth-1 clone pushes; a full clone forces an older commit; then both again"""
    full = Repo(new_name())
    for i in range(6):
        full.commit(f"c{i}", {**FILES, "n": f"{i}\n"})
    shallow = TMP / f"shallow-{full.app}"
    check(run(["git", "clone", "-q", "--depth=1", f"file://{full.path}", str(shallow)]))
    ci = Repo(full.app, path=shallow)
    check(ci.push())
    assert live(full.app) == full.head()
    assert row("SELECT shallow FROM builds ORDER BY id DESC LIMIT 1") == (1,)
    # What is live can be cloned, as far as its history goes.
    r, path = clone(full.app)
    check(r)
    assert run(["git", "rev-list", "--count", "HEAD"], cwd=path).out.strip() == "1"
    # A second push on top of the shallow history.
    ci.commit("ci", {"n": "ci\n"})
    assert "replaces it" not in check(ci.push("--force", "k8s", "main")).all
    # The full clone believes that the server has all that is behind the shallow commit. And git refuses nothing.
    older = full.head("HEAD~3")
    has(check(full.push("k8s", f"{older}:refs/heads/main")), f"What is live, {ci.head()[:7]}, is not in the history of what you push")
    assert live(full.app) == older
    check(full.push("--force", "k8s", "main"))
    assert live(full.app) == full.head()
    # Now the history is whole, and a clone has all of it.
    r, path = clone(full.app)
    check(r)
    assert run(["git", "rev-list", "--count", "HEAD"], cwd=path).out.strip() == "6"
    assert not (fixture.repository(full.app) / "shallow").exists()
    full.commit("more", {"n": "7\n"})
    r = has(check(full.push()), "..")
    assert "replaces it" not in r.all, repr(r)
    # From a shallow clone, and what is pushed then has it in its history: nothing is lost.
    second = TMP / f"shallow-{full.app}-2"
    check(run(["git", "clone", "-q", "--depth=1", f"file://{full.path}", str(second)]))
    other = Repo(new_name(), path=second)
    check(other.push())
    full.git("remote", "set-url", "k8s", f"ssh://git@{harness.HOST}:{harness.PORT}/{other.app}")
    full.commit("on top", {"n": "8\n"})
    assert "replaces it" not in check(full.push()).all


def test_shallow_depths():
    """shallow clones of different depths push one after the other, between full ones"""
    full = Repo(new_name())
    for i in range(8):
        full.commit(f"c{i}", {**FILES, "n": f"{i}\n"})
    for depth in (3, 1, 2, 5):
        path = TMP / f"depth-{full.app}-{depth}"
        check(run(["git", "clone", "-q", f"--depth={depth}", f"file://{full.path}", str(path)]))
        ci = Repo(full.app, path=path)
        ci.commit(f"ci {depth}", {"n": f"depth {depth}\n"})
        check(ci.push("--force", "k8s", "main"))
        assert live(full.app) == ci.head()
        objects = run(["git", "fsck", "--connectivity-only"], cwd=fixture.repository(full.app),
                      env={"GIT_DIR": str(fixture.repository(full.app)), "GIT_CONFIG_COUNT": "1",
                           "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
        assert objects.code == 0, repr(objects)
    check(full.push("--force", "k8s", "main~2:refs/heads/main"))
    check(full.push("k8s", "main"))
    assert live(full.app) == full.head()


def test_tags():
    """tags are pushed along, moved, deleted, and pushed alone"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    repo.git("tag", "-a", "v1.0", "-m", "release")
    repo.git("tag", "light")
    has(check(repo.push("k8s", "main", "v1.0", "light")), "[new tag]", "v2 is live")
    assert repo.remote_refs()["refs/tags/v1.0"] == repo.head("v1.0")
    repo.git("tag", "-f", "light", "HEAD~1")
    r = repo.push("k8s", "light")
    assert r.code != 0 and "already exists" in r.all, repr(r)
    check(repo.push("--force", "k8s", "light"))
    assert repo.remote_refs()["refs/tags/light"] == repo.head("HEAD~1")
    has(check(repo.push("k8s", ":light")), "[deleted]")
    assert "refs/tags/light" not in repo.remote_refs()
    assert row("SELECT count(*) FROM builds WHERE app_id = ?", fixture.app_id(repo.app)) == (2,)
    check(repo.push("--follow-tags", "k8s", "main"))


def test_two_refs():
    """of two refs the good one goes live and the other is refused by name"""
    repo = new_app()
    head = repo.commit("second", {"a.txt": "two\n"})
    refused(repo.push("k8s", "main", "main:refs/heads/other"), f"{repo.app} deploys main; nothing was deployed",
            "main -> main")
    assert live(repo.app) == head
    assert "refs/heads/other" not in repo.remote_refs()


def test_atomic():
    """--atomic: all or nothing, with tags only after the deploy went live"""
    repo = new_app()
    first = repo.head()
    repo.commit("second", {"a.txt": "two\n"})
    repo.git("tag", "t1")
    refused(repo.push("--atomic", "k8s", "main", "main:refs/heads/other"), "atomic push failed")
    assert live(repo.app) == first
    refused(repo.push("--atomic", "-o", "message=fake:build-fails", "k8s", "main", "t1"), "atomic push failed")
    assert "refs/tags/t1" not in repo.remote_refs()
    check(repo.push("--atomic", "k8s", "main", "t1"))
    assert repo.remote_refs()["refs/tags/t1"] == repo.head() == live(repo.app)


def test_push_options():
    """message, no-cache and detach are understood; another is refused by name"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    check(repo.push("-o", "message=from CI", "-o", "no-cache", "k8s", "main"))
    assert row("SELECT message, no_cache FROM builds ORDER BY id DESC LIMIT 1") == ("from CI", 1)
    repo.commit("third", {"a.txt": "three\n"})
    refused(repo.push("-o", "colour=red", "k8s", "main"), 'push option "colour=red" is not known', "no-cache")
    check(repo.push())
    assert row("SELECT message, no_cache FROM builds ORDER BY id DESC LIMIT 1") == ("third", 0)


def test_detach():
    """detach: the push ends at once, and the branch moves when the build is live"""
    repo = new_app()
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    has(check(repo.push("-o", "detach", "-o", "message=fake:wait", "k8s", "main")), "goes on without you",
        f"builds:attach {repo.app}")
    assert repo.remote_refs()["refs/heads/main"] == first
    until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("building",))
    fixture.wake()
    until(lambda: live(repo.app) == head)
    assert repo.remote_refs()["refs/heads/main"] == head


def test_porcelain_dry_run_quiet():
    """--porcelain, --dry-run and --quiet as git documents them"""
    repo = new_app()
    first = repo.head()
    repo.commit("second", {"a.txt": "two\n"})
    has(check(repo.push("--dry-run", "k8s", "main")), "main -> main")
    assert live(repo.app) == first
    r = check(repo.push("--porcelain", "k8s", "main"))
    assert " \trefs/heads/main:refs/heads/main\t" in r.out and r.out.rstrip().endswith("Done"), repr(r)
    repo.commit("third", {"a.txt": "three\n"})
    check(repo.push("--quiet", "k8s", "main"))
    assert live(repo.app) == repo.head()


def test_nothing_to_push():
    """a push of what is live builds nothing; --mirror and --all of nothing end well"""
    repo = new_app()
    has(check(repo.push()), "Everything up-to-date")
    assert row("SELECT count(*) FROM builds WHERE app_id = ?", fixture.app_id(repo.app)) == (1,)


def test_same_commit_again():
    """a commit whose build failed can be pushed again, and its objects do not travel twice"""
    repo = new_app()
    repo.commit("big", {"big": os.urandom(3 << 20)})
    refused(repo.push("-o", "message=fake:build-fails", "k8s", "main"), "build failed: a buildpack failed; v1 kept; see: builds:output")
    client = PushClient(repo.app)
    assert repo.head() in client.have
    client.kill()
    check(repo.push())
    assert live(repo.app) == repo.head()


def test_failed_release():
    """a failed release is told with its version and what is kept"""
    repo = new_app()
    first = repo.head()
    repo.commit("second", {"a.txt": "two\n"})
    refused(repo.push("-o", "message=fake:release-fails", "k8s", "main"), "v2 failed: web crashed; v1 kept; see: builds:output",
            "web crashed 3 times")
    assert live(repo.app) == first == repo.remote_refs()["refs/heads/main"]


def test_terminal_text():
    """what a build writes reaches the pusher without what would act on a terminal"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    r = check(repo.push("-o", "message=fake:escapes", "k8s", "main"))
    assert "after" in r.err and "owned" not in r.err and "\033]" not in r.err and "\033[2J" not in r.err, repr(r)
    assert "\033[31mred\033[0m" in r.err


def test_much_output():
    """every line of a long build output arrives, in order"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    r = check(repo.push("-o", "message=fake:lines 20000", "k8s", "main"))
    numbers = [int(line.split()[2]) for line in r.err.splitlines() if line.startswith("remote:        line ")]
    assert numbers == list(range(20000)), len(numbers)


def test_queue():
    """a second push to the same app waits and says behind what"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    first = subprocess.Popen(["git", "push", "-o", "message=fake:wait", "k8s", "main"], cwd=repo.path, stderr=subprocess.PIPE,
                             env={**os.environ, "GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
    until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("building",))
    third = repo.commit("third", {"a.txt": "three\n"})
    second = subprocess.Popen(["git", "push", "k8s", "main"], cwd=repo.path, stderr=subprocess.PIPE,
                              env={**os.environ, "GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
    seen = b""
    while b"Waiting behind build" not in seen:
        line = second.stderr.readline()
        assert line, seen
        seen += line
    fixture.wake()
    assert first.wait(timeout=30) == 0, first.stderr.read()
    assert second.wait(timeout=30) == 0, second.stderr.read()
    assert live(repo.app) == third


def test_lost_connection():
    """a lost connection changes nothing; with on-disconnect cancel it cancels"""
    repo = new_app()
    for policy in ("continue", "cancel"):
        if policy == "cancel":
            check(ssh("apps:set", repo.app, "on-disconnect", "cancel"))
        head = repo.commit(policy, {"a.txt": policy})
        p = subprocess.Popen(["git", "push", "-o", "message=fake:wait", "k8s", "main"], cwd=repo.path, start_new_session=True,
                             stderr=subprocess.PIPE, env={**os.environ, "GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
        until(lambda: row("SELECT state, commit_id FROM builds ORDER BY id DESC LIMIT 1") == ("building", head))
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        if policy == "continue":
            fixture.wake()
            until(lambda: live(repo.app) == head)
        else:
            until(lambda: row("SELECT state FROM builds ORDER BY id DESC LIMIT 1") == ("canceled",))
            assert live(repo.app) != head


def test_deploy_branch():
    """apps:set deploy-branch: what is live is the other branch from then on, and the former one is refused"""
    repo = new_app()
    check(ssh("apps:set", repo.app, "deploy-branch", "trunk"))
    assert repo.remote_refs() == {"HEAD": repo.head(), "refs/heads/trunk": repo.head()}
    head = repo.commit("second", {"a.txt": "two\n"})
    refused(repo.push(), f"{repo.app} deploys trunk")
    check(repo.push("k8s", "main:trunk"))
    assert live(repo.app) == head


def test_keepalive():
    """while nothing is to be said the connection is kept alive"""
    repo = new_app()
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    client = PushClient(repo.app)
    client.commands((first, head, "refs/heads/main"), caps="report-status side-band-64k push-options", options=["message=fake:wait"])
    client.send(pack(repo, "main", f"^{first}"))
    while True:
        data = client.packet()
        assert data, "the connection ended"
        if data == b"\1":
            break
    fixture.wake()
    lines, _ = client.report()
    assert lines == ["unpack ok", "ok refs/heads/main"], lines
    assert client.end()[0] == 0


def test_slow_line():
    """over a slow line a push takes as long as it needs; one that sends next to nothing does not"""
    fixture.restart(index_time="2s")
    try:
        repo = new_app()
        first = repo.head()
        head = repo.commit("second", {"r": os.urandom(300000)})
        data = pack(repo, "main", f"^{first}")
        client = PushClient(repo.app)
        client.commands((first, head, "refs/heads/main"))
        piece = len(data) // 20
        for i in range(0, len(data), piece):
            client.send(data[i:i + piece])
            time.sleep(0.2)
        lines, _ = client.report()
        assert lines == ["unpack ok", "ok refs/heads/main"], lines
        client.end()
        third = repo.commit("third", {"r": os.urandom(300000)})
        data = pack(repo, "main", f"^{head}")
        client = PushClient(repo.app)
        client.commands((head, third, "refs/heads/main"))
        client.send(data[:1000])
        lines, _ = client.report()
        assert "longer than 2 s (index_time)" in lines[1], lines
        client.kill()
        until(lambda: nothing_left(repo.app))
    finally:
        fixture.restart(index_time="10m")


def test_no_sideband():
    """a client without side-band-64k gets the text on standard error and the plain report"""
    repo = Repo(new_name())
    head = repo.commit("first", FILES)
    client = PushClient(repo.app)
    client.commands((ZERO, head, "refs/heads/main"), caps="report-status")
    client.send(pack(repo, "main"))
    lines, _ = client.report(sideband=False)
    assert lines == ["unpack ok", "ok refs/heads/main"], lines
    code, err = client.end()
    assert code == 0 and "v1 is live" in err, err
    assert live(repo.app) == head


def test_client_that_keeps_its_end_open():
    """a client that does not end its input after the pack (JGit, libgit2) gets the report, too"""
    repo = new_app()
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    client = PushClient(repo.app)
    client.commands((first, head, "refs/heads/main"))
    client.send(pack(repo, "main", f"^{first}", thin=True))
    lines, _ = client.report()
    assert lines == ["unpack ok", "ok refs/heads/main"], lines
    assert client.end()[0] == 0


def test_protocol_versions():
    """pushes and clones by protocol 0, 1 and 2"""
    repo = new_app()
    for version in "012":
        repo.commit(f"v{version}", {"a.txt": version})
        check(repo.git("-c", f"protocol.version={version}", "push", "k8s", "main", ok=None))
        r, path = clone(repo.app, "-c", f"protocol.version={version}")
        check(r)
        assert run(["git", "rev-parse", "HEAD"], cwd=path).out.strip() == repo.head() == live(repo.app)


def test_fetch():
    """fetch, shallow clone and partial clone of what is live; private refs are not shown"""
    repo = new_app()
    for i in range(5):
        repo.commit(f"c{i}", {"a.txt": f"{i}\n", f"f{i}": os.urandom(100000)})
    check(repo.push())
    r, path = clone(repo.app, "--depth=2")
    check(r)
    assert run(["git", "rev-list", "--count", "HEAD"], cwd=path).out.strip() == "2"
    check(run(["git", "fetch", "-q", "--unshallow"], cwd=path, env={"GIT_SSH_COMMAND": " ".join(harness.ssh_argv())}))
    assert run(["git", "rev-list", "--count", "HEAD"], cwd=path).out.strip() == "6"
    check(clone(repo.app, "--filter=blob:none")[0])
    refs = repo.remote_refs()
    assert set(refs) == {"HEAD", "refs/heads/main"}, refs


def test_many_files():
    """20,000 files"""
    repo = Repo(new_name())
    repo.commit("many", {**FILES, **{f"d{i // 500}/f{i}.txt": f"{i}\n" for i in range(20000)}})
    has(check(repo.push()), "(20002 files, ")


def test_big_history():
    """200 MB of history"""
    repo = Repo(new_name())
    repo.git("config", "core.bigFileThreshold", "1m")  # the client looks for no deltas in random bytes
    for i in range(10):
        repo.commit(f"big {i}", {**FILES, "blob.bin": os.urandom(20 << 20)})
    (repo.path / "blob.bin").unlink()
    repo.commit("small again")
    begin = time.monotonic()
    check(repo.push())
    print(f"# 200 MB pushed in {time.monotonic() - begin:.1f} s", flush=True)
    assert live(repo.app) == repo.head()


def test_may_create():
    """a user who may create apps does so by a push; others may not"""
    plain, creator = new_user(new_name("p")), new_user(new_name("c"), "--create")
    mine = Repo(new_name(), key=creator)
    mine.commit("first", FILES)
    has(check(mine.push()), "Created app")
    other = Repo(new_name(), key=plain)
    other.commit("first", FILES)
    r = other.push()
    assert r.code == 128 and f"app {other.app} not found" in r.all, repr(r)
    # An app of another's cannot be told from one that is not there.
    taken = Repo(mine.app, key=plain)
    taken.commit("first", FILES)
    assert taken.push().all.replace(mine.app, "X") == r.all.replace(other.app, "X")
    admins = new_app()
    again = Repo(admins.app, key=creator)
    again.commit("first", FILES)
    assert "not found" in again.push().all


def test_repack():
    """after many pushes the packs of a repository are joined, and all is still there"""
    repo = new_app()
    packs = fixture.repository(repo.app) / "objects" / "pack"
    for i in range(52):
        repo.commit(f"c{i}", {"a.txt": f"{i}\n"})
        check(repo.push("-q", "k8s", f"HEAD:refs/tags/t{i}"))
    until(lambda: len(list(packs.glob("*.pack"))) <= 3)
    until(lambda: "repacked the repository" in fixture.log_text())
    check(repo.push())
    r, path = clone(repo.app)
    check(r)
    check(run(["git", "fsck", "--full"], cwd=path))


def test_many_pushes():
    """12 pushes at once to one app: each is built once, in order, and the last one is live"""
    repo = new_app()
    first = repo.head()
    clones = []
    for i in range(12):
        path = TMP / f"many-{repo.app}-{i}"
        check(run(["git", "clone", "-q", str(repo.path), str(path)]))
        c = Repo(repo.app, path=path)
        c.commit(f"many {i}", {"a.txt": f"many {i}\n"})
        clones.append(c)
    procs = [subprocess.Popen(["git", "push", "-q", "-o", f"message=push {i}", "k8s", "main"], cwd=c.path, stderr=subprocess.PIPE,
                              env={**os.environ, "GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
             for i, c in enumerate(clones)]
    codes = [(p.wait(timeout=60), p.stderr.read().decode()) for p in procs]
    # Who came after another had gone live is told so; nobody is lost.
    builds = row("SELECT count(*), count(DISTINCT commit_id), sum(state = 'live') FROM builds WHERE app_id = ? AND message LIKE 'push %'",
                 fixture.app_id(repo.app))
    done = sum(code == 0 for code, _ in codes)
    assert builds == (done, done, done), (builds, codes)
    for code, err in codes:
        assert code == 0 or "fetch first" in err, (code, err, fixture.log_text()[-3000:])
    assert done >= 1 and live(repo.app) != first
    assert nothing_left(repo.app)


def test_larger_than_memory():
    """a file, and a repository, may be larger than what git may have of memory"""
    fixture.restart(index_memory="64M")
    try:
        repo = Repo(new_name())
        repo.commit("first", {**FILES, "large": os.urandom(66 << 20)})
        check(repo.push())
        repo.commit("second", {"a.txt": "two\n"})
        check(repo.push())
        assert live(repo.app) == repo.head() and nothing_left(repo.app)
    finally:
        fixture.restart(index_memory="512M")


harness.main(globals())
