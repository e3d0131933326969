noinst_LIBRARIES += sql/libsql.a
sql_libsql_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(SODIUM_CFLAGS) $(JANSSON_CFLAGS)
sql_libsql_a_SOURCES = \
    sql/access.c \
    sql/app_json.c sql/app_json_checks.c sql/app_json_kept.c sql/app_json_line.c \
    sql/app_json.h sql/app_json_read.h \
    sql/apps.c \
    sql/audit.c \
    sql/builds.c \
    sql/certificates.c \
    sql/clone.c \
    sql/config.c \
    sql/cron.c \
    sql/domains.c \
    sql/errands.c \
    sql/formation.c \
    sql/images.c \
    sql/image_label.c sql/image_label.h \
    sql/inventory.c \
    sql/key.c \
    sql/keys.c \
    sql/lease.c \
    sql/leased.c sql/leased.h \
    sql/migrate.c sql/migrate.h \
    sql/model.c sql/model.h \
    sql/names.c sql/names.h \
    sql/releases.c \
    sql/releases_lease.c \
    sql/rotation.c \
    sql/seal.c sql/seal.h sql/seal_keys.c sql/seal_keys.h \
    sql/states.c \
    sql/store.c sql/store.h \
    sql/tables.h \
    sql/targets.c \
    sql/teams.c \
    sql/users.c
nodist_sql_libsql_a_SOURCES = sql/migrations.c

MIGRATIONS = $(srcdir)/sql/001_start.sql $(srcdir)/sql/002_deploy_keys.sql \
    $(srcdir)/sql/003_app_json.sql $(srcdir)/sql/004_cron.sql $(srcdir)/sql/005_app_target.sql \
    $(srcdir)/sql/006_image_release.sql $(srcdir)/sql/007_plan.sql $(srcdir)/sql/008_app_rename.sql \
    $(srcdir)/sql/009_config_copies.sql $(srcdir)/sql/010_rotations.sql $(srcdir)/sql/011_release_down.sql \
    $(srcdir)/sql/012_maintenance.sql $(srcdir)/sql/013_teams.sql \
    $(srcdir)/sql/014_image_gone.sql $(srcdir)/sql/015_domains.sql \
    $(srcdir)/sql/016_errands.sql \
    $(srcdir)/sql/017_certificates.sql \
    $(srcdir)/sql/018_image_file.sql
EXTRA_DIST += sql/001_start.sql sql/002_deploy_keys.sql sql/003_app_json.sql sql/004_cron.sql sql/005_app_target.sql \
    sql/006_image_release.sql sql/007_plan.sql sql/008_app_rename.sql sql/009_config_copies.sql \
    sql/010_rotations.sql sql/011_release_down.sql sql/012_maintenance.sql sql/013_teams.sql \
    sql/014_image_gone.sql sql/015_domains.sql sql/016_errands.sql sql/017_certificates.sql \
    sql/018_image_file.sql sql/embed.awk
CLEANFILES += sql/migrations.c
sql/migrations.c: $(MIGRATIONS) $(srcdir)/sql/embed.awk
	$(AM_V_GEN)$(MKDIR_P) sql && $(AWK) -f $(srcdir)/sql/embed.awk $(MIGRATIONS) > $@.tmp && mv $@.tmp $@
