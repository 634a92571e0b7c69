SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULES  := schemas stage ingest transform sink dlq dev
SERVICES := ingest transform sink dlq
PACKAGES := $(MODULES:%=./%/...)

GOLANGCI_LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# What is passed on: make run ARGS=--no-traffic
ARGS   ?=
EVENTS ?= 50000
SEED   ?= 1
KILLS  ?= 60
# PostgreSQL versions of test-postgres.
VERSIONS ?= 15 16 17 18
# Brokers of the Kafka that is started without Docker: 1 or 3.
BROKERS ?= 1

# What --version says: the tag, or what came since, and the commit.
export HOOKSTREAM_VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# Runs one command in each module.
in-each-module = for module in $(MODULES); do echo "== $$module: $(1)"; (cd $$module && $(1)); done

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Use

.PHONY: run
run: ## Start everything in one process with sample traffic (ARGS=...)
	@.ci/setup postgres
	@echo "Building; the first time that takes a minute or two …"
	@go build -o bin/dev ./dev
	@exec bin/dev $(ARGS)

.PHONY: check
check: ## Send EVENTS webhooks drawn from SEED and account for every one
	@.ci/setup postgres
	go run ./dev check --events $(EVENTS) --seed $(SEED) -o json $(ARGS)

.PHONY: up
up: ## Start everything on real Kafka and Postgres with Docker
	docker compose up --build --detach --wait

.PHONY: down
down: ## Stop it (ARGS=--volumes forgets the data)
	docker compose --profile tools down $(ARGS)

## Change

.PHONY: setup
setup: ## Install what the tests need, or say what to install
	@.ci/setup postgres cc pgbouncer shell

.PHONY: build
build: ## Build the four services, hookstream and dev into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '-X github.com/hookstream/hookstream/stage/service.version=$(HOOKSTREAM_VERSION)' -o bin/ $(foreach service,$(SERVICES),./$(service)/cmd/$(service)) ./dlq/cmd/hookstream ./dev

# -count=1: the tests read files and start programs that the test cache knows nothing of.
.PHONY: test
test: setup ## Run all tests with the race detector
	CGO_ENABLED=1 go test -race -count=1 -timeout 15m $(ARGS) $(PACKAGES)

# A module of its own: Prometheus's asks for the SDKs of several clouds.
.PHONY: test-alerts
test-alerts: ## Check rules and dashboards, and run the rules, with Prometheus's engine
	cd dev/alerts && GOWORK=off go vet ./... && GOWORK=off go test -count=1 ./...

# The packages whose tests use a broker. The others would only run again.
ON_KAFKA = $(shell grep -rlE 'kafkatest|stacktest|HOOKSTREAM_TEST_BROKERS' --include='*_test.go' $(MODULES) | xargs -n 1 dirname | sort -u | sed 's|^|./|')

# One package after the other: they share the broker.
.PHONY: test-real
test-real: setup ## Run the tests that use a broker on Apache Kafka: Docker, or Java and Maven, or HOOKSTREAM_TEST_BROKERS
	CGO_ENABLED=1 go run ./dev with --brokers $(BROKERS) go test -race -count=1 -p 1 -timeout 30m $(ARGS) $(ON_KAFKA)

# Without the race detector: the server is what differs.
.PHONY: test-postgres
test-postgres: ## Run what touches Postgres on each of VERSIONS, which Maven fetches
	@for version in $(VERSIONS); do echo "== PostgreSQL $$version"; \
	  go run ./dev postgres $$version go test -count=1 $(ARGS) ./sink/... ./dev/internal/postgres; done

.PHONY: chaos
chaos: ## Kill everything on Apache Kafka: KILLS processes, BROKERS brokers, SEED
	@.ci/setup postgres
	go run ./dev chaos --kills $(KILLS) --seed $(SEED) --kafka $(BROKERS) $(ARGS)

.PHONY: test-chaos
test-chaos: setup ## Make the services wrong on purpose and expect the checker to notice (Java and Maven)
	HOOKSTREAM_TEST_CHAOS=1 go test -count=1 -timeout 20m -v ./dev/internal/chaos

.PHONY: kafka-up
kafka-up: ## Start Apache Kafka without Docker (BROKERS=1 or 3; Java and Maven)
	go run ./dev kafka up --brokers $(BROKERS)

.PHONY: kafka-down
kafka-down: ## Stop it
	go run ./dev kafka down

.PHONY: bench
bench: ## Measure the goals side by side with what they are compared to (35 minutes; ARGS=...)
	@.ci/setup postgres
	go run ./dev bench $(ARGS)

.PHONY: bench-quick
bench-quick: ## The same in short, for a look (2 minutes)
	@.ci/setup postgres
	go run ./dev bench --quick $(ARGS)

.PHONY: bench-instructions
bench-instructions: ## Hold the hot paths to the instructions that were accepted (ARGS=--update accepts; valgrind)
	@.ci/setup valgrind
	go run ./dev bench instructions $(ARGS)

.PHONY: bench-report
bench-report: ## Write what was measured last into docs/performance.md, with its charts
	go run ./dev bench report

.PHONY: microbench
microbench: ## Run the benchmarks of single functions
	@.ci/setup postgres
	go test -run '^$$' -bench . -benchmem $(ARGS) $(PACKAGES)

.PHONY: fmt
fmt: ## Format all Go files
	gofmt -w $(MODULES)

.PHONY: tidy
tidy: ## Tidy every module
	@$(call in-each-module,GOWORK=off go mod tidy)

.PHONY: clean
clean: ## Remove what was built, and the data of the Kafka without Docker
	-go run ./dev kafka down
	rm -rf bin "$${XDG_CACHE_HOME:-$$HOME/.cache}"/hookstream/kafka-*

## Check

.PHONY: docs
docs: ## Write the documents that are generated from code and definitions
	go test ./schemas/internal/document ./ingest/internal/catalogue ./ingest/internal/openapi ./dlq/internal/openapi -update
	go test ./dev -run Configuration -update
	go test ./dev/internal/metrics -run Documented -update

.PHONY: lint
lint: lint-format lint-license lint-modules lint-code ## Run every check that is not a test

.PHONY: lint-format
lint-format: ## Check the format of all Go files
	@files=$$(gofmt -l $(MODULES)); [ -z "$$files" ] || { printf 'not formatted, run make fmt:\n%s\n' "$$files"; exit 1; }

.PHONY: lint-license
lint-license: ## Check that each Go file begins with its license
	@bad=$$(find $(MODULES) -name '*.go' -exec awk \
	  'FNR == 1 && $$0 != "// SPDX-License-Identifier: Apache-2.0" { print FILENAME }' {} +); \
	[ -z "$$bad" ] || { printf 'first line is not "// SPDX-License-Identifier: Apache-2.0":\n%s\n' "$$bad"; exit 1; }

.PHONY: lint-modules
lint-modules: ## Check that each module is tidy and builds on its own
	@$(call in-each-module,GOWORK=off go mod tidy -diff)
	@$(call in-each-module,GOWORK=off go build ./...)
	@$(call in-each-module,GOWORK=off go vet ./...)

.PHONY: lint-code
lint-code: ## Run golangci-lint over each module
	@$(call in-each-module,$(GOLANGCI_LINT) run ./...)
