# What the node changes on the machine, and how each is undone: a bridge, packet filter rules, kernel
# settings, control groups, mounts.
# shellcheck shell=bash

# Kernel settings that the kubelet and kube-proxy change, to be put back. IP forwarding isn't among
# them: a Docker engine that runs here needs it too.
SAVED_SETTINGS=(kernel.panic kernel.panic_on_oops kernel.keys.root_maxbytes kernel.keys.root_maxkeys
    net.ipv4.conf.all.route_localnet vm.overcommit_memory vm.panic_on_oom)

# host_prepare: makes what the node needs, after a host_restore.
host_prepare() {
    local setting other
    if [[ ! -d /proc/sys/net/bridge ]]; then modprobe br_netfilter; fi
    for setting in "${SAVED_SETTINGS[@]}"; do
        if [[ -e /proc/sys/${setting//./\/} ]]; then sysctl -e "$setting"; fi
    done >"$K8S/sysctl.part"
    mv "$K8S/sysctl.part" "$K8S/sysctl"
    sysctl -q net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1

    other=$(ip -4 -o address show to "$POD_NET")
    [[ -z $other ]] || die "the network $POD_NET is in use on this machine: $other"
    ip link add "$BRIDGE" type bridge
    ip address add "$NODE_IP/${POD_NET#*/}" dev "$BRIDGE"
    ip link set "$BRIDGE" up

    # The API server listens on all addresses, because pods can't reach 127.0.0.1; other machines are
    # kept out here.
    iptables-restore --noflush <<END
*filter
:SLIPWAY-INPUT - [0:0]
:SLIPWAY-FORWARD - [0:0]
-A SLIPWAY-INPUT -i $BRIDGE -j ACCEPT
-A SLIPWAY-INPUT ! -i lo -p tcp --dport $API_PORT -j DROP
-A SLIPWAY-FORWARD -i $BRIDGE -j ACCEPT
-A SLIPWAY-FORWARD -o $BRIDGE -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-I INPUT -j SLIPWAY-INPUT
-I FORWARD -j SLIPWAY-FORWARD
COMMIT
*nat
:SLIPWAY-POSTROUTING - [0:0]
-A SLIPWAY-POSTROUTING -s $POD_NET ! -d $POD_NET -j MASQUERADE
-I POSTROUTING -j SLIPWAY-POSTROUTING
COMMIT
END
    cgroup_mounts | while read -r mount; do mkdir -p "$mount/$NODE_CGROUP"; done
}

# host_restore: takes away what host_prepare, kube-proxy and the network plugins made. Safe at any
# time when no process of the node runs.
host_restore() {
    ip link delete "$BRIDGE" 2>/dev/null || true
    rules_remove iptables
    rules_remove ip6tables
    if [[ -f $K8S/sysctl ]]; then
        sysctl -q -p "$K8S/sysctl" || true
        rm -f "$K8S/sysctl"
    fi
    cgroup_mounts | while read -r mount; do
        if [[ -d $mount/$NODE_CGROUP ]]; then
            find "$mount/$NODE_CGROUP" -depth -type d -exec rmdir {} + || true
        fi
    done
    # Plugins' results and the kubelet's links to logs stand at fixed places. A result is known by the
    # network namespace in it.
    grep -lsF -- "$K8S/run/" /var/lib/cni/results/* | xargs -r rm -f || true
    if [[ -d /var/log/containers ]]; then
        find /var/log/containers -maxdepth 1 -type l -lname "$K8S/*" -delete
        rmdir /var/log/containers 2>/dev/null || true
    fi
}

# rules_remove iptables|ip6tables: removes the chains of kube-proxy and of host_prepare, and those
# that the portmap plugin made for the network "slipway", with all rules that lead to them. The
# plugin's common chains go when no other network has a port in them.
rules_remove() {
    local script
    script=$("$1-save" 2>/dev/null | awk '
        function word_after(text, option) {
            if (!match(text, " " option " [^ ]+")) return ""
            return substr(text, RSTART + 4, RLENGTH - 4)
        }
        /^\*/ { table = $0; count[table] = 0 }
        /^:(KUBE|SLIPWAY)-/ { ours[table, substr($1, 2)] = 1 }
        /^:CNI-HOSTPORT-/ { common[table, substr($1, 2)] = 1 }
        /^-A / {
            rule[table, ++count[table]] = $0
            target = word_after($0, "-j")
            if (/--comment "dnat name: \\"slipway\\" /)
                ours[table, target] = 1
            else if ($2 == "CNI-HOSTPORT-DNAT")
                shared = 1
        }
        END {
            if (!shared) for (key in common) ours[key] = 1
            for (table in count) {
                body = remove = ""
                for (n = 1; n <= count[table]; n++) {
                    text = rule[table, n]
                    split(text, word, " ")
                    if ((table, word_after(text, "-[jg]")) in ours && !((table, word[2]) in ours))
                        body = body "-D" substr(text, 3) "\n"
                }
                # Empty all of them first: they point at each other.
                for (key in ours) {
                    split(key, part, SUBSEP)
                    if (part[1] != table) continue
                    body = body "-F " part[2] "\n"
                    remove = remove "-X " part[2] "\n"
                }
                if (body != "") printf "%s\n%s%sCOMMIT\n", table, body, remove
            }
        }')
    if [[ -n $script ]]; then
        "$1-restore" --noflush <<<"$script" || warn "$1: rules of the node may be left"
    fi
}

# cgroup_mounts: prints where the hierarchies are mounted, of version 1 and 2.
cgroup_mounts() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# node_processes: prints the processes in the node's cgroup.
node_processes() {
    local mount
    for mount in $(cgroup_mounts); do
        find "$mount/$NODE_CGROUP" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done | sort -un
}

# node_mounts: prints the mount points below the state folder, the deepest first.
node_mounts() {
    awk -v top="$K8S/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}
