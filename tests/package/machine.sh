# A machine of its own out of a root folder, for tests/package/run: see tests/package/boot. Sourced.
# shellcheck shell=bash

machine=      # the process that holds it
# In front of a command: runs it there. Nothing meant for the machine may ever be run here.
machine_words=(false)
export SLIPWAY_MACHINE=$$

# machine_start ROOT: boots it, and waits until systemd has started all.
machine_start() {
    # Who dies with this script, however it ends, takes the machine along.
    setpriv --pdeathsig KILL "$(dirname "${BASH_SOURCE[0]}")/boot" "$1" </dev/null &
    machine=$!
    wait_until 30 machine_first && machine_words=(nsenter -t "$(pgrep -P "$machine")" -m -p -i -u -n -C -r -w env -i HOME=/root
        TERM=dumb LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin) &&
        wait_until 30 on_machine test -S /run/systemd/private && on_machine systemctl is-system-running --wait
}
machine_first() { [[ $(cat "/proc/$(pgrep -P "$machine")/comm") == systemd ]]; }

# on_machine COMMAND...: as root of it. near_machine COMMAND...: a program of this one in its network.
on_machine() { "${machine_words[@]}" "$@" </dev/null; }
near_machine() { nsenter -t "$(pgrep -P "$machine")" -n "$@" </dev/null; }

# machine_stop: at once, as if by its switch.
machine_stop() {
    if [[ -n $machine ]]; then
        kill -KILL "$machine" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
        machine= machine_words=(false)
    fi
    wait_until 10 machine_forget || true
}
machine_forget() {
    local top=/sys/fs/cgroup group=slipway-package-$SLIPWAY_MACHINE
    find "$top/$group" "$top"/*/"$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    ! compgen -G "$top/$group" && ! compgen -G "$top/*/$group"
}
