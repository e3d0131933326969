# The TAP lines of checks in shell. Sourced by tests/layers.sh and tests/promises.sh.

n=0
# result NAME WRONG: ok where WRONG is empty.
result() {
    n=$((n + 1))
    if [ -z "$2" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        sed 's/^/# /' <<<"$2"
    fi
}
