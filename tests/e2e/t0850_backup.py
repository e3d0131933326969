"""A backup of a running server, put back into an empty folder, as docs/backup.md says."""

import os
import pathlib
import shutil

import harness
from harness import ENV, Server, check, has, new_app, page, run, ssh


def lose(server):
    """The server is gone with all that its state folder had."""
    server.stop()
    shutil.rmtree(server.state)


def restore(server, kept):
    check(run([ENV["SLIPWAY_BIN"], "init", "--state", server.state, "--config", server.conf,
               "--admin-key", f"{ENV['SLIPWAY_KEY']}.pub"]))
    check(run(["tar", "-C", server.state, "-xzpf", kept / "files.tgz"]))
    group = (server.state / "slipway.db").stat().st_gid
    (server.state / "slipway.db-journal").unlink(missing_ok=True)
    check(run(["install", "-m", "660", "-g", str(group), kept / "slipway.db", server.state / "slipway.db"]))


def test_restore():
    """a backup that was made while the server ran is put back: apps are live, values are there, pushes and rollbacks work"""
    with Server() as server:
        kept = server.dir / "kept"
        kept.mkdir(mode=0o700)
        repo = new_app("one")
        check(ssh("config:set", repo.app, "GREETING=kept"))
        host_key = (server.state / "keys/ssh_host_ed25519_key").read_bytes()
        check(run(["sqlite3", server.state / "slipway.db", f".backup {kept}/slipway.db"]))
        check(run(["tar", "-C", server.state, "-czpf", kept / "files.tgz", "keys", "repos", "logs"]))
        lose(server)
        restore(server, kept)
        server.start()
        assert (server.state / "keys/ssh_host_ed25519_key").read_bytes() == host_key
        page(repo.app, "one kept")
        has(check(ssh("config:get", repo.app, "GREETING")), "kept")
        repo.commit("second", harness.hello("two"))
        has(check(repo.push()), "v3 is live")
        has(check(ssh("rollback", repo.app)), "v4 is live")
        page(repo.app, "one kept")


def test_journal_of_another():
    """a database's journal that is missing or another user's at the start keeps no role from its work"""
    with Server() as server:
        journal = pathlib.Path(server.state, "slipway.db-journal")
        role = (server.state / "repos").stat().st_uid
        repo = new_app("one")
        for owner in (None, role):
            server.stop()
            journal.unlink(missing_ok=True)
            if owner is not None:
                journal.touch()
                os.chown(journal, owner, -1)
            server.start()
            check(ssh("config:set", repo.app, "GREETING=again"))
            check(ssh("rollback", repo.app))


harness.main(globals())
