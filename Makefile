# Reneguard. `make help` lists the targets and variables. Every variable may be set on the command line.

SANITIZE ?=
comma := ,

# A sanitized build goes into its own directory, so that it is not mistaken for the ordinary build.
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))

# Where scripts/libssl-builds.sh puts the libssl builds of other systems. All builds share them.
export RG_LIBSSL_BUILDS ?= $(if $(filter command,$(origin BUILD)),$(abspath $(BUILD)),$(CURDIR)/build)/libssl

# With `make -f TREE/Makefile` in another directory, the rules run in the source tree and write into ./build of that directory.
TREE := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
ifneq ($(TREE),$(realpath .))
$(or $(MAKECMDGOALS),all): in-tree ; @:
in-tree:
	@$(MAKE) --no-print-directory -C $(TREE) BUILD=$(abspath $(BUILD)) $(if $(DESTDIR),DESTDIR=$(abspath $(DESTDIR))) $(MAKECMDGOALS)
.PHONY: in-tree $(or $(MAKECMDGOALS),all)
else

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
VERSION := 0.1.0

# CPPFLAGS, CFLAGS and LDFLAGS belong to the user. They come after the flags of this file, so they win.
CFLAGS ?= -O2 -g
# -Wno-psabi silences a note of gcc for 32-bit x86; shim/core/ledger/layout.h asserts the layout that the note is about.
WARNINGS := -Wno-psabi -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(CI),-Werror)
RG_CPPFLAGS = -Iinclude -Ishim -D_GNU_SOURCE -DRG_VERSION='"$(VERSION)"' $(FORTIFY) $(CPPFLAGS)
RG_CFLAGS = -std=c11 -fvisibility=hidden -fno-strict-aliasing $(HARDENING) $(WARNINGS) $(CFLAGS) $(SANFLAGS)
RG_LDFLAGS = -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack $(LDFLAGS)
SANFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)

# The macros that the compiler predefines with the user's flags. The compiler is asked once, when the first recipe needs it, because
# `make deps` may have to install it first.
PREDEFINED = $(eval PREDEFINED := $$(shell printf '\043include <stdlib.h>\n' | $$(CC) $$(CPPFLAGS) $$(CFLAGS) -E -dM -x c - 2>/dev/null))$(PREDEFINED)
defines = $(filter $(1),$(PREDEFINED))
accepts = $(shell echo | $(CC) -Werror $(1) -fsyntax-only -x c - 2>/dev/null && echo $(1))

# The prefix map keeps the name of the source directory out of the objects.
HARDENING = $(eval HARDENING := $$(call accepts,-ffile-prefix-map=$$(CURDIR)=.) $$(call accepts,-fstack-protector-strong) \
	$$(if $$(call defines,__x86_64__ __i386__),$$(call accepts,-fcf-protection)) \
	$$(if $$(call defines,__aarch64__),$$(call accepts,-mbranch-protection=standard)))$(HARDENING)
# Without optimisation FORTIFY only warns, and sanitizers do not know its functions. A level that the user or the compiler sets stays.
FORTIFY = $(if $(SANITIZE),,$(if $(call defines,__OPTIMIZE__),$(if $(call defines,_FORTIFY_SOURCE),,-D_FORTIFY_SOURCE=2)))

# The library and the inspector run on new and old systems (shim/os/glibc_floor.h). The library always needs libdl, which has dlsym
# before glibc 2.34. Another libc needs none of this.
IS_GLIBC = $(call defines,__GLIBC__)
FLOOR := $(if $(SANITIZE),,-include shim/os/glibc_floor.h)
LIBDL = $(if $(and $(FLOOR),$(IS_GLIBC)),-Wl$(comma)--push-state$(comma)--no-as-needed -l:libdl.so.2 -Wl$(comma)--pop-state,-ldl)
START = $(if $(and $(FLOOR),$(IS_GLIBC)),-Wl$(comma)--wrap=__libc_start_main)
# The code of the library supports CET. The C library's start files crti.o and crtn.o may have no landing pads, so they are left out:
# the library needs nothing from them. Other objects of the C library support CET but may not say so, so the linker is told.
CRT = $(foreach file,crtbeginS.o crtendS.o,$(wildcard $(shell $(CC) -print-file-name=$(file))))
CET = $(if $(SANITIZE)$(filter -fcf-protection%,$(CFLAGS)),,$(and $(filter -fcf-protection,$(HARDENING)),$(CRT),-nostartfiles $(CRT) \
	-Wl$(comma)-z$(comma)ibt -Wl$(comma)-z$(comma)shstk))

sources = $(sort $(wildcard $(addsuffix /*.$(2),$(1))))
objects = $(patsubst %,$(BUILD)/%.o,$(basename $(1)))
CORE := $(call objects,$(call sources,shim/core shim/core/ledger,c))
OUTER := $(call objects,$(call sources,shim/os shim/libssl shim/guard shim/hooks,c))
STUBS := $(call objects,$(call sources,shim/hooks,S))
CTL := $(call objects,$(call sources,shim/ctl,c))
SHIM := $(BUILD)/libreneguard.so
INSPECTOR := $(BUILD)/reneguardctl
MAN_PAGES := $(call sources,scripts,[1-8])

# $(call say,WHAT,FILE) begins a recipe that prints one short line. With V=1 it prints the command instead, and with -s nothing.
say = $(if $(filter-out 0,$(V)),,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,printf '  %-7s %s\n' $(1) '$(2)';))

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

all: $(SHIM) $(INSPECTOR) ## build the shim and the inspector

# The flags are an input like any source file: with another CC or other CFLAGS everything is built again.
FLAGS = $(CC) $(RG_CPPFLAGS) $(FLOOR) $(RG_CFLAGS) $(RG_LDFLAGS) $(CET) $(LIBDL) $(START)
$(BUILD)/flags: FORCE | $(filter deps deps-all,$(MAKECMDGOALS))
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' > $@
FORCE:

$(OUTER) $(CTL): RG_CPPFLAGS += $(FLOOR)
# The hooks define functions of libc, of which FORTIFY makes inline functions in libc's headers.
$(filter $(BUILD)/shim/hooks/%,$(OUTER)): RG_CPPFLAGS += -U_FORTIFY_SOURCE
# A sanitizer's runtime calls dlsym before it is ready.
$(addprefix $(BUILD)/shim/,os/dl.o hooks/dlsym.o hooks/deepbind.o): SANFLAGS += -fno-sanitize=all

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(RG_CPPFLAGS) $(RG_CFLAGS) -fPIC -MMD -MP -c $< -o $@

# Without line numbers: before gcc 12 the prefix map is not told to the assembler.
$(BUILD)/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(RG_CPPFLAGS) $(HARDENING) $(CFLAGS) -g0 -fPIC -MMD -MP -c $< -o $@

$(SHIM): $(CORE) $(OUTER) $(STUBS) shim/hooks/exports.map
	$(call say,LD,$@)$(CC) $(RG_CFLAGS) $(RG_LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=shim/hooks/exports.map \
		$(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) $(CET) -o $@ $(filter %.o,$^) $(LIBDL)

$(INSPECTOR): $(CTL) $(CORE)
	$(call say,LD,$@)$(CC) $(RG_CFLAGS) $(RG_LDFLAGS) -pie $(START) -o $@ $^

# --- tests -----------------------------------------------------------------------------------
# Every test is a program that prints TAP. tests/run runs them, and tests/tests.mk builds them.
include tests/tests.mk $(wildcard tests/*/*.mk)

# Sanitized programs are slow. So are daemons, and tests of another build under an emulator.
export CK_DEFAULT_TIMEOUT ?= $(if $(SANITIZE),180,30)
export TEST_TIMEOUT_S ?= $(if $(SANITIZE),900,300)
check-failed check-daemons check-libssl: export TEST_TIMEOUT_S := $(if $(filter file,$(origin TEST_TIMEOUT_S)),1500,$(TEST_TIMEOUT_S))

# Slow tests go first, so that no test runs alone at the end.
check: TESTS ?= tests/model/model.sh $(HOOK_TESTS) $(E2E_TESTS) $(UNIT_TESTS)
check: all tests-build ## the tests that need neither root nor a daemon package, or the tests in TESTS
	@tests/run $(BUILD) $(TESTS)

check-unit: $(UNIT_TESTS) ## the unit tests
	@tests/run $(BUILD) $(UNIT_TESTS)

check-failed: all tests-build ## the tests of any target that failed when they were last run
	@tests/run --failed $(BUILD)

check-daemons: all tests-build ## every promise on real daemons, here and in an older and a newer Debian, with a table
	@rm -rf $(BUILD)/daemons
	@tests/run $(BUILD) $(SOAK_TESTS) $(DAEMON_TESTS); status=$$?; \
		cat tests/daemons/table.md $(BUILD)/daemons/*.md tests/daemons/own-logs.md $(BUILD)/daemons/own-logs/*.md 2>/dev/null; exit $$status

# `make soak SOAK_SECONDS=60` is a short soak.
export SOAK_SECONDS ?= 600

soak: all tests-build ## nginx, HAProxy and Dovecot under mixed load for SOAK_SECONDS (600)
	@TEST_TIMEOUT_S=$$(($(SOAK_SECONDS) + 420)) tests/run $(BUILD) $(SOAK_TESTS)

check-libssl: all tests-build ## every promise on every libssl build within reach (1.0.1f to 4.0), with a table
	@rm -f $(BUILD)/libssl-versions.md
	@tests/run $(BUILD) $(LIBSSL_TESTS); status=$$?; cat $(BUILD)/libssl-versions.md 2>/dev/null; exit $$status

check-all: ## check, check-libssl and check-daemons
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory check-libssl
	@$(MAKE) --no-print-directory check-daemons

demo: say = $(if $(filter-out 0,$(V)),,@)
demo: all $(BUILD)/tests/tools/tlspeer ## attack a real server by renegotiation and by resumption, without and with the shim
	@scripts/demo.sh $(BUILD)

bench: all tests-build ## measure what the shim costs, beside the same run without it
	@tests/bench/bench.sh $(BUILD)

deps: ## install the packages that the build, the demo and `make check` need
	scripts/deps.sh base

deps-all: ## install those of check-all, bench, fuzz and lint as well (only on a throw-away machine)
	scripts/deps.sh all
	-scripts/libssl-builds.sh $(RG_LIBSSL_BUILDS) all

lint: ## check formatting, floors, compiler warnings, static analysis and shell scripts
	@scripts/lint.sh

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(LIBDIR)/reneguard $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR)
	install -m 644 $(SHIM) $(DESTDIR)$(LIBDIR)/reneguard/libreneguard.so
	install -m 755 $(INSPECTOR) $(DESTDIR)$(SBINDIR)/reneguardctl
	sed -e 's|^shim=.*|shim=$(LIBDIR)/reneguard/libreneguard.so|' -e 's|^inspector=.*|inspector=$(SBINDIR)/reneguardctl|' \
		scripts/reneguard > $(DESTDIR)$(BINDIR)/reneguard
	chmod 755 $(DESTDIR)$(BINDIR)/reneguard
	$(foreach page,$(MAN_PAGES),install -D -m 644 $(page) $(DESTDIR)$(call man_file,$(page)) &&) :

man_file = $(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))

uninstall: ## remove what install installed
	rm -f $(DESTDIR)$(LIBDIR)/reneguard/libreneguard.so $(DESTDIR)$(SBINDIR)/reneguardctl $(DESTDIR)$(BINDIR)/reneguard \
		$(foreach page,$(MAN_PAGES),$(DESTDIR)$(call man_file,$(page)))
	-rmdir $(DESTDIR)$(LIBDIR)/reneguard

clean: ## remove everything built
	rm -rf $(if $(filter command,$(origin BUILD)),$(BUILD),build build-*)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile tests/*/*.mk | expand -t 16
	@echo "$$HELP"

define HELP

Variables:
V=1             show the commands
CC, CPPFLAGS, CFLAGS, LDFLAGS
                as usual; they win over the flags of the Makefile
SANITIZE=LIST   build with these sanitizers, into build-LIST (for example, `make SANITIZE=address,undefined check`)
BUILD=DIR       build into DIR instead of ./build
PREFIX, BINDIR, SBINDIR, LIBDIR, MANDIR, DESTDIR
                where to install
TESTS=LIST      what check runs
RG_JOBS=N       how many tests run side by side (one more than there are processors)
TEST_TIMEOUT_S=N
                how long one test may take

Build outside of the source tree, which may be read-only:
    mkdir /tmp/out && cd /tmp/out && make -f /path/to/reneguard/Makefile

Run some tests. `make check` builds first, tests/run does not. The output of each test is kept in build/logs.
    make check TESTS=tests/e2e/block.sh
    tests/run build tests/e2e/block.sh build/tests/unit/test_limit
endef
export HELP

-include $(CORE:.o=.d) $(OUTER:.o=.d) $(STUBS:.o=.d) $(CTL:.o=.d)

.PHONY: all check check-unit check-failed check-daemons check-libssl check-all soak demo bench fuzz simulate deps deps-all lint install \
	uninstall clean help FORCE tests-build
endif
