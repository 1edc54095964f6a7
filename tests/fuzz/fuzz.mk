# Fuzzing, bounded: each target FUZZ_SECONDS long. Its findings are kept in $(BUILD)/fuzz.
FUZZ_SECONDS ?= 30

fuzz: ## libFuzzer on what reads hostile input or the environment (FUZZ_SECONDS=30 each)
	@ASAN_OPTIONS=detect_leaks=0 tests/fuzz/run.sh $(BUILD) $(FUZZ_SECONDS)
