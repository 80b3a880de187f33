# evenkeel: a latency-aware HTTP load balancer, and its laboratory.
# Needs Go and make, nothing else. `make help` lists what there is.

GO          ?= go
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -X main.version=$(VERSION)
OUT         := results/latest
REFERENCE   := results/reference
# What make bench plays over real HTTP, where a minute takes a minute: eight blocks are what
# a verdict needs. The two deadlines and two reports together stay below five minutes.
LIVE        ?= one-slow
LIVE_ARGS   ?= --subjects round-robin,p2c-ewma --blocks 8 --within 185s
SIM_WITHIN  ?= 90s
# Eight subjects, seven comparisons: nine blocks decide them all. Two only show.
FULL_BLOCKS ?= 2
PEER_BLOCKS ?= 8
FUZZTIME    ?= 60s

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
	bin/keellab sim $(SCENARIO) --within $(SIM_WITHIN) --out $(OUT)
	bin/keellab run $(or $(SCENARIO),$(LIVE)) $(LIVE_ARGS) --out $(OUT) --append

.PHONY: bench-full
bench-full: build ## the catalogue live, with the other proxies that are installed, into results/full (2 hours; ARGS=--resume goes on)
	bin/keellab run $(SCENARIO) --subjects round-robin,p2c-ewma,peers --blocks $(FULL_BLOCKS) --out results/full $(ARGS)

.PHONY: bench-peers
bench-peers: build ## one-slow live: the default strategy against the other proxies, into results/peers (10 minutes; ARGS=--resume goes on)
	bin/keellab run $(or $(SCENARIO),$(LIVE)) --subjects p2c-ewma,peers --baseline p2c-ewma --blocks $(PEER_BLOCKS) --out results/peers $(ARGS)

.PHONY: reference
reference: build ## the committed run in results/reference: the catalogue with ten seeds, some of it live (10 minutes)
	bin/keellab sim --seeds 10 --records 0 --out $(REFERENCE)
	bin/keellab run one-slow calm black-hole --subjects round-robin,p2c-ewma --blocks 8 --records 0 --out $(REFERENCE) --append

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

.PHONY: browser
browser: ## the test that looks at report.html in a Chromium
	EVENKEEL_BROWSER_TEST=required $(GO) test -count=1 -run TestInBrowser -v ./lab/report

.PHONY: bench-go
bench-go: ## the Go benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (60s)
	@for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

.PHONY: conformance
conformance: ## the proxy against other people's test suites, and what it can take (minutes)
	$(GO) test -tags conformance -count=1 -timeout 30m ./cmd/evenkeel

.PHONY: vuln
vuln: ## known vulnerabilities in what is called; fails, and says so, where their database cannot be reached
	@dir=$$(mktemp -d); GOBIN=$$dir $(GO) install $(GOVULNCHECK) && $$dir/govulncheck ./...; code=$$?; rm -rf $$dir; \
	case $$code in 0|3) ;; *) echo "vuln: NOT CHECKED, nothing is known either way: this needs https://vuln.go.dev";; esac; exit $$code

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
	rm -rf bin $(OUT) results/full results/peers

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
