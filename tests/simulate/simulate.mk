# The simulation of a flood of addresses: the core alone, optimised, the same in every run.
SIMULATED ?= 10000000

$(BUILD)/tests/simulate: $(wildcard tests/simulate/*.[ch]) $(CORE) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -fvisibility=hidden -Wmissing-prototypes,$(CFLAGS)) -o $@ $(wildcard tests/simulate/*.c) $(CORE) $(LDFLAGS) -lm

simulate: $(BUILD)/tests/simulate ## ten million addresses in a minute: who is caught, beside HAProxy's and nginx's tables
	$< $(SIMULATED)
