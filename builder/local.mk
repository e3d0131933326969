# builder/: from a queued push to an image in the build registry. May use sql, base, libgit2.
noinst_LIBRARIES += builder/libbuilder.a
builder_libbuilder_a_CFLAGS = $(AM_CFLAGS) $(GIT2_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS) \
    $(SQLITE_CFLAGS)
builder_libbuilder_a_SOURCES = \
    builder/builder.h \
    builder/cache.c builder/cache.h \
    builder/caps.c builder/caps.h \
    builder/dispatcher.c \
    builder/docker.c builder/docker.h \
    builder/errand.c \
    builder/image.c builder/image.h \
    builder/misplaced.c builder/misplaced.h \
    builder/output.c builder/output.h \
    builder/pack.c builder/pack.h \
    builder/prepare.c \
    builder/procfile.c builder/procfile.h \
    builder/progress.c builder/progress.h \
    builder/project.c builder/project.h \
    builder/publish.c \
    builder/run.c \
    builder/tree.c builder/tree.h \
    builder/storage.c builder/storage.h \
    builder/volume.c builder/volume.h \
    builder/work.h \
    builder/worker.c
