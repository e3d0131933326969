# The build image: where buildpacks run.
ARG base
FROM $base
RUN groupadd --gid 1000 cnb && useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash cnb
COPY pip.conf /etc/pip.conf
COPY npmrc /usr/local/etc/npmrc
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    CNB_USER_ID=1000 CNB_GROUP_ID=1000
LABEL io.buildpacks.base.id=slipway.stack \
      io.buildpacks.base.distro.name=debian \
      io.buildpacks.base.distro.version=12
USER 1000:1000
