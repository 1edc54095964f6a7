# Tests of the tests: tests/mutate/mutants.txt. Each mutant takes some seconds, all of them about ten minutes.
mutate: ## break shim/ one behaviour at a time: the tests nearest to it must notice (MUTANTS="name ...": only these)
	@python3 tests/mutate/mutate.py $(BUILD) $(MUTANTS)

.PHONY: mutate
