# What the tests are and how their programs are built. A unit test is tests/unit/test_NAME.c (Check, the functional
# core alone); a hook test is a program under tests/hooks; an end-to-end test is a script in tests/e2e, one that
# needs a daemon's package in tests/daemons (each a daemon, after tests/lib/daemon.sh). Programs the scripts drive are tests/tools/NAME.c, linked to libssl.

TEST_CPPFLAGS := -Itests/lib
CHECK_LIBS = $(shell pkg-config --libs check)
CHECK_CFLAGS = $(shell pkg-config --cflags check)

UNIT_TESTS := $(patsubst tests/unit/test_%.c,$(BUILD)/tests/unit/test_%,$(wildcard tests/unit/test_*.c))
HOOK_TESTS := $(wildcard tests/hooks/*.sh)
E2E_TESTS := $(wildcard tests/e2e/*.sh)
DAEMON_TESTS := $(wildcard tests/daemons/*.sh)
SOAK_TESTS := $(wildcard tests/soak/*.sh)
LIBSSL_TESTS := $(wildcard tests/libssl/*.sh)
TEST_TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/tools/%,$(wildcard tests/tools/*.c))

TEST_PLUGIN := $(BUILD)/tests/tools/tlsserver.so

tests-build: $(UNIT_TESTS) $(TEST_TOOLS) $(TEST_PLUGIN)

$(BUILD)/tests/unit/%: tests/unit/%.c $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_CPPFLAGS) $(CHECK_CFLAGS) $(filter-out -fvisibility=hidden -Wmissing-prototypes,$(CFLAGS)) -MMD -MP -o $@ $< $(CORE) $(LDFLAGS) $(CHECK_LIBS)

# The tools are the unmodified programs of the tests: never sanitized with us, never linked to us.
$(BUILD)/tests/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_CPPFLAGS) -std=c11 -O2 -g -Wall -Wextra -MMD -MP -o $@ $< $(LDFLAGS) -lssl -lcrypto -lpthread -ldl

# The same server as a plug-in, and hosts that are not linked to libssl.
$(TEST_PLUGIN): tests/tools/tlsserver.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_CPPFLAGS) -std=c11 -O2 -g -Wall -Wextra -DTLSSERVER_PLUGIN -fPIC -fvisibility=hidden -shared -MMD -MP -MF $@.d -o $@ $< $(LDFLAGS) -lssl -lcrypto -lpthread

$(BUILD)/tests/tools/plughost $(BUILD)/tests/tools/facehost $(BUILD)/tests/tools/lookups: $(BUILD)/tests/tools/%: tests/tools/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_CPPFLAGS) -std=c11 -O2 -g -Wall -Wextra -MMD -MP -o $@ $< $(LDFLAGS) -ldl

-include $(UNIT_TESTS:=.d) $(TEST_TOOLS:=.d) $(TEST_PLUGIN).d
