# Runs test programs in Python, several at a time, since most of them wait most of the time. What one prints, TAP,
# is shown as a whole when it has ended. Sourced by tests/e2e/run and tests/e2e/receive/run.

# is_wanted NAME WORD...: NAME contains one of the words, or there are none.
is_wanted() {
    local name=$1 word
    shift
    if (($# == 0)); then return 0; fi
    for word; do
        if [[ $name == *"$word"* ]]; then return 0; fi
    done
    return 1
}

# Shows what the programs printed that have ended since the last call, and counts.
tap_show_ended() {
    local file name rc ok bad
    for file in "${programs[@]}"; do
        name=$(basename "$file" .py)
        [[ -e $out/$name.rc && " ${shown[*]} " != *" $name "* ]] || continue
        shown+=("$name")
        rc=$(<"$out/$name.rc")
        echo "# $name"
        cat "$out/$name"
        ok=$(grep -c '^ok ' "$out/$name")
        bad=$(grep -c '^not ok ' "$out/$name")
        # A program that died before its plan was done has failed as a whole.
        if ((rc != 0 && bad == 0)) || ((ok + bad == 0)); then
            echo "not ok - $name ended with exit code $rc before its tests were done"
            bad=$((bad + 1))
        fi
        passed=$((passed + ok)) failed=$((failed + bad))
    done
}

# tap_run LABEL JOBS PYTHON FILE...: runs the files, JOBS at a time, in this order. The last line is the sum; fails
# when a test failed or there was none.
tap_run() {
    local label=$1 jobs_max=$2 python=$3 passed=0 failed=0 shown=() programs file
    shift 3
    programs=("$@")
    out=$(mktemp -d)
    trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$out"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for file in "${programs[@]}"; do
        while (($(jobs -rp | wc -l) >= jobs_max)); do
            wait -n
            tap_show_ended
        done
        {
            PYTHONDONTWRITEBYTECODE=1 "$python" "$file" >"$out/$(basename "$file" .py)" 2>&1
            echo $? >"$out/$(basename "$file" .py).rc"
        } &
    done
    while (($(jobs -rp | wc -l) > 0)); do
        wait -n
        tap_show_ended
    done
    tap_show_ended
    echo "$label: $passed passed, $failed failed"
    ((failed == 0 && passed > 0))
}
