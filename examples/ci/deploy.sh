#!/bin/sh
# Deploys the commit that is checked out, from any CI system that has git and ssh. Wanted in the environment:
#   SLIPWAY_URL          ssh://git@paas.example.com/shop
#   SLIPWAY_KEY          the deploy key's private half
#   SLIPWAY_KNOWN_HOSTS  the server's line of known_hosts
# Ends with git's exit code, which is 0 only when the commit is live.
set -eu
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
printf '%s\n' "$SLIPWAY_KEY" >"$dir/key"
printf '%s\n' "$SLIPWAY_KNOWN_HOSTS" >"$dir/known_hosts"
export GIT_SSH_COMMAND="ssh -i $dir/key -o IdentitiesOnly=yes -o UserKnownHostsFile=$dir/known_hosts -o StrictHostKeyChecking=yes"
git push "$SLIPWAY_URL" +HEAD:refs/heads/main
