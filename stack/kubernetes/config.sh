# Certificates and configuration files of the node.
# shellcheck shell=bash

# Ten years: the cluster's state is thrown away long before.
CERTIFICATE_DAYS=3650

# pki_make: makes the cluster's CA, its certificates and the key of the service accounts' tokens,
# unless they are there. The folder appears whole or not at all.
pki_make() {
    local part=$K8S/pki.part
    if [[ -d $K8S/pki ]]; then return 0; fi
    # Without its keys, the old cluster's data can't be used.
    rm -rf "$part" "$K8S/etcd" "$K8S/applied"
    (
        umask 077
        mkdir -p "$part"
        cd "$part"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -days "$CERTIFICATE_DAYS" -subj "/CN=slipway-kubernetes" \
            -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca-key.pem -out ca.pem
        certificate_make etcd /CN=etcd "IP:127.0.0.1"
        certificate_make kube-apiserver /CN=kube-apiserver "$(api_names)"
        certificate_make kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "IP:$NODE_IP,DNS:$NODE_NAME"
        certificate_make admin /O=system:masters/CN=slipway-admin
        certificate_make kube-controller-manager /CN=system:kube-controller-manager
        certificate_make kube-scheduler /CN=system:kube-scheduler
        certificate_make kube-proxy /CN=system:kube-proxy
        certificate_make coredns /CN=system:coredns
        openssl ecparam -name prime256v1 -genkey -noout -out service-accounts.pem
    ) >"$K8S/log/pki.log" 2>&1 || die "making the certificates failed; see $K8S/log/pki.log"
    mv "$part" "$K8S/pki"
}

# The names by which clients reach the API server: from the host, and from pods.
api_names() {
    local names=DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:${SERVICE_NET%.*}.1
    echo "$names,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"\
"DNS:kubernetes.default.svc.cluster.local"
}

# certificate_make NAME SUBJECT [NAMES]: NAME.pem and NAME-key.pem in the current folder, signed by
# the CA there; a client's certificate, with NAMES a server's too.
certificate_make() {
    local usage=clientAuth
    if [[ -n ${3-} ]]; then usage=clientAuth,serverAuth; fi
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$1-key.pem" -out request.pem
    {
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=$usage"
        if [[ -n ${3-} ]]; then echo "subjectAltName=$3"; fi
    } >extensions
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
        -days "$CERTIFICATE_DAYS" -extfile extensions -out "$1.pem"
    rm request.pem extensions
}

# kubeconfig_write FILE USER-LINE...: a kubeconfig for the API server with the CA in it. USER-LINEs
# say who; the file appears whole and for its owner only.
kubeconfig_write() {
    local file=$1 line
    shift
    (
        umask 077
        cat <<END
apiVersion: v1
kind: Config
clusters:
- name: slipway
  cluster:
    server: https://127.0.0.1:$API_PORT
    certificate-authority-data: $(base64 -w0 "$K8S/pki/ca.pem")
users:
- name: slipway
  user:
END
        for line; do echo "    $line"; done
        cat <<END
contexts:
- name: slipway
  context:
    cluster: slipway
    user: slipway
current-context: slipway
END
    ) >"$file.part"
    mv "$file.part" "$file"
}

# certificate_kubeconfig FILE NAME: for the holder of certificate NAME, with all in it.
certificate_kubeconfig() {
    kubeconfig_write "$1" "client-certificate-data: $(base64 -w0 "$K8S/pki/$2.pem")" \
        "client-key-data: $(base64 -w0 "$K8S/pki/$2-key.pem")"
}

# config_write: writes the configuration of every program.
config_write() {
    local name
    mkdir -p "$K8S/conf/cni" "$K8S/certs.d"
    for name in kube-controller-manager kube-scheduler kubelet kube-proxy coredns; do
        certificate_kubeconfig "$K8S/conf/$name.kubeconfig" "$name"
    done
    containerd_config >"$K8S/conf/containerd.toml"
    network_config >"$K8S/conf/cni/10-slipway.conflist"
    kubelet_config >"$K8S/conf/kubelet.yaml"
    scheduler_config >"$K8S/conf/kube-scheduler.yaml"
    proxy_config >"$K8S/conf/kube-proxy.yaml"
    dns_config >"$K8S/conf/Corefile"
}

# restrict_oom_score_adj: without CAP_SYS_RESOURCE nobody may lower it, and runc fails when it tries.
containerd_config() {
    cat <<END
version = 2
root = "$K8S/containerd"
state = "$K8S/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.internal.v1.opt"]
  path = "$K8S/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "$K8S/run/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$K8S/conf/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$K8S/certs.d"
END
}

# Traffic that leaves the pods' network is masqueraded by one rule of host_prepare (ipMasq off): two
# fewer calls of iptables a pod.
network_config() {
    cat <<END
{
  "cniVersion": "1.0.0",
  "name": "slipway",
  "plugins": [
    {
      "type": "bridge", "bridge": "$BRIDGE", "isDefaultGateway": true, "hairpinMode": true,
      "ipMasq": false, "mtu": 1400,
      "ipam": {
        "type": "host-local", "dataDir": "$K8S/run/addresses",
        "ranges": [[{"subnet": "$POD_NET", "gateway": "$NODE_IP"}]]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
END
}

# Limits on requests and pulls are off: here they only add waiting. No eviction and no collection of
# images by how full the disk is: this is a developer's machine, and its disk isn't the node's.
kubelet_config() {
    cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $K8S/pki/ca.pem}
authorization: {mode: Webhook}
tlsCertFile: $K8S/pki/kubelet.pem
tlsPrivateKeyFile: $K8S/pki/kubelet-key.pem
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /$NODE_CGROUP
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
oomScoreAdj: 0
makeIPTablesUtilChains: false
clusterDomain: cluster.local
clusterDNS: [$NODE_IP]
podLogsDir: $K8S/kubelet/pod-logs
volumePluginDir: $K8S/kubelet/plugins-exec
maxPods: 250
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 500
kubeAPIBurst: 1000
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%",
  imagefs.available: "0%", imagefs.inodesFree: "0%"}
END
}

scheduler_config() {
    cat <<END
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: $K8S/conf/kube-scheduler.kubeconfig, qps: 500, burst: 1000}
END
}

# Node ports answer on this machine only. The zeros leave the limits of connection tracking alone.
proxy_config() {
    cat <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: $NODE_NAME
clientConnection: {kubeconfig: $K8S/conf/kube-proxy.kubeconfig}
clusterCIDR: $POD_NET
detectLocalMode: ClusterCIDR
nodePortAddresses: [127.0.0.0/8, $NODE_IP/32]
iptables: {localhostNodePorts: true, minSyncPeriod: 0s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
}

# The server runs on the host: it asks whom the host asks, also where that is a resolver on 127.0.0.x.
# Names of the cluster are answered from memory, so nothing is kept of them.
dns_config() {
    cat <<END
cluster.local:53 $POD_NET:53 $SERVICE_NET:53 {
    bind $NODE_IP
    ready $NODE_IP:$DNS_READY_PORT
    errors
    kubernetes cluster.local $POD_NET $SERVICE_NET {
        kubeconfig $K8S/conf/coredns.kubeconfig
        pods insecure
    }
}
END
    if grep -q '^nameserver' /etc/resolv.conf 2>/dev/null; then
        cat <<END
.:53 {
    bind $NODE_IP
    errors
    cache 30
    forward . /etc/resolv.conf
}
END
    fi
}
