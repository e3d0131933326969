"""A release that fails: its sentence, a non-zero exit, and the one before it serves on."""

import harness
from harness import ENV, Repo, Server, check, page, has, hello, new_app, new_name, refused


def unchanged(repo):
    page(repo.app, "one")


def test_failing_release_command():
    """a failing release command: the app is not deployed"""
    repo = new_app("one")
    repo.commit("bad release", {"Procfile": "release: echo migrating; exit 7\nweb: exec python3 -u web.py\n"})
    refused(repo.push(), "release", "migrating", "exit 7", "v1")
    unchanged(repo)
    repo.commit("good release", {"Procfile": "release: echo migrated\nweb: exec python3 -u web.py\n"})
    has(check(repo.push()), "migrated", "is live")


def test_rollout_past_its_time():
    """an app that never listens is refused when its time is over"""
    with Server(release__grace_period="2s") as server:
        repo = new_app("one")
        server.anew(release__rollout_timeout="10s")
        repo.commit("deaf", {"Procfile": "web: sleep 1000\n"})
        refused(repo.push(), "v2 failed: web did not listen on 0.0.0.0:$PORT")
        unchanged(repo)


def test_ends_by_itself():
    """an app that does its work and ends is refused as what it is, not as a crash"""
    repo = new_app("one")
    repo.commit("ends", {"Procfile": "web: echo done\n"})
    refused(repo.push(), "done", "v2 failed: web ended by itself (exit 0), where it must go on", "v1 is still live")
    unchanged(repo)


def test_out_of_memory():
    """an app that needs more memory than it may have is refused with the limit and its last words"""
    repo = new_app("one")
    repo.commit("greedy", {"web.py": "print('eating', flush=True)\nx = []\nwhile True:\n    x.append(bytearray(50 << 20))\n"})
    refused(repo.push(), "eating", "v2 failed: web ran out of memory (limit 512Mi)", "v1 is still live")
    unchanged(repo)


def test_no_room():
    """an app that no node has room for is refused with the reason; one machine gives what it has"""
    with Server(release__cpu_request="500", release__cpu_limit="500"):
        repo = Repo(new_name())
        repo.commit("first", hello("one"))
        if ENV["SLIPWAY_TARGET"] == "kubernetes":
            refused(repo.push(), "v1 failed", "finds no node to run on", "nothing is live")
            assert repo.remote_refs() == {}
        else:
            check(repo.push())


harness.main(globals())
