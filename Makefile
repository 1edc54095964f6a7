# Reneguard. `make help` lists the targets; every variable below may be set on the command line.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
SANITIZE ?=
comma := ,

# A sanitized build lives beside the ordinary one, so that neither is mistaken for the other.
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
VERSION := 0.1.0

# -Wno-psabi: a note of gcc's for 32-bit x86; the layout it is about is asserted (shim/core/ledger/layout.h).
WARNINGS := -Wno-psabi -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
SANFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
override CPPFLAGS += -Iinclude -Ishim -D_GNU_SOURCE -DRG_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -fvisibility=hidden -fno-strict-aliasing $(WARNINGS) $(if $(CI),-Werror) $(SANFLAGS)

CORE := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/core/*.c shim/core/ledger/*.c))
SHELL_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(addsuffix /*.c,shim/os shim/libssl shim/guard shim/hooks)))
STUBS := $(BUILD)/shim/hooks/dlsym_stubs.o
CTL := $(patsubst %.c,$(BUILD)/%.o,$(wildcard shim/ctl/*.c))
SHIM := $(BUILD)/libreneguard.so

# One library, and one inspector, for new and old systems (shim/os/glibc_floor.h): libdl stays needed, since dlsym is in it
# before glibc 2.34. Another libc is linked as it likes.
IS_GLIBC := $(shell printf '\043include <features.h>\n' | $(CC) -E -dM - 2>/dev/null | grep -w __GLIBC__)
LIBDL := $(if $(IS_GLIBC),-Wl$(comma)--push-state$(comma)--no-as-needed -l:libdl.so.2 -Wl$(comma)--pop-state,-ldl)
FLOOR := $(if $(SANITIZE),,-include shim/os/glibc_floor.h)
$(SHELL_OBJS) $(CTL): override CPPFLAGS += $(FLOOR)
START := $(if $(and $(FLOOR),$(IS_GLIBC)),-Wl$(comma)--wrap=__libc_start_main)
INSPECTOR := $(BUILD)/reneguardctl

# A sanitizer's runtime calls dlsym before it is ready.
$(addprefix $(BUILD)/shim/,os/dl.o hooks/dlsym.o hooks/deepbind.o): override CFLAGS += -fno-sanitize=all

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

all: $(SHIM) $(INSPECTOR) ## build the shim and the inspector

# Flags are an input like any source: another SANITIZE, CC or CFLAGS rebuilds.
FLAGS := $(CC) $(CPPFLAGS) $(FLOOR) $(CFLAGS) $(LDFLAGS) $(LIBDL) $(START)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' > $@
FORCE:

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -MMD -MP -c $< -o $@

$(BUILD)/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -fPIC -MMD -MP -c $< -o $@

$(SHIM): $(CORE) $(SHELL_OBJS) $(STUBS) shim/hooks/exports.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libreneguard.so -Wl,--version-script=shim/hooks/exports.map \
		$(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,now -Wl,-z,relro -o $@ $(CORE) $(SHELL_OBJS) $(STUBS) \
		$(if $(SANITIZE),-ldl,$(LIBDL))

$(INSPECTOR): $(CTL) $(CORE)
	$(CC) $(CFLAGS) $(LDFLAGS) $(START) -o $@ $^

# --- tests -----------------------------------------------------------------------------------
# Every test is a program that speaks TAP; tests/run counts. tests/tests.mk says what is built how.
include tests/tests.mk
include tests/fuzz/fuzz.mk
include tests/simulate/simulate.mk
include tests/model/model.mk

# A finding in a sanitized build has to end the program; programs of others leak what they like.
export ASAN_OPTIONS ?= detect_leaks=0
export TSAN_OPTIONS ?= halt_on_error=1
# What is sanitized takes its time.
ifneq ($(SANITIZE),)
export CK_DEFAULT_TIMEOUT ?= 180
export TEST_TIMEOUT_S ?= 900
endif

# How many daemons are tested side by side: each waits more than it works.
RG_JOBS ?= 3
DAEMON_TIMEOUT_S ?= 1500

# Real libssl builds of other systems (scripts/libssl-builds.sh); all builds of ours share them.
export RG_LIBSSL_BUILDS ?= $(CURDIR)/build/libssl

check: all tests-build ## every test that needs no root and no daemon package (what is installed is used, the rest skipped)
	tests/run $(BUILD) $(UNIT_TESTS) $(HOOK_TESTS) $(E2E_TESTS)

check-daemons: all tests-build ## every promise on real daemons, here and in an older and a newer Debian, as a table (RG_JOBS side by side)
	@rm -rf $(BUILD)/daemons
	@RG_JOBS=$(RG_JOBS) TEST_TIMEOUT_S=$(DAEMON_TIMEOUT_S) tests/run $(BUILD) $(SOAK_TESTS) $(DAEMON_TESTS); status=$$?; \
		cat tests/daemons/table.md $(BUILD)/daemons/*.md 2>/dev/null; exit $$status

# Ten minutes of it; `make soak SOAK_SECONDS=60` is a short one.
export SOAK_SECONDS ?= 600

soak: all tests-build ## nginx, HAProxy and Dovecot under mixed load for SOAK_SECONDS: nothing lost, everything accounted, memory flat
	TEST_TIMEOUT_S=$$(($(SOAK_SECONDS) + 420)) tests/run $(BUILD) $(SOAK_TESTS)

# Some of these run the unit and hook tests of another build, under an emulator.
check-libssl: export TEST_TIMEOUT_S ?= 1500

check-libssl: all tests-build ## the contract on every libssl build within reach (1.0.1f to 3.5), as a table
	@rm -f $(BUILD)/libssl-versions.md
	@tests/run $(BUILD) $(LIBSSL_TESTS); status=$$?; cat $(BUILD)/libssl-versions.md 2>/dev/null; exit $$status

check-all: check check-libssl check-daemons ## everything there is

demo: all tests-build ## a real renegotiation attempt and a resumption storm, with and without the shim
	scripts/demo.sh $(BUILD)

bench: all tests-build ## what the shim costs, each figure beside the run without it
	tests/bench/bench.sh $(BUILD)

deps: ## install what the build, the demo and `make check` need
	scripts/deps.sh base

deps-all: ## also the daemons, old libssl builds and tools of check-all, bench, fuzz and lint (throw-away machines)
	scripts/deps.sh all
	-scripts/libssl-builds.sh $(RG_LIBSSL_BUILDS) all

lint: ## formatting, compiler warnings as errors, static analysis, shellcheck
	scripts/lint.sh

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(LIBDIR)/reneguard $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(SHIM) $(DESTDIR)$(LIBDIR)/reneguard/libreneguard.so
	install -m 755 $(INSPECTOR) $(DESTDIR)$(SBINDIR)/reneguardctl
	sed -e 's|^shim=.*|shim=$(LIBDIR)/reneguard/libreneguard.so|' -e 's|^inspector=.*|inspector=$(SBINDIR)/reneguardctl|' \
		scripts/reneguard > $(DESTDIR)$(BINDIR)/reneguard
	chmod 755 $(DESTDIR)$(BINDIR)/reneguard
	install -m 644 scripts/reneguard.8 scripts/reneguardctl.8 $(DESTDIR)$(MANDIR)/man8
	install -m 644 scripts/reneguard-daemons.7 $(DESTDIR)$(MANDIR)/man7

uninstall: ## remove what install installed
	rm -f $(DESTDIR)$(LIBDIR)/reneguard/libreneguard.so $(DESTDIR)$(SBINDIR)/reneguardctl \
		$(DESTDIR)$(BINDIR)/reneguard $(DESTDIR)$(MANDIR)/man8/reneguard.8 $(DESTDIR)$(MANDIR)/man8/reneguardctl.8 \
		$(DESTDIR)$(MANDIR)/man7/reneguard-daemons.7
	-rmdir $(DESTDIR)$(LIBDIR)/reneguard

clean: ## remove everything built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile tests/fuzz/fuzz.mk tests/simulate/simulate.mk | expand -t 16

-include $(CORE:.o=.d) $(SHELL_OBJS:.o=.d) $(STUBS:.o=.d) $(CTL:.o=.d)

.PHONY: all check check-daemons check-libssl check-all soak demo bench fuzz simulate deps deps-all lint install uninstall clean help FORCE tests-build
