# Unit tests and fuzz mains of deployer/.

# Registries
check_PROGRAMS += tests/unit/publish_tool
TESTS += tests/unit/test_publish.sh
EXTRA_DIST += tests/unit/test_publish.sh tests/unit/publish.py tests/fakes/registry_proxy.py
tests_unit_publish_tool_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_publish_tool_LDADD = deployer/libdeployer.a base/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) \
    $(SODIUM_LIBS) $(INIH_LIBS)
