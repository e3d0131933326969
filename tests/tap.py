"""TAP lines of tests in Python. The line of a test that failed says where and why: a summary keeps no more of it."""

import pathlib
import sys
import traceback


def reason(limit=400):
    """Where the exception that is being handled was raised in the test's own file, and its first line."""
    kind, error, trace = sys.exc_info()
    frames = traceback.extract_tb(trace)
    own = [f for f in frames if f.filename == frames[min(1, len(frames) - 1)].filename]
    text = " ".join(str(error).split())
    if len(text) > limit:
        text = f"{text[:limit // 2]} […] {text[-limit // 2:]}"
    return f"{pathlib.Path(own[-1].filename).name}:{own[-1].lineno}: {kind.__name__}: {text}"


def ok(number, label):
    print(f"ok {number} - {label}", flush=True)


def not_ok(number, label):
    """To be called where the exception is handled."""
    print(f"not ok {number} - {label} # {reason()}")
    print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
