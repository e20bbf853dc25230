# dialrouter's commands. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
CONFIG ?= config/example/dialrouter.yaml
FUZZTIME ?= 10s
BENCHARGS ?=
SOAKARGS ?=

LINT_VERSION := v2.15.0
LINTER := bin/golangci-lint-$(LINT_VERSION)

# kin-openapi's validator (MIT), which knows OpenAPI 3.1. The document is what the API serves: a test holds them equal.
OPENAPI_VERSION := v0.152.0
OPENAPI_LINTER := bin/openapi-validate-$(OPENAPI_VERSION)
OPENAPI_DOCUMENT := providers/api/testdata/openapi.json

# Packages where goroutines meet; the rest is pure and gains nothing from the race detector.
RACE := ./cmd/... ./config/... ./providers/... ./router/...

# The tests that drive the router from outside measure time, so they run with the machine to themselves.
E2E := ./router/e2e

.PHONY: help
help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/dialrouter.
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/dialrouter ./cmd/dialrouter

.PHONY: run
run: build ## Build and serve the example configuration on loopback.
	bin/dialrouter serve --config $(CONFIG)

# The compiler optimises the program by cmd/dialrouter/default.pgo, which takes it a minute for all packages anew. What is
# tested does without.
test: export GOFLAGS += -pgo=off

.PHONY: test
test: test-packages ## Run all tests, those with goroutines under the race detector too.
	go test -timeout 15m $$(go list ./... | grep -v /e2e)
	go test -race -timeout 20m $$(go list $(RACE) | grep -v /e2e)
	go test -race -timeout 15m $(E2E)

.PHONY: test-packages
test-packages:
	@.ci/packages

.PHONY: lint
lint: $(LINTER) $(OPENAPI_LINTER) ## Check formatting, vet, linters, go.mod and the OpenAPI document.
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go mod tidy -diff
	$(LINTER) run ./...
	$(OPENAPI_LINTER) --multi -- $(OPENAPI_DOCUMENT)

.PHONY: fmt
fmt: $(LINTER) ## Format all Go code.
	$(LINTER) fmt ./...

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s).
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "fuzz $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

.PHONY: profile
profile: ## Renew the profile of a call, by which the compiler optimises (after changes on a call's way).
	go test -run '^$$' -bench 'BenchmarkCall' -benchtime 300000x -cpuprofile cmd/dialrouter/default.pgo -o "$$(mktemp)" ./router

.PHONY: bench
bench: ## Run the Go benchmarks.
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-compare
bench-compare: build ## Compare with Kamailio on the same work; BENCHARGS=--json for machines.
	go run ./bench/cmd/bench-compare $(BENCHARGS)

.PHONY: overload
overload: build ## Measure what is left with too many calls, and beside floods: about three minutes.
	go run ./bench/cmd/overload $(BENCHARGS)

.PHONY: overload-ringing
overload-ringing: build ## The same with calls that ring for a second, without floods: about two minutes.
	go run ./bench/cmd/overload --ring 1s --flood-seconds 0 $(BENCHARGS)

.PHONY: soak
soak: build ## Break things under load for half an hour and count what is lost; SOAKARGS='--only drain --short'.
	go run ./bench/cmd/soak $(SOAKARGS)

.PHONY: bench-silence
bench-silence: build ## Show what a provider costs that falls silent at 100 calls/s: a minute.
	go run ./bench/cmd/bench-compare silence $(BENCHARGS)

.PHONY: check
check: ## What continuous integration runs: test, then lint.
	.ci/run

$(LINTER):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

$(OPENAPI_LINTER):
	GOBIN=$(CURDIR)/bin go install github.com/getkin/kin-openapi/cmd/validate@$(OPENAPI_VERSION)
	mv bin/validate $@
