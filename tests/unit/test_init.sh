#!/bin/bash
# What `slipway init` asks on a terminal.
exec python3 -B "${top_srcdir:-.}/tests/unit/init.py" "${top_builddir:-.}/slipway"
