# What the scripts of this folder share: names, folders, and the small tools. The rest stands in
# config.sh (certificates and configuration), host.sh (what is changed on the machine) and
# clean.sh (the way back).
# shellcheck shell=bash

K8S_SOURCE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
. "$K8S_SOURCE/../lib.sh"

export PATH=$PATH:/usr/sbin:/sbin

KUBERNETES_VERSION=$(module_version "$K8S_SOURCE/go.mod" k8s.io/kubernetes)
KUBERNETES_BIN=$SLIPWAY_CACHE/kubernetes-$KUBERNETES_VERSION
COREDNS_VERSION=$(module_version "$K8S_SOURCE/coredns/go.mod" github.com/coredns/coredns)
COREDNS=$SLIPWAY_CACHE/coredns-$COREDNS_VERSION/coredns
PAUSE_IMAGE=slipway.invalid/pause:1
PAUSE_ARCHIVE=$SLIPWAY_CACHE/pause-$(recipe_hash "$K8S_SOURCE/pause.c").tar

# The state of the node. Sockets live in it, and a Unix socket's path has at most 107 bytes: the
# longest one here is "/kubelet/device-plugins/kubelet.sock".
K8S=$SLIPWAY_DEV/stack/kubernetes
K8S_MAX_PATH=70

NODE_NAME=slipway
BRIDGE=slipway0
# The bridge's address is the node's: it stays the same when the machine changes its network.
NODE_IP=10.244.0.1
POD_NET=10.244.0.0/16
SERVICE_NET=10.96.0.0/16
API_PORT=6443
ETCD_PORT=23790
ETCD_PEER_PORT=23800
DNS_READY_PORT=10268
# The other ports are the programs' own defaults.
KUBELET_PORT=10250
NODE_PORTS=("$API_PORT" "$ETCD_PORT" "$ETCD_PEER_PORT" "$KUBELET_PORT" 10248 10249 10256 10257 10259)

# Below this cgroup, in every hierarchy, is all that the node's containers run.
NODE_CGROUP=slipway-kubernetes

CONTAINERD_SOCKET=$K8S/run/containerd.sock
ADMIN_KUBECONFIG=$SLIPWAY_DEV/kubeconfig
DEPLOYER_KUBECONFIG=$SLIPWAY_DEV/deployer.kubeconfig

# The programs that run, in the order of their start.
PROGRAMS=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy
    coredns)

# kubectl_is_new PATH: is it at least 1.31? "kubectl wait --for=create" is not in older ones.
kubectl_is_new() {
    local minor
    [[ -x $1 ]] || return 1
    minor=$("$1" version --client -o json | jq -r '.clientVersion.minor') || return 1
    [[ ${minor%%[^0-9]*} -ge 31 ]]
}

# kubectl_path: prints the kubectl to use: the built one where there is one, else the machine's.
kubectl_path() {
    if [[ -x $KUBERNETES_BIN/kubectl ]]; then
        echo "$KUBERNETES_BIN/kubectl"
    else
        command -v kubectl
    fi
}

# admin ARGUMENT...: kubectl as the cluster's administrator.
admin() { "$(kubectl_path)" --kubeconfig "$ADMIN_KUBECONFIG" "$@"; }

# node_ctr ARGUMENT...: containerd's own client, in the namespace that the kubelet uses.
node_ctr() { ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }

pid_file() { echo "$K8S/run/$1.pid"; }
log_file() { echo "$K8S/log/$1.log"; }

# image_make NAME SOURCE.c OUTPUT.tar: compiles SOURCE.c statically and writes an image of it alone,
# in the form of "docker save". OUTPUT appears whole or not at all.
image_make() {
    local name=$1 source=$2 output=$3 folder program config layer
    folder=$(mktemp -d) || return 1
    program=$(basename "$source" .c)
    mkdir -p "$(dirname "$output")" "$folder/root" &&
        gcc -static -Os -s -o "$folder/root/$program" "$source" -lresolv &&
        tar -C "$folder/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
            -cf "$folder/layer.tar" "$program" &&
        layer=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1) &&
        jq -n --arg arch "$(dpkg --print-architecture)" --arg layer "sha256:$layer" \
            --arg program "/$program" \
            '{architecture: $arch, os: "linux", config: {Entrypoint: [$program], User: "65534:65534"},
              rootfs: {type: "layers", diff_ids: [$layer]}}' >"$folder/config.json" &&
        config=$(sha256sum "$folder/config.json" | cut -d' ' -f1).json &&
        mv "$folder/config.json" "$folder/$config" &&
        jq -n --arg name "$name" --arg config "$config" \
            '[{Config: $config, RepoTags: [$name], Layers: ["layer.tar"]}]' >"$folder/manifest.json" &&
        tar -C "$folder" -cf "$output.part" "$config" layer.tar manifest.json &&
        mv "$output.part" "$output" ||
        { rm -rf "$folder" && return 1; }
    rm -rf "$folder"
}

# image_import NAME ARCHIVE: gives the node an image, unless it has one of that name.
image_import() {
    if [[ -z $(node_ctr images list --quiet "name==$1") ]]; then
        node_ctr images import --snapshotter overlayfs "$2"
    fi
}

# node_lock: one "up" or "down" of the node at a time; held until the script ends.
node_lock() {
    ((${#K8S} <= K8S_MAX_PATH)) ||
        die "the path $K8S is too long for the sockets in it: set SLIPWAY_DEV to a shorter one"
    mkdir -p "$K8S/run" "$K8S/log"
    chmod 700 "$K8S"
    exec {NODE_LOCK}>"$K8S/lock"
    flock "$NODE_LOCK"
}

# api_ready: does the API server answer that all of it is ready?
api_ready() {
    url_ok "https://127.0.0.1:$API_PORT/readyz" --cacert "$K8S/pki/ca.pem" \
        --cert "$K8S/pki/admin.pem" --key "$K8S/pki/admin-key.pem"
}
