#!/bin/bash
# Publishing between registries; see publish.py.
set -euo pipefail

export PUBLISH_TOOL=${top_builddir:-.}/tests/unit/publish_tool
exec /usr/bin/python3 "${top_srcdir:-.}/tests/unit/publish.py"
