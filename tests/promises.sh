#!/bin/bash
# docs/promises.md: each line of its tables names tests, and each of these is there.
set -euo pipefail

top_srcdir=${top_srcdir:-.}

# check PAGE: prints each row without a test, and each test that isn't there.
check() {
    local row file name path found
    while IFS= read -r row; do
        found=$(grep -oE '`(t[0-9]+_[a-z0-9_]+\.py|test_[a-z0-9_]+\.c) test_[a-z0-9_]+`' <<<"${row%|}" | tr -d '`' || true)
        if [ -z "$found" ]; then
            echo "no test in: $row"
            continue
        fi
        while read -r file name; do
            path=$(find "$top_srcdir/tests" -name "$file")
            if [ -z "$path" ]; then
                echo "there is no $file"
            elif ! grep -qE "^(def|static void) $name\(" "$path"; then
                echo "$file has no $name"
            elif [[ $file == *.c && $(grep -cw -- "$name" "$path") -lt 2 ]]; then
                echo "$file doesn't run $name"
            fi
        done <<<"$found"
    done < <(grep '^|' "$1" | grep -vE '^\|(-+\||[^|]*\|([^|]*\|)? tests \|$)')
}

. "$top_srcdir/tests/result.sh"

page=$(mktemp "${TMPDIR:-/tmp}/slipway-promises-XXXXXX")
trap 'rm -f "$page"' EXIT
# bad NAME ROW WRONG: the check must say WRONG of a page with this row.
bad() {
    printf '| what | here | tests |\n|---|---|---|\n%s\n' "$2" >"$page"
    if [ "$(check "$page")" = "$3" ]; then result "$1" ""; else result "$1" "not found: $3"; fi
}

echo "1..6"
result "every promise has a test that is there" "$(check "$top_srcdir/docs/promises.md")"
bad "a row without a test is found" '| a | b | none |' 'no test in: | a | b | none |'
bad "a file that isn't there is found" '| a | b | `t9999_x.py test_x` |' 'there is no t9999_x.py'
bad "a test that isn't there is found" '| a | b | `t0100_push.py test_first_push`, `t0100_push.py test_first` |' 't0100_push.py has no test_first'
bad "so it is in a unit test" '| a | b | `test_lease.c test_kill` |' 'test_lease.c has no test_kill'
bad "what is there is not reported" '| a | b | `test_lease.c test_kill_holder` |' ''
