"""What the measurements share: pairs of runs, their rows, and the section of bench/RESULTS.md."""

import os
import pathlib
import platform
import random
import statistics
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests/e2e"), str(TOP / "bench")]
sys.dont_write_bytecode = True

from harness import HOST, PORT, run, ssh_argv  # noqa: E402

RESULTS, NOTES = TOP / "bench/RESULTS.md", TOP / "bench/NOTES.md"
# The sections, in this order.
TITLES = ("On Kubernetes", "On one machine's Docker engine")
TABLE = "| work | against | Slipway | by hand | ratio | goal | met |\n|---|---|---|---|---|---|---|\n"
rows = []


def seconds(argv, says="", **kwargs):
    """Runs it; it must succeed and have said the text (a failed post-receive hook fails no push)."""
    begin = time.monotonic()
    r = run(argv, **kwargs)
    spent = time.monotonic() - begin
    assert r.code == 0 and says in r.all, f"{argv}: {r!r}"
    return spent


def pairs(n, ours, theirs, warm=1, apart=0):
    """Runs both in turn; returns the lists of seconds of the counted rounds. Up to apart seconds are let pass before
    each: the kubelet looks at its containers once a second, and whoever begins as the other ends, which is just after
    such a look, always waits for the next one."""
    a, b = [], []
    for i in range(warm + n):
        time.sleep(random.uniform(0, apart))
        x = ours(i)
        time.sleep(random.uniform(0, apart))
        y = theirs(i)
        if i >= warm:
            a.append(x)
            b.append(y)
    return a, b


def report(work, against, goal, a, b, unit="s"):
    m, h = statistics.median(a), statistics.median(b)
    ratio = statistics.median([x / y for x, y in zip(a, b)])
    met = "yes" if ratio <= goal else "no"
    rows.append((work, against, f"{m:.3f} {unit}", f"{h:.3f} {unit}", f"{ratio:.2f}", f"≤ {goal}", met))
    print(f"{work}: {m:.3f} {unit} against {h:.3f} {unit}: {ratio:.2f} (goal {goal}: {met})"
          f" rounds: {' '.join(f'{x:.2f}/{y:.2f}' for x, y in zip(a, b))}", flush=True)


BUILD_FLAGS = ["--trust-builder", "--network", "host", "--pull-policy", "if-not-present"]


def hand_ssh(sshd):
    return " ".join(ssh_argv(sshd.key, port=sshd.port))


def hand_push(sshd, repo, bare):
    return seconds(["git", "push", sshd.url(bare), "main"], says="successfully rolled out", cwd=repo.path,
                   env={"GIT_SSH_COMMAND": hand_ssh(sshd)})


def our_push(repo, to):
    return seconds(["git", "push", f"ssh://git@{HOST}:{PORT}/{to}", "main"], says="is live", cwd=repo.path,
                   env={"GIT_SSH_COMMAND": " ".join(ssh_argv())})


def report_limit(work, against, value, limit, unit):
    """One value of ours against a limit."""
    met = "yes" if value <= limit else "no"
    rows.append((work, against, f"{value:.2f} {unit}", "–", "–", f"≤ {limit} {unit}", met))
    print(f"{work}: {value:.2f} {unit} (goal {limit}: {met})", flush=True)


def pss(pid):
    """MiB of memory, what is shared with others in equal parts (proc_pid_smaps(5))."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid):
    """The process ids of it and all below it."""
    found = [int(pid)]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += children(child)
    return found


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = int(open("/proc/meminfo").readline().split()[1]) // (1024 * 1024)
    git = run(["git", "--version"]).out.split()[2]
    return f"{os.cpu_count()} cores ({cpu}), {memory} GiB, Linux {platform.release()}, git {git}"


def sections():
    """{title: text} of the results that are there."""
    found = {}
    for part in RESULTS.read_text().split("\n## ")[1:] if RESULTS.exists() else []:
        title, _, text = part.partition("\n")
        found[title.strip()] = text.strip()
    return found


def main(names, title):
    """Runs all bench_* of names, or those whose name contains a word of the command line; writes the section where
    all were run."""
    wanted = sys.argv[1:]
    for name, fn in list(names.items()):
        if name.startswith("bench_") and (not wanted or any(w in name for w in wanted)):
            fn()
    text = TABLE + "".join("| " + " | ".join(r) + " |\n" for r in rows)
    print(text)
    if wanted:
        return
    found = sections()
    found[title] = f"{time.strftime('%Y-%m-%d')}, {machine()}. Medians of one run; the two ways in turn.\n\n{text.strip()}"
    parts = [f"## {t}\n\n{found[t]}\n" for t in TITLES if t in found]
    RESULTS.write_text("\n".join(["# Measured\n", *parts]) + ("\n" + NOTES.read_text() if NOTES.exists() else ""))
