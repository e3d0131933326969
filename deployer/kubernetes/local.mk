# deployer/kubernetes/: the target "kubernetes", part of the deployer's library.
deployer_libdeployer_a_SOURCES += \
    deployer/kubernetes/apply.c \
    deployer/kubernetes/channels.c deployer/kubernetes/channels.h \
    deployer/kubernetes/check.c \
    deployer/kubernetes/cluster.h \
    deployer/kubernetes/credential.c deployer/kubernetes/credential.h \
    deployer/kubernetes/dry_run.c \
    deployer/kubernetes/exec.c \
    deployer/kubernetes/gate.c deployer/kubernetes/gate.h \
    deployer/kubernetes/instances.c deployer/kubernetes/instances.h \
    deployer/kubernetes/job.c \
    deployer/kubernetes/kind.c \
    deployer/kubernetes/kube.c deployer/kubernetes/kube.h \
    deployer/kubernetes/kubeconfig.c deployer/kubernetes/kubeconfig.h \
    deployer/kubernetes/kubernetes.c \
    deployer/kubernetes/list.c \
    deployer/kubernetes/logs.c \
    deployer/kubernetes/manifest.c deployer/kubernetes/manifest_checks.c deployer/kubernetes/manifest.h \
    deployer/kubernetes/pod.c deployer/kubernetes/pod.h \
    deployer/kubernetes/prune.c \
    deployer/kubernetes/remote.c deployer/kubernetes/remote.h \
    deployer/kubernetes/restart.c \
    deployer/kubernetes/rollout.c deployer/kubernetes/rollout.h \
    deployer/kubernetes/run.c deployer/kubernetes/runs.c deployer/kubernetes/runs.h \
    deployer/kubernetes/shown.c deployer/kubernetes/shown.h \
    deployer/kubernetes/status.c \
    deployer/kubernetes/wait.c \
    deployer/kubernetes/watch.c deployer/kubernetes/watch.h \
    deployer/kubernetes/websocket.c deployer/kubernetes/websocket.h \
    deployer/kubernetes/websocket_head.c deployer/kubernetes/websocket_head.h
