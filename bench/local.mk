# What only ./dev bench runs.
EXTRA_DIST += bench/NOTES.md bench/byhand.py bench/docker bench/kubernetes bench/measure.py
noinst_PROGRAMS += bench/tree
bench_tree_CFLAGS = $(AM_CFLAGS) $(GIT2_CFLAGS)
bench_tree_LDADD = builder/libbuilder.a sql/libsql.a base/libbase.a $(LIBS_ALL)
