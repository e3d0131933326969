# The run image: what an app's container is made on. Another user than the build image's, so that an
# app can't change what its build made (buildpacks spec, platform.md).
ARG base
FROM $base
RUN groupadd --gid 1001 app && useradd --uid 1001 --gid 1001 --create-home --shell /bin/bash app
# An imported root filesystem has no environment: without PATH the launcher finds no bash.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
LABEL io.buildpacks.base.id=slipway.stack \
      io.buildpacks.base.distro.name=debian \
      io.buildpacks.base.distro.version=12 \
      io.buildpacks.rebasable=true
USER 1001:1001
