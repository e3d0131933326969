#!/usr/bin/env python3
"""contrib/slipway, the client; the ssh command lines that Dokku's client types; completion in bash, zsh and fish."""

import os
import pathlib
import pty
import select
import subprocess

import harness
from harness import Repo, TOP, check, has, hello, new_app, new_name, page, ssh, ssh_argv

CLIENT = TOP / "contrib" / "slipway"
WORDS = ["it's", 'say "hi"', "two  words", "line\nbreak\n", "", "$HOME `id` \\", "*", "-n", "--json", "ünï", "#no", "a;b"]

repo = None


def setup():
    global repo
    repo = new_app("client")
    return repo


def slipway(*words, cwd=None, env=None, stdin=b"", shell="dash"):
    """The client, in the app's repository, with git's own ssh command."""
    full = {"GIT_SSH_COMMAND": " ".join(ssh_argv())}
    full.update(env or {})
    return harness.run([shell, CLIENT, *words], cwd=cwd or repo.path, env=full, stdin=stdin)


def test_client():
    """the app comes from the git remote, words arrive exactly, standard input and exit codes pass"""
    app = setup().app
    has(check(slipway("apps:info")), f"=== {app}")
    has(check(slipway("ps", shell="bash")), "web.1")
    show = ["python3", "-c", "import sys; sys.stdout.buffer.write(b'\\0'.join(a.encode('utf-8', 'surrogateescape') for a in sys.argv[1:]))"]
    r = check(slipway("run", "--", *show, *WORDS))
    assert r.raw.decode().split("\0") == WORDS, r
    assert check(slipway("run", "cat", stdin=b"\0\xff\n")).raw == b"\0\xff\n"
    check(slipway("run", "--", "sh", "-c", "exit 37"), 37)
    check(slipway("config:set", "--no-restart", "A=it's  two\nlines"))
    assert check(slipway("config:get", "A", "--json")).json()["value"] == "it's  two\nlines"
    assert [a["name"] for a in check(slipway("apps:list", "--json")).json() if a["name"] == app] == [app]
    check(slipway("config:get", "NOPE"), 4)


def test_from_file():
    """config:set --from-file takes a value from a file of this machine, byte for byte; what is no such file is told"""
    here, app = repo.path, repo.app
    value = "-----BEGIN KEY-----\n it's \"two\"  words $HOME `id` \\\r\n\u00fc\n\n"
    (here / "a key.pem").write_text(value, newline="")
    (here / "=x").write_text("no newline")
    get = lambda name: check(slipway("config:get", name, "--json")).json()["value"]
    for shell in ("dash", "bash"):
        has(check(slipway("config:set", "--no-restart", "--from-file", "PEM=a key.pem", "B=it's 2", shell=shell)), "PEM")
        assert get("PEM") == value and get("B") == "it's 2"
        check(slipway("config:unset", "--no-restart", "PEM", shell=shell))
    check(slipway("-a", app, "config:set", "--from-file=EQUALS==x", "--no-restart", cwd=here, stdin=b"not this"))
    assert get("EQUALS") == "no newline"
    check(slipway("config:set", "--no-restart", "--from-file", f"ABSOLUTE={here / 'a key.pem'}"))
    assert get("ABSOLUTE") == value
    (here / "large").write_bytes(b"x" * 65537)
    before = check(slipway("config:keys")).out
    set_ = lambda *words: slipway("config:set", "C=1", "--no-restart", *words)
    has(check(set_("--from-file", "PEM=large"), 2), "at most 65536")
    has(check(set_("--from-file", "PEM=nope.pem"), 2), "--from-file PEM=nope.pem", "nope.pem that you can read")
    has(check(set_("--from-file", "PEM=."), 2), "--from-file PEM=.", "a folder")
    for wrong in ("PEM", "=large", "PEM="):
        has(check(set_("--from-file", wrong), 2), f'"{wrong}"', "for example: slipway config:set --from-file TLS_KEY=server.key")
    has(check(set_("--from-file"), 2), "--from-file takes NAME=PATH")
    has(check(set_("--from-file", "PEM=large", "--from-file", "B=large"), 2), "given twice")
    assert check(slipway("config:keys")).out == before
    # ssh alone can't: the server says how.
    has(check(ssh("config:set", app, "--from-file", "PEM=a.pem"), 2), "--from-file", f"ssh git@HOST config:set {app} PEM=@- < PATH")
    r = check(ssh("config:set", app, "PEM=@-", "--no-restart", stdin=value))
    assert get("PEM") == value, r
    # Elsewhere it is a word like others.
    assert check(slipway("run", "echo", "--from-file", "A=b")).out == "--from-file A=b\n"


def test_shellcheck():
    """shellcheck finds nothing in the client"""
    check(harness.run(["shellcheck", CLIENT]))


def test_remotes():
    """other remotes and URLs, -a, SLIPWAY_HOST; what is no server is refused before ssh is called"""
    other, here = new_name(), Repo(new_name()).path
    check(slipway("apps:create", other))
    has(check(slipway("-a", other, "apps:info")), f"=== {other}")
    has(check(slipway("apps:info", "-a", other)), f"=== {other}")
    git = repo.git
    git("remote", "add", "staging", f"ssh://git@{harness.HOST}:{harness.PORT}/{other}.git")
    has(check(slipway("-r", "staging", "apps:info")), f"=== {other}")
    has(check(slipway("apps:info", env={"SLIPWAY_REMOTE": "staging"})), f"=== {other}")
    git("config", "slipway.remote", "staging")
    has(check(slipway("apps:info")), f"=== {other}")
    git("config", "--unset", "slipway.remote")
    git("remote", "add", "short", f"git@{harness.HOST}:{other}")  # its port is in ssh's own options
    has(check(slipway("--remote=short", "apps:info")), f"=== {other}")
    env = {"SLIPWAY_HOST": f"git@{harness.HOST}:{harness.PORT}"}
    has(check(slipway("-a", other, "apps:info", cwd="/", env=env)), f"=== {other}")
    has(check(slipway("help", cwd="/", env=env)), "apps:create")
    has(check(slipway("ps", cwd="/"), 2), "no git remote k8s", "git remote add")
    has(check(slipway("-r", "nope", "ps", cwd=here), 2), "no git remote nope")
    has(check(slipway("-a"), 2), "needs a value")
    has(check(slipway("--nope", "ps"), 2), "no option --nope")
    for host in ("-oProxyCommand=id", "a b", "$(id)", "git@host:2x", "@host"):
        check(slipway("ps", env={"SLIPWAY_HOST": host, "GIT_SSH_COMMAND": "touch /nowhere/x; false"}), 2)
    check(slipway("ps", env={"GIT_SSH_COMMAND": "ssh -o ProxyCommand=false"}), 255)


def on_terminal(*words):
    """The client with a terminal on standard input and output; what is seen there, and the exit code."""
    master, slave = pty.openpty()
    env = {**os.environ, "GIT_SSH_COMMAND": " ".join(ssh_argv()), "TERM": "xterm"}
    p = subprocess.Popen(["dash", str(CLIENT), *words], cwd=repo.path, env=env, stdin=slave, stdout=slave,
                         stderr=subprocess.STDOUT, start_new_session=True)
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the last one has closed it
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    return p.wait(60), seen.decode(errors="replace")


def test_terminal():
    """run gets a terminal where there is one, but not with --no-tty; other commands do not"""
    code, seen = on_terminal("run", "--", "sh", "-c", "test -t 0 && test -t 1 && echo is-tty; exit 9")
    assert code == 9 and "is-tty" in seen, (code, seen)
    for words in (["run", "--no-tty"], ["--no-tty", "run"], ["run", "-e", "A=1", "--no-tty"]):
        code, seen = on_terminal(*words, "--", "sh", "-c", "test -t 1 || echo no-tty; exit 9")
        assert code == 9 and "no-tty" in seen, (code, seen)
    # Only the client's own words are looked at, not those of what is run.
    code, seen = on_terminal("run", "sh", "-c", "test -t 1 && echo is-tty", "x", "--no-tty")
    assert code == 0 and "is-tty" in seen, (code, seen)


def dokku(*words, host=None, stdin=b""):
    """The line that Dokku's client types: user dokku, -t, the app in front; words joined by ssh."""
    argv = ssh_argv(options=["-o", "LogLevel=QUIET", "-t"])
    return harness.run([*argv, f"dokku@{host or harness.HOST}", "--", *words], stdin=stdin)


def test_dokku():
    """Dokku's client: its user name, --app in front of every verb, --force and --quiet, a remote of its form"""
    app, other = repo.app, new_name()
    has(check(dokku("--app", app, "config:set", "FOO=bar", "--no-restart")), "FOO")
    assert check(dokku("--app", app, "config:get", "FOO")).out.strip() == "bar"
    has(check(dokku("--app", app, "config:show")), "FOO")
    has(check(dokku("--app", app, "apps:report")), app)
    has(check(dokku("--app", other, "apps:create", other)), other)
    has(check(dokku("--app", app, "apps:list")), app, other)
    has(check(dokku("apps")), other)
    check(dokku("--app", app, "apps:exists"))
    check(dokku("--app", app, "ps:restart"))
    has(check(dokku("--app", app, "run", "echo", "hello", "-n")), "hello -n")
    check(dokku("--app", app, "--quiet", "logs", "-n", "5"))
    check(dokku("--app", app, "ssh-keys:list"))
    check(dokku("--app", other, "apps:destroy"), 2)
    check(dokku("--app", other, "--force", "apps:destroy"))
    check(dokku("apps:exists", other), 4)
    r = repo.git("ls-remote", f"dokku@{harness.HOST}:{app}")
    assert "refs/heads/main" in r.out, r
    check(harness.run([*ssh_argv(), f"root@{harness.HOST}", "apps"]), 255)


def client_env():
    """The client as `slipway`, with the tests' key."""
    return {"GIT_SSH_COMMAND": " ".join(ssh_argv()), "PATH": f"{CLIENT.parent}:{os.environ['PATH']}"}


def complete_bash(line):
    """What bash offers at the end of the line."""
    text = f'''
. "$SCRIPT"
COMP_LINE=$1 COMP_POINT=${{#1}}
COMP_WORDS=($1) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
complete -p slipway >/dev/null || exit 9
_slipway
printf '%s\\n' "${{COMPREPLY[@]}}"
'''
    return check(harness.run(["bash", "--norc", "-c", text, "bash", line], cwd=repo.path,
                             env={**client_env(), "SCRIPT": str(scripts()["bash"])})).out.split()


_scripts = {}


def scripts():
    """{shell: file with its completion script}."""
    if not _scripts:
        for shell in ("bash", "zsh", "fish"):
            path = pathlib.Path(harness.TMP) / f"completion.{shell}"
            path.write_text(check(ssh("completion", shell)).out)
            _scripts[shell] = path
    return _scripts


def test_completion_bash():
    """completion bash, run by bash: commands with their colons, options, apps, teams, remotes, shells"""
    assert complete_bash("slipway config:se") == ["set"]  # bash has cut the word at its colon
    assert "ps" in complete_bash("slipway p") and "rollback" in complete_bash("slipway -a shop r")
    every = {c["name"] for c in check(ssh("help", "--json")).json() if not c["local"]}
    assert every <= set(complete_bash("slipway ")), every - set(complete_bash("slipway "))
    assert complete_bash("slipway config:set --no") == ["--no-restart"]
    assert "--build" in complete_bash("slipway config:set A=1 -")
    assert complete_bash("slipway config:set --fr") == ["--from-file"]
    assert complete_bash("slipway help config:ge") == ["get"]
    assert repo.app in complete_bash("slipway -a ") and repo.app in complete_bash("slipway logs --app ")
    assert complete_bash("slipway -r st") == ["staging"]
    assert complete_bash("slipway completion ") == ["bash", "zsh", "fish"]
    team = new_name("g")
    check(ssh("teams:create", team))
    assert team in complete_bash("slipway teams:info ") and team in complete_bash("slipway teams:add " + team[:3])
    assert {"view", "own", "@" + team} <= set(complete_bash("slipway access:grant "))
    assert complete_bash("slipway access:revoke @" + team) == [team]  # bash has cut the word at its @, too


def test_completion_others():
    """completion zsh and fish, run by zsh and fish"""
    fish = ["fish", "--no-config", "-c", f"source {scripts()['fish']}; complete -C $argv[1]"]
    env = {**client_env(), "HOME": str(harness.TMP)}
    first = lambda line: [x.split("\t")[0] for x in check(harness.run([*fish, line], cwd=repo.path, env=env)).out.splitlines()]
    assert first("slipway config:se") == ["config:set"]
    assert first("slipway config:set --no-r") == ["--no-restart"]
    assert "--build" in first("slipway -a shop config:set --")
    assert first("slipway completion b") == ["bash"]
    team = new_name("g")
    check(ssh("teams:create", team))
    assert first("slipway teams:info " + team[:3]) == [t["name"] for t in check(ssh("teams:list", "--json")).json()
                                                       if t["name"].startswith(team[:3])]
    assert first("slipway access:revoke @" + team) == ["@" + team]
    check(harness.run(["fish", "--no-execute", scripts()["fish"]], env=env))
    check(harness.run(["zsh", "-f", "-n", scripts()["zsh"]]))
    text = '''
compdef() { print registered $1 $2 }
compadd() { [[ $1 == -- ]] && shift; print -l -- "$@" }
_describe() { print -rl -- "${(@P)2}" }
. $1
words=(${(z)2} "") CURRENT=$#words
_slipway
'''
    zsh = lambda line: check(harness.run(["zsh", "-f", "-c", text, "zsh", scripts()["zsh"], line], cwd=repo.path, env=env)).out
    out = zsh("slipway")
    assert "registered _slipway slipway" in out and "config\\:set:Set config variables" in out, out
    assert "--no-restart" in zsh("slipway -a shop config:set").split()
    assert team in zsh("slipway teams:destroy").split() and "@" + team in zsh("slipway access:grant").split()
    has(check(ssh("completion", "tcsh"), 2), "bash, zsh or fish")


harness.main(globals())
