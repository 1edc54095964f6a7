# The simulation of a flood of addresses: the core alone, optimised, the same in every run.
SIMULATED ?= 10000000

SIMULATION := tests/simulate/simulate.c tests/simulate/rivals.c

$(BUILD)/tests/simulate: $(SIMULATION) tests/simulate/rivals.h $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -fvisibility=hidden -Wmissing-prototypes,$(CFLAGS)) -o $@ $(SIMULATION) $(CORE) $(LDFLAGS) -lm

simulate: $(BUILD)/tests/simulate ## ten million addresses in a minute: who is caught, beside HAProxy's and nginx's tables
	$< $(SIMULATED)
