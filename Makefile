# evenkeel: a latency-aware HTTP load balancer, and its laboratory.
# Needs Go and make, nothing else. `make help` lists what there is.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -X main.version=$(VERSION)
OUT         := results/latest
# What make bench plays over real HTTP, where a minute takes a minute: eight blocks are what
# a verdict needs.
LIVE        ?= one-slow
LIVE_ARGS   ?= --subjects round-robin,p2c-ewma --blocks 8
FUZZTIME    ?= 10s

export GOTOOLCHAIN := local

.DEFAULT_GOAL := help

##@ Use

.PHONY: run
run: build ## the demo: the proxy, five simulated backends (one slow), a gentle load
	bin/evenkeel demo $(ARGS)

.PHONY: test
test: ## all tests
	$(GO) test ./...

.PHONY: bench
bench: build ## the catalogue simulated, then one-slow live; report in results/latest (SCENARIO=name for one)
	bin/keellab sim $(SCENARIO) --out $(OUT)
	bin/keellab run $(or $(SCENARIO),$(LIVE)) $(LIVE_ARGS) --out $(OUT) --append

.PHONY: regret
regret: ## how far the default strategy is from the best of the others, to stdout (SCENARIO=name for one, ARGS for flags)
	@$(GO) run ./cmd/keellab regret $(SCENARIO) $(ARGS)

.PHONY: ablation
ablation: ## what each guard of the default strategy is worth, to stdout (SCENARIO=name for one, ARGS for flags)
	@$(GO) run ./cmd/keellab ablation $(SCENARIO) $(ARGS)

##@ Develop

.PHONY: build
build: ## the binaries, into bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: race
race: ## all tests under the race detector
	$(GO) test -race ./...

.PHONY: bench-go
bench-go: ## the Go benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

.PHONY: lint
lint: ## format, vet, staticcheck, tidiness
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

.PHONY: ci
ci: lint build race ## exactly what CI runs

.PHONY: clean
clean: ## what was built and measured
	rm -rf bin $(OUT)

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
