# Runs test programs in Python, several at a time, since most of them wait most of the time. What one prints, TAP,
# is shown as a whole when it has ended. Sourced by tests/e2e/run and tests/e2e/receive/run.

TAP_AGAIN_MAX=5

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

# Shows what the programs printed that have ended since the last call, counts, and keeps those that failed in
# failed_programs.
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
        if ((bad > 0)); then failed_programs+=("$file"); fi
        passed=$((passed + ok)) failed=$((failed + bad))
    done
}

# tap_start PYTHON FILE: runs a program in the background.
tap_start() {
    local name
    name=$(basename "$2" .py)
    {
        PYTHONDONTWRITEBYTECODE=1 "$1" "$2" >"$out/$name" 2>&1
        echo $? >"$out/$name.rc"
    } &
}

# The second try of what failed, alone: tells a machine that was too busy, and a race that is rare, from what is broken.
# It is said of each, and what fails again has failed. Not where much fails, nor for what a sanitizer found.
tap_again() {
    local python=$1 file name ok bad passed_before failed_before again=("${failed_programs[@]}")
    if ((${#again[@]} > TAP_AGAIN_MAX)); then return 0; fi
    for file in "${again[@]}"; do
        name=$(basename "$file" .py)
        if grep -qiE 'sanitizer|runtime error:' "$out/$name"; then continue; fi
        ok=$(grep -c '^ok ' "$out/$name")
        bad=$(grep -c '^not ok ' "$out/$name")
        if ((bad == 0)); then bad=1; fi
        passed_before=$((passed - ok)) failed_before=$((failed - bad))
        rm "$out/$name.rc"
        shown=("${shown[@]/$name/}")
        echo "# again, alone:"
        tap_start "$python" "$file"
        wait -n
        passed=$passed_before failed=$failed_before
        tap_show_ended
        if ((failed == failed_before)); then echo "$label: $bad of $name passed only when run again, alone"; fi
    done
}

# tap_run LABEL JOBS PYTHON FILE...: runs the files, JOBS at a time, in this order, and what failed again. The last line
# is the sum; fails when a test failed or there was none.
tap_run() {
    local label=$1 jobs_max=$2 python=$3 passed=0 failed=0 shown=() failed_programs=() programs file
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
        tap_start "$python" "$file"
    done
    while (($(jobs -rp | wc -l) > 0)); do
        wait -n
        tap_show_ended
    done
    tap_show_ended
    tap_again "$python"
    echo "$label: $passed passed, $failed failed"
    ((failed == 0 && passed > 0))
}
