# The commands of everyday work. `make` alone lists them.
#
# The product is built without CGO. `make test` needs only Go: it brings its own Node.js and
# PostgreSQL, or uses the PostgreSQL that CHATLEDGER_TEST_POSTGRES names.

export CGO_ENABLED := 0

TOOLS := bin
GOTEST ?= go test
PACKAGES ?= ./...
FUZZ ?=
FUZZTIME ?= 30s
SOAK ?= 10m
GENERATED := ./internal/eventdoc ./eventstore/codec ./readapi
WITH_POSTGRES := go run ./internal/testenv/with -install

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what make can do
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and run the demo: a server with generated traffic, nothing to set up
	@exec bin/chatledger demo

.PHONY: build
build: ## build bin/chatledger
	go build -o bin/chatledger ./cmd/chatledger

.PHONY: test
test: ## run all tests, on SQLite and PostgreSQL (as root on Debian it installs PostgreSQL and Node.js if they are missing)
	$(WITH_POSTGRES) $(GOTEST) $(PACKAGES)

.PHONY: race
race: ## run the tests under the race detector (needs a C compiler)
	$(WITH_POSTGRES) env CGO_ENABLED=1 $(GOTEST) -race $(PACKAGES)

.PHONY: fuzz
fuzz: ## look for inputs that break a parser (FUZZTIME=30s for each target, FUZZ=Parse for some of them)
	@failed=; \
	for found in $$(grep -rnoE --include='*_test.go' --exclude-dir=bench --exclude-dir=tools '^func Fuzz\w*$(FUZZ)\w*' * | sed -E 's/:[0-9]+:func /:/'); do \
		name=$${found##*:}; dir=./$$(dirname $${found%%:*}); \
		echo "$$name in $$dir"; \
		$(GOTEST) -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "found something:$$failed"; exit 1; fi

.PHONY: soak
soak: ## run the server under steady load, SOAK=10m of it, and fail if memory, goroutines or files grow
	go run ./internal/soak -for $(SOAK)

.PHONY: soak-postgres
soak-postgres: ## the same with log and views in a throwaway PostgreSQL
	$(WITH_POSTGRES) go run ./internal/soak -for $(SOAK) -postgres env

.PHONY: cover
cover: ## run all tests and write coverage.html
	$(WITH_POSTGRES) go test -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -html=coverage.out -o coverage.html

.PHONY: bench
bench: ## measure log and views beside the disk and other event stores (BENCH=-write updates docs/benchmarks.md)
	cd bench && go run . $(BENCH)

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## run the linters (.golangci.yml); the rules of internal/lint are tests
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

.PHONY: format
format: $(TOOLS)/golangci-lint ## format the source
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: generate
generate: ## write what is made from the source: docs/events.md, docs/openapi.json, golden files that are missing
	go test $(GENERATED) -update

.PHONY: check-generated
check-generated: ## fail if something generated is not what the source says
	go test -count=1 $(GENERATED)

.PHONY: tidy
tidy: ## tidy the go.mod files
	go mod tidy
	cd tools && go mod tidy
	cd bench && go mod tidy

.PHONY: clean
clean: ## remove what was built
	rm -rf bin coverage.out coverage.html

# The tools have a go.mod of their own. They are built once into bin/.
$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/gotestsum: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ gotest.tools/gotestsum
