# Man pages, and a configuration to begin with. slipway.conf(5) and the latter are made from the table of settings,
# which the program prints; with --config /dev/null these are the defaults.
dist_man_MANS += docs/slipway.1
nodist_man_MANS = docs/slipway.conf.5
EXTRA_DIST += docs/slipway.conf.5.in docs/people.md docs/backup.md docs/promises.md
CLEANFILES += docs/slipway.conf.5 docs/settings.man
docs/slipway.conf.5: $(srcdir)/docs/slipway.conf.5.in slipway$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs && ./slipway$(EXEEXT) config --man > docs/settings.man && \
	    sed -e '/^@SETTINGS@$$/{r docs/settings.man' -e 'd;}' $(srcdir)/docs/slipway.conf.5.in > $@.tmp && mv $@.tmp $@

exampledir = $(docdir)/examples
nodist_example_DATA = docs/slipway.conf
CLEANFILES += docs/slipway.conf
docs/slipway.conf: slipway$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs && ./slipway$(EXEEXT) config --config /dev/null > $@.tmp && mv $@.tmp $@
