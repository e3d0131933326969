# gateway/: what faces the network. May use sql, base, libssh, libgit2, libyaml (config:export),
# libarchive (git:from-archive, git:load-image).
noinst_LIBRARIES += gateway/libgateway.a
gateway_libgateway_a_CFLAGS = $(AM_CFLAGS) $(SSH_CFLAGS) $(GIT2_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) \
    $(YAML_CFLAGS) $(ARCHIVE_CFLAGS) $(CRYPTO_CFLAGS)
gateway_libgateway_a_SOURCES = \
    gateway/admission.c gateway/admission.h \
    gateway/app_document.c gateway/app_document.h gateway/app_document_seal.c gateway/app_document_seal.h \
    gateway/apply.c gateway/apply.h \
    gateway/archive.c gateway/archive.h \
    gateway/archive_import.c gateway/archive_import.h \
    gateway/archive_load.c gateway/archive_load.h \
    gateway/archive_path.c gateway/archive_path.h \
    gateway/auth.c gateway/auth.h \
    gateway/channel_io.c \
    gateway/cidr.c gateway/cidr.h \
    gateway/command.h \
    gateway/connection.c gateway/connection.h \
    gateway/deploy.c gateway/deploy.h gateway/deploy_env.c \
    gateway/errand.c gateway/errand.h \
    gateway/follow.c gateway/follow.h \
    gateway/gateway.h \
    gateway/gitprog.c gateway/gitprog.h \
    gateway/handoff.c gateway/handoff.h \
    gateway/handshake.c \
    gateway/image_archive.c gateway/image_archive.h \
    gateway/image_load.c gateway/image_load.h \
    gateway/image_manifest.c gateway/image_manifest.h \
    gateway/indexpack.c \
    gateway/listener.c gateway/listener_sessions.c gateway/listener_waiting.c gateway/listener.h \
    gateway/live.h \
    gateway/pktline.c gateway/pktline.h \
    gateway/plan.c gateway/plan.h gateway/plan_diff.c gateway/plan_diff.h \
    gateway/policy.c gateway/policy.h \
    gateway/push.c gateway/push.h \
    gateway/quarantine.c gateway/quarantine.h \
    gateway/reader.c gateway/reader.h \
    gateway/cmd_cron.c \
    gateway/receive.c gateway/receive.h \
    gateway/receive_check.c \
    gateway/receive_finish.c gateway/receive_plan.c \
    gateway/refs.c gateway/refs.h \
    gateway/refusal.c gateway/refusal.h \
    gateway/repack.c \
    gateway/request.c gateway/request.h \
    gateway/session.c gateway/session.h \
    gateway/stopping.c gateway/stopping.h \
    gateway/sideband.c gateway/sideband.h \
    gateway/upload.c

# Commands.
gateway_libgateway_a_SOURCES += \
    gateway/args.c gateway/args.h \
    gateway/attach.c gateway/attach.h \
    gateway/cmd.h \
    gateway/cmd_access.c \
    gateway/cmd_apps.c \
    gateway/cmd_apply.c \
    gateway/cmd_audit.c \
    gateway/cmd_builds.c \
    gateway/cmd_clone.c \
    gateway/cmd_completion.c \
    gateway/cmd_config.c gateway/cmd_config.h \
    gateway/cmd_config_text.c \
    gateway/cmd_export.c \
    gateway/cmd_git.c \
    gateway/cmd_help.c \
    gateway/habits.c gateway/habits.h \
    gateway/cmd_keys.c \
    gateway/cmd_logs.c gateway/cmd_logs.h gateway/cmd_logs_output.c \
    gateway/certificate.c gateway/certificate.h \
    gateway/cmd_certs.c gateway/cmd_certs_auto.c \
    gateway/cmd_domains.c \
    gateway/cmd_maintenance.c \
    gateway/cmd_move.c \
    gateway/cmd_plan.c \
    gateway/cmd_ps.c gateway/cmd_ps.h \
    gateway/cmd_ps_stop.c \
    gateway/cmd_releases.c \
    gateway/cmd_releases_diff.c \
    gateway/cmd_releases_failed.c \
    gateway/cmd_releases_info.c \
    gateway/cmd_rename.c \
    gateway/cmd_repo.c \
    gateway/cmd_run.c \
    gateway/cmd_secrets.c \
    gateway/cmd_set.c \
    gateway/cmd_storage.c \
    gateway/cmd_teams.c \
    gateway/cmd_users.c \
    gateway/code_range.c gateway/code_range.h \
    gateway/command.c \
    gateway/commands.c \
    gateway/dotenv.c gateway/dotenv.h \
    gateway/dotenv_write.c \
    gateway/io.c \
    gateway/live.c \
    gateway/manifest_diff.c gateway/manifest_diff.h \
    gateway/show.c \
    gateway/split.c
