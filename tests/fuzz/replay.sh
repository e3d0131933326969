#!/bin/bash
# Each fuzz main takes every input of its corpus: tests/fuzz/corpus/X for tests/fuzz/fuzz_X.
set -euo pipefail

top_srcdir=${top_srcdir:-.}
read -ra mains <<<"${FUZZ_MAINS:?set by make check}"
echo "1..${#mains[@]}"
n=0
for main in "${mains[@]}"; do
    n=$((n + 1))
    corpus=$top_srcdir/tests/fuzz/corpus/${main##*/fuzz_}
    # -runs=0 tells a main that was built with libFuzzer to replay only.
    if output=$("./$main" -runs=0 "$corpus" 2>&1); then
        echo "ok $n - ${main##*/}: ${output##*$'\n'}"
    else
        echo "not ok $n - ${main##*/}"
        sed 's/^/# /' <<<"$output"
    fi
done
