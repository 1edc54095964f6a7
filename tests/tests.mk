# The tests and how their programs are built. A unit test is tests/unit/test_NAME.c: it uses Check and tests shim/core alone. A script
# in tests/hooks, tests/e2e, tests/libssl, tests/daemons or tests/soak is a test. The programs that scripts run are tests/tools/NAME.c.

TEST_CPPFLAGS := -Itests/lib
CHECK_LIBS = $(shell pkg-config --libs check)
CHECK_CFLAGS = $(shell pkg-config --cflags check)

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(call sources,tests/unit,c))
HOOK_TESTS := $(call sources,tests/hooks,sh)
E2E_TESTS := $(call sources,tests/e2e,sh)
DAEMON_TESTS := $(call sources,tests/daemons,sh)
SOAK_TESTS := $(call sources,tests/soak,sh)
LIBSSL_TESTS := $(call sources,tests/libssl,sh)
TEST_TOOLS := $(patsubst %.c,$(BUILD)/%,$(call sources,tests/tools,c))

TEST_PLUGIN := $(BUILD)/tests/tools/tlsserver.so

tests-build: $(UNIT_TESTS) $(TEST_TOOLS) $(TEST_PLUGIN)

# The macros of Check make functions without prototypes.
UNIT_CFLAGS = $(filter-out -fvisibility=hidden -Wmissing-prototypes,$(RG_CFLAGS))

$(BUILD)/tests/unit/%: tests/unit/%.c $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(RG_CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS) $(UNIT_CFLAGS) -MMD -MP -o $@ $< $(CORE) $(LDFLAGS) $(CHECK_LIBS)

# The tools stand for other people's programs, so they are neither sanitized nor hardened with the shim. The hosts of plug-ins are not
# linked to libssl.
TOOL_CC = $(CC) $(filter-out $(FORTIFY),$(RG_CPPFLAGS)) $(TEST_CPPFLAGS) -std=c11 -O2 -g -Wall -Wextra -MMD -MP
TOOL_LIBS := -lssl -lcrypto -lpthread -ldl
$(addprefix $(BUILD)/tests/tools/,plughost facehost lookups): TOOL_LIBS := -ldl

$(BUILD)/tests/tools/%: tests/tools/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(TOOL_CC) -o $@ $< $(LDFLAGS) $(TOOL_LIBS)

# These two also run on other versions of libssl.
ODD_TOOLS := $(addprefix $(BUILD)/tests/tools/,oddcalls oddpairs)
$(ODD_TOOLS): tests/lib/versions.c
$(ODD_TOOLS): TOOL_LIBS := tests/lib/versions.c $(TOOL_LIBS)

# The same server as a plug-in.
$(TEST_PLUGIN): tests/tools/tlsserver.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$< (plug-in))$(TOOL_CC) -DTLSSERVER_PLUGIN -fPIC -fvisibility=hidden -shared -MF $@.d -o $@ $< $(LDFLAGS) $(TOOL_LIBS)

-include $(UNIT_TESTS:=.d) $(TEST_TOOLS:=.d) $(TEST_PLUGIN).d
