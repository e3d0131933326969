#!/bin/bash
# The program as a whole, without the parts that it works with: init, check, serve, and what signals do.
# As root everything runs as another user, so that the machine's accounts stay as they are.
set -euo pipefail

here=$(mktemp -d "${TMPDIR:-/tmp}/slipway-daemon-XXXXXX")
server=""
finish() {
    if [ -n "$server" ]; then kill -KILL "$server" 2>/dev/null || true; fi
    rm -rf "$here"
}
trap finish EXIT

as=()
if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    chown 65534:65534 "$here"
fi
chmod 755 "$here"
cp "${top_builddir:-.}/slipway" "$here/slipway" # the build folder may be closed to that user
conf=$here/slipway.conf
state=$here/state
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

slipway() { "${as[@]}" "$here/slipway" "$@"; }

n=0
# result CODE NAME: a TAP line; what the last command said where it is not ok.
result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        sed 's/^/# /' "$here/said" 2>/dev/null || true
    fi
}

# said CODE PATTERN ARGUMENT...: slipway ARGUMENT... must end with CODE and print PATTERN.
said() {
    local code=$1 pattern=$2 rc=0
    shift 2
    slipway "$@" >"$here/said" 2>&1 </dev/null || rc=$?
    echo "exit code $rc" >>"$here/said"
    [ "$rc" = "$code" ] && grep -q -e "$pattern" "$here/said"
}
try() { if "${@:2}"; then result 0 "$1"; else result 1 "$1"; fi; }

# start: a server whose log can be read from descriptor $log.
start() {
    rm -f "$here/log"
    mkfifo "$here/log"
    "${as[@]}" "$here/slipway" serve --config "$conf" 2>"$here/log" </dev/null &
    server=$!
    exec {log}<"$here/log"
}
# logged PATTERN: reads the log up to a line with it.
logged() {
    local line
    : >"$here/said"
    while IFS= read -r -t 30 -u "$log" line; do
        echo "$line" >>"$here/said"
        if [[ $line == *"$1"* ]]; then return 0; fi
    done
    return 1
}
# ended CODE: the server has ended with it.
ended() {
    local rc=0
    wait "$server" || rc=$?
    server=""
    exec {log}<&-
    echo "exit code $rc" >>"$here/said"
    [ "$rc" = "$1" ]
}
child() { pgrep -P "$server" -f "slipway: $1"; }

echo 1..19
ssh-keygen -q -t ed25519 -N '' -C someone -f "$here/key"
chmod 644 "$here/key.pub"
try "init makes all of it" said 0 "added key SHA256:" init --state "$state" --config "$conf" \
    --admin-key "$here/key.pub" ssh.listen=127.0.0.1 "ssh.port=$port" docker.router_start=no
try "init can be repeated" said 0 "^ready" init --state "$state" --config "$conf" --admin-key "$here/key.pub"
try "init does not change a configuration" said 2 "says otherwise" init --config "$conf" ssh.port=1
try "init names a wrong setting" said 2 "the nearest is port in" init --config "$here/other.conf" ssh.prot=1
try "init takes no private key" said 2 "key" init --config "$conf" --admin-key "$here/slipway.conf"
try "check says what is there" said 1 "^ok       state: $state" check --config "$conf"
try "check says what to do" said 1 "^missing  registry: .*: name the registry" check --config "$conf"
chmod 666 "$conf"
try "check says who else may change the configuration" said 1 "^missing  config: $conf has mode 0666.*: run: .*chmod 644" \
    check --config "$conf"
chmod 644 "$conf"
try "a missing configuration is named" said 4 "cannot read /nonexistent" serve --config /nonexistent
try "an unknown command gets the nearest" said 2 "the nearest is: slipway serve" srve

mv "$state/slipway.db" "$here/kept.db"
try "a lost database is said, and none is made in its place" said 1 "slipway.db is not there; make it with: slipway init" \
    serve --config "$conf"
mv "$here/kept.db" "$state/slipway.db"

start
try "the server starts" logged "serves $state on 127.0.0.1 port $port"
try "a second one is refused" said 5 "another server runs on $state" serve --config "$conf"
sed -i 's/^port = .*/port = none/' "$conf"
kill -HUP "$server"
try "a wrong configuration is not taken" logged "the configuration is not changed: $conf, line "
sed -i "s/^port = .*/port = $port/" "$conf"
kill -HUP "$server"
try "a right one is" logged "the configuration was read again"
kill -KILL "$(child builder)"
try "a role that was killed starts again" logged "builder was ended by signal 9; it starts again"
kill -TERM "$server"
try "SIGTERM ends it well" ended 0

start
logged "serves $state" || true
builder=$(child builder)
kill -KILL "$server"
ended 137 || true
# tail watches the process for us and ends with it.
try "no role outlives the supervisor" timeout 30 tail --pid="$builder" -f /dev/null

start
logged "serves $state" || true
kill -TERM "$server"
kill -TERM "$server"
try "it starts again after that, and a second SIGTERM ends it" ended 0
