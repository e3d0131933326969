# deployer/docker/: the target "docker", part of the deployer's library.
deployer_libdeployer_a_SOURCES += \
    deployer/docker/app.c deployer/docker/docker.h \
    deployer/docker/attach.c deployer/docker/attach.h deployer/docker/hijack.c \
    deployer/docker/boot.c deployer/docker/boot.h \
    deployer/docker/caddy.c \
    deployer/docker/certificates.c deployer/docker/certificates.h \
    deployer/docker/check.c \
    deployer/docker/container.c deployer/docker/container.h deployer/docker/status.c \
    deployer/docker/demux.c deployer/docker/demux.h \
    deployer/docker/deploy.c \
    deployer/docker/difference.c deployer/docker/shown.c deployer/docker/shown.h \
    deployer/docker/engine.c deployer/docker/engine.h \
    deployer/docker/exec.c \
    deployer/docker/image.c \
    deployer/docker/job.c \
    deployer/docker/list.c \
    deployer/docker/logs.c \
    deployer/docker/cron.c deployer/docker/cron.h \
    deployer/docker/probe.c deployer/docker/probe.h \
    deployer/docker/plan.c deployer/docker/plan.h \
    deployer/docker/quantity.c deployer/docker/quantity.h \
    deployer/docker/reconcile.c deployer/docker/reconcile.h \
    deployer/docker/requests.c deployer/docker/requests.h \
    deployer/docker/retire.c deployer/docker/retirees.c \
    deployer/docker/router.c deployer/docker/router.h deployer/docker/router_config.c \
    deployer/docker/run.c deployer/docker/runs.c deployer/docker/runs.h \
    deployer/docker/subnet.c deployer/docker/subnet.h \
    deployer/docker/target_docker.c \
    deployer/docker/wait.c
