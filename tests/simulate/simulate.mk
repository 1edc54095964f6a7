# The simulation of a flood of addresses: the core alone, optimised, the same in every run.
SIMULATED ?= 10000000
CROWD_SECONDS ?= 8

SIMULATION := tests/simulate/simulate.c tests/simulate/rivals.c

$(BUILD)/tests/simulate: $(SIMULATION) tests/simulate/rivals.h $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$(SIMULATION))$(CC) $(RG_CPPFLAGS) $(UNIT_CFLAGS) -o $@ $(SIMULATION) $(CORE) $(LDFLAGS) -lm

$(BUILD)/tests/crowd: tests/simulate/crowd.c $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(RG_CPPFLAGS) $(UNIT_CFLAGS) -pthread -o $@ $< $(CORE) $(LDFLAGS)

simulate: $(BUILD)/tests/simulate $(BUILD)/tests/crowd ## ten million addresses in a minute, beside HAProxy's and nginx's tables; a full ledger under threads and processes
	@$< $(SIMULATED)
	@$(BUILD)/tests/crowd $(CROWD_SECONDS)
