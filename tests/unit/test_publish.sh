#!/bin/bash
# Publishing between registries, and removing from them; see publish.py.
set -euo pipefail

export PUBLISH_TOOL=${top_builddir:-.}/tests/unit/publish_tool
export RETAIN_TOOL=${top_builddir:-.}/tests/unit/retain_tool
exec /usr/bin/python3 "${top_srcdir:-.}/tests/unit/publish.py"
