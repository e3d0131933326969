# Ends all that runs of the node and takes it off the machine. Data stays: etcd's, and images.
# shellcheck shell=bash

# Seconds that a program gets to end by itself. Everything here may be killed at any time without
# harm; the time is for etcd and containerd to close their files.
NODE_STOP_SECONDS=5

# node_clean: safe in every state: nothing runs, all runs, parts were killed, the machine restarted.
node_clean() {
    local name pid
    # Who would start containers or write rules again ends first.
    for name in kubelet kube-proxy coredns kube-scheduler kube-controller-manager; do
        proc_stop "$(pid_file "$name")" "$NODE_STOP_SECONDS" &
    done
    wait
    proc_stop "$(pid_file kube-apiserver)" 1 2>/dev/null &
    for pid in $(node_processes); do kill -KILL "$pid" 2>/dev/null || true; done
    containers_forget
    proc_stop "$(pid_file containerd)" "$NODE_STOP_SECONDS"
    for pid in $(shim_processes); do kill -KILL "$pid" 2>/dev/null || true; done
    wait
    proc_stop "$(pid_file etcd)" "$NODE_STOP_SECONDS"
    wait_until "$STOP_SECONDS" node_is_empty ||
        warn "processes of pods don't end: $(node_processes | tr '\n' ' ')"
    node_mounts | while read -r mount; do
        umount "$mount" 2>/dev/null || umount -l "$mount" || true
    done
    rm -rf --one-file-system "$K8S/run/containerd" "$K8S/run/runc" "$K8S/run/addresses" ||
        warn "$K8S/run isn't empty"
    # Sockets, and pid files that were half written.
    rm -f "$CONTAINERD_SOCKET" "$CONTAINERD_SOCKET.ttrpc" "$K8S"/run/*.pid.*
    # The mark of host_prepare: what it made may still be there. Where a kubelet runs all the same, it
    # is another node's, which has taken the machine over.
    if [[ -f $K8S/sysctl && -z $(ss -Hltn "sport = :$KUBELET_PORT") ]]; then host_restore; fi
}

# Takes the containers out of containerd's books, so that the next start has nothing to repair.
containers_forget() {
    local tasks containers
    if ! proc_pid "$(pid_file containerd)" >/dev/null; then return 0; fi
    tasks=$(timeout "$NODE_STOP_SECONDS" ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io \
        tasks list --quiet 2>/dev/null) || return 0
    containers=$(node_ctr containers list --quiet) || return 0
    # shellcheck disable=SC2086  # ids, one word each
    {
        if [[ -n $tasks ]]; then node_ctr tasks delete --force $tasks; fi
        if [[ -n $containers ]]; then node_ctr containers delete $containers; fi
    } >>"$(log_file clean)" 2>&1 || true
}

# Shims, the parents of containers, are known by containerd's address on their command line.
shim_processes() {
    local file
    for file in $(grep -lzxF -- "$CONTAINERD_SOCKET" /proc/[0-9]*/cmdline 2>/dev/null); do
        file=${file%/cmdline}
        if [[ $(cat "$file/comm" 2>/dev/null) == containerd-shim* ]]; then echo "${file#/proc/}"; fi
    done
}

node_is_empty() { [[ -z $(node_processes) ]]; }
