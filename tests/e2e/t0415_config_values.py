#!/usr/bin/env python3
"""Config values by the file: 1,000 random ones arrive byte for byte, come out in every format, go in again, and are
not seen in what builds and releases print."""

import json
import random
import shlex

import yaml

import harness
from harness import Repo, check, has, hello, new_app, new_name, ssh

COUNT = 1000
TOTAL = 600 * 1024  # of the 900 KiB that an app may have; the kernel gives a process 128 KiB a variable
POOLS = ["abcXYZ019", " '\"\\$`=#!&|;<>()[]{}*?~%^", "\n\t", "äß€中\U0001f600\u0301\u202e", "\x01\x1b\x7f"]
ENVIRON = ["python3", "-c", "import os,sys; sys.stdout.buffer.write(open('/proc/self/environ','rb').read())"]

app = values = None


def random_values():
    rng = random.Random(415)
    lengths = [65536, 65535, 30000] + [rng.randrange(60) for _ in range(COUNT - 3)]
    made = {}
    for i, n in enumerate(lengths):
        text = "".join(rng.choice(rng.choice(POOLS)) for _ in range(n))
        made[f"V{i}"] = text.encode()[:n].decode(errors="ignore")  # lengths are bytes
    assert sum(len(v.encode()) for v in made.values()) < TOTAL
    return made


def dotenv(some):
    """A dotenv file as a person's tool writes it: double quotes, with what they escape."""
    def quote(v):
        for c in '\\"$`':
            v = v.replace(c, "\\" + c)
        return '"' + v.replace("\n", "\\n") + '"'
    return "".join(f"{n}={quote(v)}\n" for n, v in some.items())


def in_pod():
    raw = check(ssh("run", app, "--", *[shlex.quote(w) for w in ENVIRON])).raw
    pairs = (entry.split(b"=", 1) for entry in raw.split(b"\0") if entry)
    return {n.decode(): v for n, v in pairs if n[:1] == b"V" and n[1:].isdigit()}


def test_arrive():
    """config:import in rounds with --no-restart, one release: 1,000 values are in the pod byte for byte"""
    global app, values
    app, values = new_app("values").app, random_values()
    names = list(values)
    for i in range(0, COUNT, 250):
        last = i + 250 >= COUNT
        check(ssh("config:import", app, *([] if last else ["--no-restart"]),
                  stdin=dotenv({n: values[n] for n in names[i:i + 250]})))
    got = in_pod()
    wrong = [n for n in names if got.get(n) != values[n].encode()]
    assert not wrong and len(got) == COUNT, (len(wrong), wrong[:5], [(values[n][:60], got.get(n)) for n in wrong[:1]])


def test_formats():
    """config:export as env, dotenv, json and yaml gives the same values back; what is exported can be imported"""
    out = {f: check(ssh("config:export", app, "--format", f)).raw for f in ("env", "dotenv", "json", "yaml")}
    assert json.loads(out["json"]) == values
    assert yaml.safe_load(out["yaml"].decode()) == values
    path = harness.TMP / "values.env"
    path.write_bytes(out["env"])
    # A shell that reads the file: its own variables, since an environment of that size is not for every program.
    show = '. "$1"; i=0; while [ $i -lt 1000 ]; do eval "printf \'%s\\\\0\' \\"\\$V$i\\""; i=$((i + 1)); done'
    shell = check(harness.run(["dash", "-c", show, "dash", path]))
    assert shell.raw.split(b"\0")[:-1] == [v.encode() for v in values.values()]
    other = new_name()
    check(ssh("apps:create", other))
    check(ssh("config:import", other, stdin=out["dotenv"]))
    assert check(ssh("config:export", other, "--format", "json")).json() == values


def test_masked():
    """values are masked in lists, in the build's output and in the release's, also when they come in pieces"""
    secret, build = "hunter2-" + harness.unique, "build-secret-" + harness.unique
    repo = Repo(new_name())
    check(ssh("apps:create", repo.app))
    check(ssh("config:set", repo.app, f"TOKEN={secret}"))
    check(ssh("config:set", repo.app, "--build", f"NPM_TOKEN={build}"))
    has(check(ssh("config", repo.app)), "••••" + secret[-4:])
    pieces = ("import os, sys, time\nv = os.environ['TOKEN']\nfor part in ('got ', v[:5], v[5:], '\\n', v, '\\n'):\n"
              "    sys.stdout.write(part)\n    sys.stdout.flush()\n    time.sleep(0.1)\n")
    script = ("const v = process.env.NPM_TOKEN || ''; process.stdout.write('has ' + v.length + ' <' + v.slice(0, 7));"
              "setTimeout(() => process.stdout.write(v.slice(7) + '>\\n'), 200);")
    lock = {"name": "masked", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
            "packages": {"": {"name": "masked", "version": "1.0.0"}}}
    files = hello("masked", procfile="web: exec python3 -u web.py\nrelease: python3 print.py\n")
    repo.commit("first", {**files, "print.py": pieces, "show.js": script, "package-lock.json": json.dumps(lock),
                          "package.json": json.dumps({"name": "masked", "version": "1.0.0",
                                                      "scripts": {"build": "node show.js"}})})
    r = check(repo.push())
    has(r, f"has {len(build)} <••••>", "got [TOKEN hidden]")
    # Not the logs: what a running process prints is its own.
    shown = r.all + check(ssh("builds:output", repo.app)).all + check(ssh("releases:output", repo.app)).all
    for value in (secret, build):
        assert value not in shown, shown


harness.main(globals())
