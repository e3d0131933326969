#!/bin/bash
# The layers: a file includes only what its folder may use, and config.h first (see ARCHITECTURE.md).
set -euo pipefail

top_srcdir=${top_srcdir:-.}

# Folders of ours that each folder may include from.
declare -A folders=(
    [base]="base"
    [sql]="base sql"
    [gateway]="base sql gateway"
    [builder]="base sql builder"
    [deployer]="base sql deployer"
    [web]="base sql web"
    [daemon]="base sql gateway builder deployer web daemon"
)
# Folders in which each library's header may be included. jansson and sodium are for all.
declare -A libraries=(
    [curl/curl.h]="base"
    [ini.h]="base"
    [sqlite3.h]="sql"
    [libssh/]="gateway daemon"
    [git2]="gateway builder daemon"
    [openssl/]="gateway"
    [yaml.h]="gateway deployer"
    [wslay/]="deployer"
    [microhttpd.h]="web"
)

# check ROOT: prints every include that is not allowed, "file: what".
check() {
    local root=$1 folder file header library first
    for folder in "${!folders[@]}"; do
        [ -d "$root/$folder" ] || continue
        while IFS= read -r file; do
            while IFS= read -r header; do
                [[ " ${folders[$folder]} " == *" ${header%%/*} "* ]] \
                    || echo "${file#"$root"/}: \"$header\" is not below $folder/"
            done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\/[^"]*\)".*/\1/p' "$file")
            while IFS= read -r header; do
                for library in "${!libraries[@]}"; do
                    if [[ $header == "$library"* && " ${libraries[$library]} " != *" $folder "* ]]; then
                        echo "${file#"$root"/}: <$header> is not for $folder/"
                    fi
                done
            done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*/\1/p' "$file")
            if [[ $file == *.c ]]; then
                first=$(grep -m1 '^[[:space:]]*#[[:space:]]*include' "$file" || true)
                [ "$first" = '#include "config.h"' ] \
                    || echo "${file#"$root"/}: the first include must be \"config.h\""
            fi
        done < <(find "$root/$folder" -name '*.[ch]' | sort)
    done
}

. "$top_srcdir/tests/result.sh"

# bad NAME FILE TEXT: the check must find that TEXT is wrong in FILE.
bad() {
    local copy found
    copy=$(mktemp -d "${TMPDIR:-/tmp}/slipway-layers-XXXXXX")
    mkdir -p "$copy/$(dirname "$2")"
    printf '%s\n' "$3" >"$copy/$2"
    found=$(check "$copy")
    rm -rf "$copy"
    if [[ $found == "$2: "* ]]; then result "$1" ""; else result "$1" "not found: $3 in $2"; fi
}

echo "1..7"
result "the sources keep the layers" "$(check "$top_srcdir")"
bad "a backward include is found" base/x.c $'#include "config.h"\n#include "sql/store.h"'
bad "a sibling's include is found" gateway/x.c $'#include "config.h"\n#  include "deployer/target.h"'
bad "one in a header of a folder below is found" deployer/kubernetes/x.h $'#include "config.h"\n#include "gateway/command.h"'
bad "a library out of place is found" builder/x.c $'#include "config.h"\n#include <yaml.h>'
bad "a missing config.h is found" sql/x.c '#include <stdio.h>'
good=$(mktemp -d "${TMPDIR:-/tmp}/slipway-layers-XXXXXX")
mkdir "$good/daemon"
printf '#include "config.h"\n\n#include "gateway/gateway.h"\n#include <string.h>\n' >"$good/daemon/x.c"
result "what is allowed is not reported" "$(check "$good")"
rm -rf "$good"
