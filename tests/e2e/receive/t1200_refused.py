"""Pushes that are refused: the sentence, a non-zero exit, and nothing changed."""

import os
import subprocess
import time
import zlib

import fixture
import harness
from fixture import nothing_left, row
from harness import TMP, Repo, check, has, new_name, new_user, refused, run, ssh
from pushclient import ZERO, PushClient, pack, pkt

FILES = {"Procfile": "web: run\n", "a.txt": "one\n"}


def new_app():
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    return repo


def builds(app):
    r = row("SELECT count(*) FROM builds b JOIN apps a ON a.id = b.app_id WHERE a.name = ?", app)
    return r[0]


def packs(app):
    return sorted(p.name for p in (fixture.repository(app) / "objects" / "pack").glob("*.pack"))


class Unchanged:
    """Nothing of an app changes within."""

    def __init__(self, repo):
        self.app = repo.app

    def state(self):
        refs = run(["git", "for-each-ref"], env={"GIT_DIR": str(fixture.repository(self.app)), "GIT_CONFIG_COUNT": "1",
                                                 "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
        return builds(self.app), packs(self.app), refs.out

    def __enter__(self):
        self.before = self.state()

    def __exit__(self, kind, *_):
        if kind is None:
            assert self.state() == self.before, (self.before, self.state())
            assert nothing_left(self.app)


def raw(repo, data, *commands, **kwargs):
    """A push of these bytes as the pack; returns the report's lines and the text."""
    client = PushClient(repo.app)
    client.commands(*commands, **kwargs)
    client.send(data)
    result = client.report()
    client.end()
    return result


# --- refs

def test_other_branch():
    """another branch is refused, not skipped"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    with Unchanged(repo):
        r = refused(repo.push("k8s", "main:refs/heads/feature"),
                    f"{repo.app} deploys main; nothing was deployed; to deploy this one: git push REMOTE feature:main")
        assert r.code == 1
    verb, detail, result = row("SELECT verb, detail, result FROM audit WHERE app = ? ORDER BY id DESC LIMIT 1", repo.app)
    assert (verb, result) == ("push", 1) and "refs/heads/feature" in detail and "deploys main" in detail, detail


def test_delete_branch():
    """the deploy branch is not deleted"""
    repo = new_app()
    with Unchanged(repo):
        refused(repo.push("k8s", ":main"), "cannot be deleted", f"apps:destroy {repo.app}")


def test_other_namespaces():
    """only the deploy branch and tags are taken; private refs are not"""
    repo = new_app()
    for ref in ("refs/slipway/builds/99", "refs/notes/commits", "refs/heads/main/x", "refs/pull/1/head"):
        repo.commit(ref, {"a.txt": ref})
        with Unchanged(repo):
            r = repo.push("k8s", f"HEAD:{ref}")
            assert r.code == 1 and "[remote rejected]" in r.all, repr(r)


def test_bad_names():
    """ref names that git forbids are refused by a name of their own"""
    repo = new_app()
    names = ["refs/heads/..", "refs/heads/a..b", "refs/heads/.x", "refs/heads/x.lock", "refs/heads/x.", "refs/heads/a b", "refs/heads/a~b",
             "refs/heads/a^b", "refs/heads/a:b", "refs/heads/a?b", "refs/heads/a*", "refs/heads/[x]", "refs/heads/a\\b", "refs/heads/@{x}",
             "refs/heads//a", "refs/heads/a/", "/refs/heads/main", "refs/heads/", "refs/tags/", "refs/tags/../heads/main", "HEAD", "main",
             "config", "../../etc/x", "refs/../config", "refs/tags/-x/..", "refs/tags/\x7fx"[:10], "hooks/post-receive", "objects/x",
             "refs/tags/a.lock", "refs/tags/a.lock/b", "refs/tags/.a/b", "refs/tags/@{", "refs/heads/main.", "refs/heads/main ", "refs/tags/a//b"]
    head = repo.commit("second", {"a.txt": "two\n"})
    data = pack(repo, "main", "^main~1")
    with Unchanged(repo):
        for name in names:
            lines, _ = raw(repo, data, (ZERO, head, name))
            assert lines[0] == "unpack ok" and lines[1].startswith(f"ng {name}".rstrip()), (name, lines)


def test_control_characters():
    """a ref name with a control character ends the push"""
    repo = new_app()
    with Unchanged(repo):
        client = PushClient(repo.app)
        client.commands((ZERO, repo.head(), "refs/heads/a\x01b"))
        _, text = client.report()
        assert "control character" in text, text
        assert client.end()[0] != 0


def test_stale():
    """a command that believes in another live commit is told to fetch"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"a.txt": "two\n"})
    data = pack(repo, "main", f"^{first}")
    with Unchanged(repo):
        for old in (ZERO, second, "1" * 40):
            lines, _ = raw(repo, data, (old, second, "refs/heads/main"))
            assert "fetch first" in lines[1], lines


def test_first_of_two():
    """a push that began when nothing was live is told to fetch where another has gone live meanwhile"""
    repo = Repo(new_name())
    check(ssh("apps:create", repo.app))
    theirs = repo.commit("theirs", {**FILES, "a.txt": "theirs\n"})
    data = pack(repo, "main")
    client = PushClient(repo.app)
    assert client.refs == {}, client.refs
    other = Repo(repo.app)
    other.commit("ours", FILES)
    check(other.push())
    with Unchanged(other):
        client.commands((ZERO, theirs, "refs/heads/main"))
        client.send(data)
        lines, _ = client.report()
        client.end()
        assert lines[1].startswith("ng refs/heads/main ") and "went live meanwhile; fetch first" in lines[1], lines


def test_twice_the_same_ref():
    """a ref that stands twice in a push is refused both times"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"a.txt": "two\n"})
    with Unchanged(repo):
        lines, _ = raw(repo, pack(repo, "main", f"^{first}"), (first, second, "refs/heads/main"), (first, second, "refs/heads/main"))
        assert lines[1:] == ["ng refs/heads/main it stands more than once in this push"] * 2, lines


def test_not_a_commit():
    """the deploy branch takes commits only"""
    repo = new_app()
    first = repo.head()
    blob = repo.git("hash-object", "-w", "--stdin", stdin="x").out.strip()
    tree = repo.head("HEAD^{tree}")
    repo.git("tag", "-a", "-m", "t", "t")
    with Unchanged(repo):
        for oid in (blob, tree, repo.head("t")):
            data = repo.git("pack-objects", "--stdout", "-q", stdin=f"{oid}\n{tree}\n").raw
            lines, _ = raw(repo, data, (first, oid, "refs/heads/main"))
            assert "must be a commit" in lines[1], lines


# --- who

def test_no_access():
    """no access, unknown app and too small a role are told before anything is sent"""
    repo = new_app()
    name = new_name("u")
    key = new_user(name)
    theirs = Repo(repo.app, key=key)
    theirs.commit("big", {"big": os.urandom(1 << 20)})
    unknown = Repo(new_name(), key=key)
    unknown.commit("big", FILES)
    with Unchanged(repo):
        a, b = theirs.push(), unknown.push()
        assert a.code == 128 and f"app {repo.app} not found" in a.all, repr(a)
        assert a.all.replace(repo.app, "X") == b.all.replace(unknown.app, "X")
        assert theirs.git("ls-remote", "k8s", ok=None).code == 128
        check(ssh("access:grant", repo.app, name, "view"))
        r = theirs.push()
        assert r.code == 128 and "deploy" in r.all and "yours is view; " in r.all and "can give it to you" in r.all, repr(r)
        check(theirs.git("ls-remote", "k8s"))
    check(ssh("access:grant", repo.app, name, "deploy"))
    check(theirs.push("--force", "k8s", "main"))


def test_locked():
    """a locked app says who locked it and why"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    fixture.change("UPDATE apps SET lock_reason = 'migration', locked_by = 'alice' WHERE name = ?", repo.app)
    with Unchanged(repo):
        r = repo.push()
        assert r.code == 128, repr(r)
        has(r, "locked by alice: migration")
    fixture.change("UPDATE apps SET lock_reason = NULL WHERE name = ?", repo.app)
    check(repo.push())


def test_lock_or_role_lost_meanwhile():
    """a lock, or a role taken away, while the pack is sent counts"""
    repo = new_app()
    name = new_name("u")
    key = new_user(name)
    check(ssh("access:grant", repo.app, name, "deploy"))
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    data = pack(repo, "main", f"^{first}")
    for change, words in (("UPDATE apps SET lock_reason = 'now' WHERE name = ?", "is locked: now"),
                          ("DELETE FROM access WHERE app_id = (SELECT id FROM apps WHERE name = ?) AND role = 'deploy'", "not found")):
        with Unchanged(repo):
            client = PushClient(repo.app, key=key)
            client.commands((first, head, "refs/heads/main"))
            client.send(data[:20])
            fixture.change(change, repo.app)
            client.send(data[20:])
            lines, _ = client.report()
            assert words in lines[1], lines
            client.end()
        fixture.change("UPDATE apps SET lock_reason = NULL WHERE name = ?", repo.app)


def test_deploy_branch_changed_meanwhile():
    """another deploy branch, named while the pack is sent, counts: neither branch is built"""
    repo = new_app()
    first = repo.head()
    head = repo.commit("second", {"a.txt": "two\n"})
    data = pack(repo, "main", f"^{first}")
    client = PushClient(repo.app)
    client.commands((first, head, "refs/heads/main"), (ZERO, head, "refs/tags/v2"))
    client.send(data[:10])
    check(ssh("apps:set", repo.app, "deploy-branch", "trunk"))
    assert repo.remote_refs()["refs/heads/trunk"] == first
    with Unchanged(repo):
        client.send(data[10:])
        lines, _ = client.report()
        client.end()
        why = f"{repo.app} deploys trunk now, no longer main; nothing was deployed"
        assert lines[1:] == [f"ng refs/heads/main {why}", f"ng refs/tags/v2 {why}"], lines
    # As whoever pushes now gets to hear; and a push of a tag alone is of no branch.
    refused(repo.push(), f"{repo.app} deploys trunk; nothing was deployed")
    client = PushClient(repo.app)
    client.commands((ZERO, head, "refs/tags/v2"))
    client.send(data[:10])
    check(ssh("apps:set", repo.app, "deploy-branch", "main"))
    client.send(data[10:])
    assert client.report()[0][1:] == ["ok refs/tags/v2"]
    client.end()


def test_draining():
    """a server that is stopping takes no push"""
    repo = new_app()
    repo.commit("second", {"a.txt": "two\n"})
    sign = fixture.STATE / "run" / "draining"
    sign.touch()
    try:
        with Unchanged(repo):
            r = repo.push()
            assert r.code == 128 and "the server is stopping" in r.all, repr(r)
    finally:
        sign.unlink()
    check(repo.push())


# --- packs

def test_broken_pack():
    """packs that are broken in different ways are refused with a reason"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"a.txt": "two\n", "r": os.urandom(5000)})
    data = pack(repo, "main", f"^{first}")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    broken = {
        "not a pack": b"HELO" + data[4:],
        "version": data[:4] + b"\0\0\0\x09" + data[8:],
        "flipped": bytes(flipped),
        "checksum": data[:-1] + bytes([data[-1] ^ 1]),
        "count": data[:8] + b"\0\0\xff\xff" + data[12:],
        "huge count": data[:8] + b"\xff\xff\xff\xff" + data[12:],
    }
    with Unchanged(repo):
        for name, bad in broken.items():
            client = PushClient(repo.app)
            client.commands((first, second, "refs/heads/main"))
            client.send(bad)
            client.p.stdin.close()
            lines, _ = client.report()
            assert lines[0].startswith("unpack ") and lines[0] != "unpack ok", (name, lines)
            assert lines[1].startswith("ng refs/heads/main "), (name, lines)
            client.kill()


def test_cut_pack():
    """a pack that ends too early, and a client that dies in the middle"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"r": os.urandom(300000)})
    data = pack(repo, "main", f"^{first}")
    with Unchanged(repo):
        # The end of input comes with the last bytes, or on its own while the server waits for more.
        for n, pause in [(n, p) for n in (0, 3, 11, 12, 100, len(data) - 21, len(data) - 1) for p in (0, 0.1)]:
            client = PushClient(repo.app)
            client.commands((first, second, "refs/heads/main"))
            client.send(data[:n])
            time.sleep(pause)
            client.p.stdin.close()
            lines, _ = client.report()
            assert lines and lines[0] != "unpack ok", (n, lines)
            client.kill()
        client = PushClient(repo.app)
        client.commands((first, second, "refs/heads/main"))
        client.send(data[:100000])
        client.kill()
        # Its session, beside the spare one, may not have begun with the pack yet.
        harness.until(lambda: len(fixture.sessions()) <= 1 and nothing_left(repo.app))


def test_missing_objects():
    """a history with holes is refused"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"r": "r\n"})
    with Unchanged(repo):
        for what in (second, repo.head("HEAD^{tree}")):
            data = repo.git("pack-objects", "--stdout", "-q", stdin=f"{what}\n").raw
            lines, _ = raw(repo, data, (first, second, "refs/heads/main"))
            assert lines[1].startswith("ng refs/heads/main "), lines
        empty = pack(repo, "main", "^main")
        lines, _ = raw(repo, empty, (first, second, "refs/heads/main"))
        assert lines[1] == "ng refs/heads/main missing necessary objects", lines
        lines, _ = raw(repo, empty, (first, "1" * 40, "refs/heads/main"))
        assert lines[1] == "ng refs/heads/main missing necessary objects", lines


def test_lying_shallow():
    """shallow lines do not help a client to leave out what it should send"""
    repo = new_app()
    first = repo.head()
    second = repo.commit("second", {"r": "r\n"})
    third = repo.commit("third", {"r": "s\n"})
    # The commit without its tree, said to be a root; a root that is not sent at all.
    with Unchanged(repo):
        for oids, roots in (([third], [third]), ([third, repo.head("HEAD^{tree}")], [second]), ([third], ["1" * 40])):
            data = repo.git("pack-objects", "--stdout", "-q", stdin="".join(f"{o}\n" for o in oids)).raw
            lines, _ = raw(repo, data, (first, third, "refs/heads/main"), shallow=roots)
            assert lines[1].startswith("ng refs/heads/main "), lines


def test_too_large():
    """a pack over the limit is refused by real git, with its reason"""
    fixture.restart(max_pack="2M")
    try:
        repo = new_app()
        repo.commit("big", {"big": os.urandom(5 << 20)})
        with Unchanged(repo):
            refused(repo.push(), "larger than 2 MiB (max_pack)")
    finally:
        fixture.restart(max_pack="1G")


def test_unwanted_pack_is_read_away():
    """a large pack that nobody wants: git shows the reason, not a broken pipe"""
    repo = new_app()
    repo.commit("big", {"big": os.urandom(30 << 20)})
    with Unchanged(repo):
        r = refused(repo.push("k8s", "main:refs/heads/other"), "nothing was deployed")
        assert "broken" not in r.all.lower() and "hung up" not in r.all, repr(r)


# --- trees

def tree(repo, entries):
    """A tree object of (mode, name, oid), written as it is."""
    data = b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data).out.strip()


def commit_tree(repo, oid):
    return repo.git("commit-tree", oid, "-p", "HEAD", "-m", "bad").out.strip()


def push_tree(repo, entries):
    """Pushes a commit with this tree; git's own checks at the client are left out."""
    commit = commit_tree(repo, tree(repo, entries))
    return repo.push("k8s", f"{commit}:refs/heads/main")


def test_evil_names():
    """.git, .., and what file systems take for them"""
    repo = new_app()
    blob = repo.head("HEAD:a.txt")
    sub = repo.head("HEAD^{tree}")
    with Unchanged(repo):
        for name in (b".git", b".GIT", b".Git", b"git~1", b".git.", b".git ", b".git::$INDEX_ALLOCATION", b".", b"..",
                     ".g\u200cit".encode(), "\ufeff.git".encode()):
            for mode, oid in (("100644", blob), ("40000", sub)):
                r = push_tree(repo, [(mode, name, oid)])
                refused(r, "remote rejected", "git fsck finds it in your repository, too")
        inner = tree(repo, [("100644", b".git", blob)])
        r = push_tree(repo, [("40000", b"a", inner)])
        assert r.code == 1, repr(r)
        r = push_tree(repo, [("100644", b"a/b", blob)])
        assert r.code == 1, repr(r)


def test_links():
    """symbolic links that leave the tree are named; others are fine"""
    repo = new_app()
    for i, target in enumerate(("/etc/passwd", "../../x", "a/../../../x", "../..", "/")):
        link = repo.path / "dir" / f"link{i}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(target)
        repo.commit(f"link {i}")
        with Unchanged(repo):
            refused(repo.push(), f"dir/link{i} is a symbolic link that leaves the tree")
        link.unlink()
    repo.git("reset", "-q", "--hard", "HEAD~5")
    (repo.path / "fine").symlink_to("dir/../a.txt")
    repo.commit("fine")
    check(repo.push("--force", "k8s", "main"))


def test_submodules_and_lfs():
    """submodules and Git LFS pointers are named"""
    repo = new_app()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head()},vendor/lib")
    repo.git("commit", "-q", "-m", "submodule")
    with Unchanged(repo):
        refused(repo.push(), "submodules are not supported: vendor/lib")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit("lfs", {"art/big.psd": f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"})
    with Unchanged(repo):
        refused(repo.push(), "Git LFS is not supported", "art/big.psd")


def test_limits():
    """too many files, too large a file, too large a tree, too deep folders"""
    fixture.restart(max_files="50", max_file="100K", max_tree="300K", max_depth="5")
    try:
        repo = new_app()
        for files, words in (({f"f{i}": f"{i}\n" for i in range(60)}, "more than 50 files (max_files)"),
                             ({"big": b"x" * 200000}, "big is larger than"),
                             ({f"f{i}": b"%d" % i * 90000 for i in range(5)}, "max_tree"),
                             ({"a/b/c/d/e/f/g": "deep\n"}, "max_depth")):
            repo.commit(words, files)
            with Unchanged(repo):
                refused(repo.push(), words)
            repo.git("reset", "-q", "--hard", "HEAD~1")
    finally:
        fixture.restart(max_files="100000", max_file="512M", max_tree="2G", max_depth="64")


def test_tag_with_bad_tree_beside_it():
    """a refused deploy takes no tag along with --atomic, and does without"""
    repo = new_app()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head()},sub")
    repo.git("commit", "-q", "-m", "submodule")
    repo.git("tag", "t1", "HEAD~1")
    with Unchanged(repo):
        refused(repo.push("--atomic", "k8s", "main", "t1"), "atomic push failed", "sub")
    refused(repo.push("k8s", "main", "t1"), "sub", "[new tag]")


# --- the protocol

def test_malformed():
    """what is not git's protocol ends the push with a sentence"""
    repo = new_app()
    a = repo.head()
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"ffff", b"0003", b"0001", pkt("hello"), pkt(f"{a} {a} "), pkt(f"{a} {a}"),
                 pkt(f"{a.upper()} {a} refs/heads/main\0 report-status"), pkt("push-cert\0report-status"), pkt("shallow x"),
                 pkt(f"{a} {a} refs/heads/main\0object-format=sha256"), pkt(f"{ZERO} {a} refs/heads/{'x' * 2000}\0report-status")):
        with Unchanged(repo):
            client = PushClient(repo.app)
            client.send(data)
            code, err = client.end()
            assert code != 0 and err.strip(), (data, code, err)


def test_too_many():
    """a push of too many refs is refused, not swallowed"""
    repo = new_app()
    a = repo.head()
    with Unchanged(repo):
        client = PushClient(repo.app)
        client.commands(*((ZERO, a, f"refs/tags/t{i}") for i in range(5001)))
        _, text = client.report()
        assert "more than 5000 refs" in text, text
        client.kill()


def test_git_archive():
    """git archive is refused with what to do instead"""
    r = run(["git", "archive", f"--remote=ssh://git@{harness.HOST}:{harness.PORT}/shop", "HEAD"],
            env={"GIT_SSH_COMMAND": " ".join(harness.ssh_argv())})
    assert r.code != 0 and "git archive is not served" in r.all, repr(r)


harness.main(globals())
