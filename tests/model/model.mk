# The model test: an unmodified program under the shim, linked to nothing of ours. It says by construction what each of its clients
# did, and the ledger must say the same. `make model MODEL_SEED=... MODEL_CONVERSATIONS=...`: see tests/model/model.sh.
MODEL := $(BUILD)/tests/model/model
MODEL_SOURCES := $(call sources,tests/model,c) tests/lib/versions.c

$(MODEL): $(MODEL_SOURCES) $(wildcard tests/model/*.h tests/lib/*.h) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$(MODEL_SOURCES))$(CC) -D_GNU_SOURCE -std=c11 -O2 -g -Wall -Wextra -Itests/lib -o $@ $(MODEL_SOURCES) $(LDFLAGS) -lssl -lcrypto -lpthread

# Not part of tests-build: a cross compiler has no OpenSSL headers.
check check-failed: $(MODEL)

model: all $(MODEL) ## random conversations with libssl: the ledger says exactly what each client did (MODEL_SEED, MODEL_CONVERSATIONS)
	@tests/run $(BUILD) tests/model/model.sh

.PHONY: model
