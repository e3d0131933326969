"""Packs that are small and unpack to something enormous: refused within the limits, the neighbours unharmed."""

import subprocess
import threading
import time

import bombs
import fixture
import harness
from fixture import nothing_left, row
from harness import Repo, check, new_name
from pushclient import ZERO, PushClient

FILES = {"Procfile": "web: run\n", "a.txt": "one\n"}


def app():
    repo = Repo(new_name())
    repo.commit("first", FILES)
    check(repo.push())
    return repo


class Neighbour:
    """Another app, to which pushes go on meanwhile."""

    def __init__(self):
        self.repo, self.n, self.failed, self.stop = app(), 0, [], False
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.stop or self.n == 0:
            self.repo.commit("next", {"a.txt": f"{self.n}\n"})
            r = self.repo.push()
            self.n += 1
            if r.code != 0:
                self.failed.append(r)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        assert not self.failed, self.failed[0]


def largest_child(stop, out):
    """The most memory that a git program of a session has used."""
    while not stop.is_set():
        r = subprocess.run(["ps", "-eo", "rss=,args="], stdout=subprocess.PIPE, check=False)
        for line in r.stdout.decode("utf-8", "replace").splitlines():
            if "index-pack --stdin --fix-thin" in line or "rev-list --objects --stdin" in line:
                out.append(int(line.split()[0]))
        stop.wait(0.1)


def throw(data, head, *words):
    """Pushes the bomb; it must be refused with these words and leave nothing."""
    repo = app()
    stop, rss = threading.Event(), [0]
    watcher = threading.Thread(target=largest_child, args=(stop, rss))
    watcher.start()
    begin = time.monotonic()
    with Neighbour() as neighbour:
        client = PushClient(repo.app)
        client.commands((repo.head(), head, "refs/heads/main"))
        client.send(data)
        client.p.stdin.close()
        lines, _ = client.report()
        client.kill()
    stop.set()
    watcher.join()
    print(f"# {len(data)} bytes: {lines[1]}; {time.monotonic() - begin:.1f} s, {max(rss) >> 10} MiB, "
          f"{neighbour.n} pushes of a neighbour", flush=True)
    assert lines[1].startswith("ng refs/heads/main "), lines
    assert any(w in lines[1] for w in words), lines
    assert nothing_left(repo.app)
    assert row("SELECT count(*) FROM builds b JOIN apps a ON a.id = b.app_id WHERE a.name = ?", repo.app) == (1,)
    assert max(rss) < 512 << 10
    repo.commit("second", {"a.txt": "two\n"})
    check(repo.push())


def test_big_blob():
    """2 MB that are a blob of 2 GiB"""
    data, head = bombs.big_blob(2 << 30)
    assert len(data) < 3 << 20
    throw(data, head, "max_file", "max_tree", "index_time", "index_memory")


def test_delta():
    """less than half a megabyte of deltas that are 1 GB"""
    data, head = bombs.delta_bomb()
    assert len(data) < 500000
    throw(data, head, "index_memory", "max_file", "max_tree", "index_time")


def test_tree():
    """less than a kilobyte that is 10^10 files"""
    data, head = bombs.tree_bomb()
    assert len(data) < 1200
    throw(data, head, "max_files")


def test_folders():
    """folders within folders: too deep, and without a file"""
    p = bombs.Pack()
    entry = p.add(bombs.TREE, b"")
    for _ in range(60):
        entry = p.add(bombs.TREE, bombs.tree(*(("40000", f"d{i}", entry) for i in range(4))))
    head = p.add(bombs.COMMIT, bombs.commit(entry))
    throw(p.bytes(), head, "too many folders")
    p = bombs.Pack()
    entry = ("100644", p.add(bombs.BLOB, b"x\n"))
    for _ in range(2000):
        entry = ("40000", p.add(bombs.TREE, bombs.tree((entry[0], "d", entry[1]))))
    head = p.add(bombs.COMMIT, bombs.commit(entry[1]))
    throw(p.bytes(), head, "max_depth", "too long a path")


def test_many_refs():
    """a push that is commands without end stops at the limit"""
    repo = app()
    client = PushClient(repo.app)
    line = f"{ZERO} {repo.head()} refs/tags/t%06d"
    try:
        client.send(b"".join(b"%04x" % (len(line % 0) + 4) + (line % i).encode() for i in range(200000)))
    except OSError:
        pass
    client.kill()
    check(harness.ssh("version"))


harness.main(globals())
