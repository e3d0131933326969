#!/usr/bin/env python3
"""The examples of docs/commands.md, each typed as it stands there, in the order of an app's life, on a server where the
names are free. Only what belongs to one server alone (the number of a build, the id of a task) is put in its place."""

import json
import os
import re
import shlex
import subprocess

import harness
from harness import ENV, TMP, TOP, Repo, Server, check, has, hello, new_key, run, ssh, ssh_argv, until

CLUSTER = ENV["SLIPWAY_TARGET"] == "kubernetes"
# Ends the release of a commit with the file "slow" only when it is cancelled.
PROCFILE = 'web: exec python3 -u web.py\nworker: exec python3 -u web.py\nrelease: test -z "$DOWN"; ok=$?; ' \
           'if [ -e slow ]; then sleep 600; fi; exit $ok\n'
# What the examples call: programs of the app's own.
RAKE = '#!/bin/sh\necho "${0##*/} $*"\n'
CRON = {"cron": [{"command": "echo tick", "schedule": "0 0 1 1 *"}]}

SEALING = "SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk="

# Where the cluster's own way in serves the apps there is no router to show a page.
MAINTENANCE = 1 if CLUSTER else 0

left = []  # what was not typed yet
repo = None


def examples():
    """[example] of the page: of each command, the indented lines behind the first, which says how it is used."""
    found = []
    for section in (TOP / "docs/commands.md").read_text().split("\n## ")[1:]:
        found += re.findall(r"^    (\S.*)$", section, re.M)[1:]
    assert len(found) > 70, found
    return found


def typed(example, stdin=b"", code=0, says="", instead=None):
    """Types it behind "ssh git@host", in a shell; instead: {word: this server's}."""
    left.remove(example)
    for word, by in (instead or {}).items():
        assert word in example, (word, example)
        example = example.replace(word, str(by))
    r = run(["sh", "-c", f"exec {shlex.join(map(str, ssh_argv()))} git@{harness.HOST} {example}"], stdin=stdin)
    assert r.code == code, f"{example}: {r!r}"
    return has(r, says)


def followed(example):
    """What follows until it is ended: its first line comes."""
    left.remove(example)
    with subprocess.Popen([*ssh_argv(), f"git@{harness.HOST}", *example.split()], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as p:
        assert p.stdout.readline(), example
        p.terminate()


def commit(text, *args, **files):
    repo.commit(text, {**hello(text, procfile=PROCFILE), "app.json": json.dumps(CRON), **files})
    return repo.push(*args, "k8s", "HEAD:trunk")


def people():
    typed("version", says="slipway ")
    typed("whoami", says="admin")
    typed("help config:set", says="config:set")
    typed("completion bash", says="complete")
    key = new_key("laptop")
    typed("keys:add laptop < ~/.ssh/id_ed25519.pub", instead={"~/.ssh/id_ed25519.pub": f"{key}.pub"})
    typed("keys:list", says="laptop")
    typed("keys:remove laptop")
    typed("users:add carl --create")
    typed("users:set carl create")
    typed("users:list", says="carl")
    typed("teams:create ops")
    typed("teams:add ops carl")
    typed("teams:list", says="ops")
    typed("teams:info ops", says="carl")


def first_release():
    global repo
    typed("apps:create shop")
    typed("apps:exists shop")
    typed("apps:list", says="shop")
    typed("access:grant shop carl deploy")
    typed("access:list shop", says="carl")
    typed("access:revoke shop carl")
    typed("access:grant shop @ops operate")
    typed("access:revoke shop @ops")
    typed("teams:remove ops carl")
    typed("teams:destroy ops --confirm ops")
    typed("users:remove carl")
    typed("keys:add ci --deploy shop --verbs push,logs --expires 90d < ci.pub", instead={"ci.pub": f"{new_key('ci')}.pub"})
    typed("apps:set shop deploy-branch trunk")
    typed("apps:set shop on-disconnect cancel")
    repo = Repo("shop")
    repo.write({"rake": RAKE, "ps": RAKE})
    for program in ("rake", "ps"):
        (repo.path / program).chmod(0o755)
    check(commit("first"))
    if CLUSTER:
        typed("apps:move shop --to kubernetes", says="kubernetes")
        typed("apps:move --all --to kubernetes")
    else:
        typed("apps:move shop --to kubernetes", code=1, says="kubernetes")
        typed("apps:move --all --to kubernetes", code=1, says="kubernetes")
    typed("apps:info shop", says="shop")


def config():
    typed("config:set shop GREETING=hello", says="done")
    typed("config:set shop 'MOTTO=\"two words\"'")
    assert check(ssh("config:get", "shop", "MOTTO")).out == "two words\n"
    typed("config:set shop DATABASE_URL=@-", stdin=b"postgres://db/shop")
    assert typed("config:get shop DATABASE_URL").out == "postgres://db/shop\n"
    typed("config:unset shop GREETING")
    typed("config:import shop", stdin=b"PATH=/workspace:/usr/local/bin:/usr/bin:/bin\nFROM_FILE=1\n")
    typed("config:keys shop", says="FROM_FILE")
    typed("config:list shop", says="MOTTO")
    typed("config:export shop --format dotenv", says="two words")


def processes():
    typed("ps:scale shop web=2 worker+1", says="done")
    typed("ps shop", says="worker.1")
    typed("ps:report shop", says="worker")
    typed("ps:restart shop web")
    typed("ps:stop shop worker")
    typed("ps:start shop")
    check(ssh("ps:scale", "shop", "worker=2"))
    typed("enter shop web.1", stdin=b"echo in $((1 + 1))\n", says="in 2")
    typed("enter shop worker.2 ps aux", says="aux")
    followed("logs shop -t -p web")


def one_offs():
    typed("run shop rake db:migrate", says="rake db:migrate")
    typed('run shop "\'rake db:migrate && echo done\'"', says="done")
    typed("run shop -e DEBUG=1 -- python3 -V", says="Python 3")
    typed("run:detached shop --ttl 2h rake reindex", says="run.")
    name = check(ssh("run:list", "shop", "--json")).json()[0]["name"]
    typed("run:list shop", says=name)
    until(lambda: "rake reindex" in ssh("run:logs", "shop", name).out)
    typed("run:logs shop run.48213", says="rake reindex", instead={"run.48213": name})
    typed("run:stop shop run.48213", instead={"run.48213": name})
    task = check(ssh("cron:list", "shop", "--json")).json()[0]["id"]
    typed("cron:list shop", says=task)
    typed("cron:suspend shop 1a2b3c4d", instead={"1a2b3c4d": task})
    typed("cron:resume shop 1a2b3c4d", instead={"1a2b3c4d": task})
    typed("cron:run shop 1a2b3c4d", says="tick", instead={"1a2b3c4d": task})


def releases():
    """The numbers of the examples are this app's: v7 live, v8 failed, v9 the next."""
    newest = check(ssh("releases", "shop", "--json")).json()[0]["version"]
    v7, v8, v9 = f"v{newest}", f"v{newest + 1}", f"v{newest + 2}"
    check(ssh("config:set", "shop", "DOWN=1"), 1)
    typed("logs:failed shop", says=v8)
    check(ssh("config:unset", "shop", "DOWN", "--no-restart"))
    typed("releases:retry shop v8", says=f"done, {v9}", instead={"v8": v8})
    typed("releases shop", says=v9)
    typed("releases:info shop v7", instead={"v7": v7})
    typed("releases:output shop v7", instead={"v7": v7})
    check(ssh("config:set", "shop", "MORE=1"))
    typed("releases:diff shop v7 v9", says="MORE", instead={"v7": v7, "v9": f"v{newest + 3}"})
    typed("config:diff shop v7 v9", says="MORE", instead={"v7": v7, "v9": f"v{newest + 3}"})
    typed("apps:plan shop", says="Nothing would change")
    typed("rollback shop v7", says="done", instead={"v7": v7})


def builds():
    assert commit("slow", "-o", "detach", slow="").code == 0
    number = check(ssh("builds:list", "shop", "--json")).json()[0]["id"]
    typed("builds:list shop", says=str(number))
    typed("builds:cancel 57", instead={"57": number})
    typed("builds:attach 57", code=1, instead={"57": number})
    typed("builds:output 57", instead={"57": number})
    typed("storage:report", says="shop")
    typed("storage:report shop")
    typed("repo:gc shop")
    typed("repo:purge-cache shop")


def without_a_push():
    typed("apps:lock shop database migration until noon")
    typed("apps:locked shop", says="until noon")
    typed("apps:unlock shop")
    archive = run(["git", "archive", "--format=tar.gz", "HEAD~1"], cwd=repo.path)
    typed("git:from-archive shop -", stdin=archive.raw, says="is live")
    image = check(ssh("releases:info", "shop", "--json")).json()
    named = f"{image['image'].partition('@')[0]}@{image['digest']}"
    typed("git:from-image shop docker.io/library/hello:1.2", says="is live",
          instead={"docker.io/library/hello:1.2": named})
    check(run(["docker", "pull", "-q", named]))
    check(run(["docker", "tag", named, "my/app:1.2"]))
    check(run(["docker", "save", "-o", TMP / "image.tar", "my/app:1.2"]))
    check(run(["docker", "rmi", "my/app:1.2"]))
    typed("git:load-image shop - < image.tar", says="is live", instead={"image.tar": TMP / "image.tar"})
    typed("git:load-image shop my/app:1.2 < images.tar", instead={"images.tar": TMP / "image.tar"})


def whole():
    text = typed("apps:export shop").raw
    key = TMP / "sealing"
    public = check(run([ENV["SLIPWAY_BIN"], "unseal", "--new-key", key])).out.strip()
    sealed = typed(f"apps:export shop --with-config {SEALING}", instead={SEALING: public}).raw
    document = check(run([ENV["SLIPWAY_BIN"], "unseal", key], stdin=sealed)).json()
    document["config"]["ADDED"] = {"value": "1"}
    typed("apps:apply shop --plan", stdin=json.dumps(document).encode(), says="config.ADDED")
    typed("apps:apply shop", stdin=json.dumps(document).encode(), says="done")
    check(ssh("apps:apply", "shop", stdin=text))
    typed("apps:clone shop shop-staging --skip-deploy")
    typed("domains:add shop www.example.com example.com")
    typed("domains:list shop", says="www.example.com")
    pem = TMP / "shop.pem"
    check(run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
               "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com", "-keyout", pem, "-out", f"{pem}.crt"]))
    pem.write_text(pem.read_text() + (TMP / "shop.pem.crt").read_text())
    typed("certs:add shop < shop.pem", instead={"shop.pem": pem})
    typed("certs:info shop", says="example.com")
    typed("certs:auto shop", code=1 if CLUSTER else 0, says="the cluster's matter" if CLUSTER else "your own")
    typed("certs:remove shop")
    typed("domains:remove shop www.example.com")
    typed("domains:clear shop")
    typed("maintenance:on shop", code=MAINTENANCE)
    typed("maintenance:report shop", says="off" if CLUSTER else "on")
    typed("maintenance:off shop")
    typed("config:clear shop", says="done")
    typed("secrets:rotate")
    typed("audit shop -n 20", says="config:clear")
    typed("apps:rename shop store")
    check(ssh("apps:rename", "store", "shop"))
    typed("apps:destroy shop --confirm shop")
    del document["image"]
    typed("apps:import shop", stdin=json.dumps(document).encode(), says="shop")


def all_typed():
    """none of docs/commands.md is left out"""
    assert not left, f"no test types: {left}"


PARTS = (people, first_release, config, processes, one_offs, releases, builds, without_a_push, whole, all_typed)


def main():
    left[:] = examples()
    prefix = f"slipway-help-{os.getpid():x}-"
    settings = {"docker__prefix": prefix, "docker__tls": "yes", "docker__https_port": harness.free_port()}
    if CLUSTER:
        settings.update(target__target="docker", docker__address="127.0.0.1", kubernetes__namespace_prefix=prefix,
                        kubernetes__expose="ingress", kubernetes__domain="apps.test")
    with Server(**settings):
        harness.main({f"test_examples_of_{part.__name__}": part for part in PARTS})


main()
