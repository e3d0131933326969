#!/usr/bin/python3
"""tests/package/interview.py HOST COMMAND...: `slipway init` on a terminal, by a person who takes each proposal but the
host's name."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from terminal import Terminal  # noqa: E402

t = Terminal(sys.argv[2:])
t.expect("Public key of the first admin")
t.expect("[/root/.ssh/authorized_keys]: ")
t.type("\n")
t.expect("Host name of this server")
t.type(sys.argv[1] + "\n")
t.expect("Registry for the images [localhost:5000/apps]")
t.type("\n")
code = t.end()
print(t.said)
sys.exit(code)
