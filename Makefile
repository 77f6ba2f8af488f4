# telegraf-chembus. "make" lists the targets.

GO       ?= go
BIN      := $(CURDIR)/bin
PREFIX   ?= /usr/local
DURATION ?= 0s
N        ?= 100
SEED     ?= 1
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# A real Telegraf, with the plugins that the drop-in, the demo and the tests use.
TELEGRAF_VERSION := v1.39.3
TELEGRAF_TAGS    := custom,inputs.execd,inputs.mem,processors.execd,aggregators.final,outputs.execd,outputs.file,outputs.influxdb,parsers.influx,serializers.influx
# Name another with TELEGRAF=/path/to/telegraf.
TELEGRAF         ?= $(BIN)/telegraf
export TELEGRAF

LINTER := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# What the machine must have, each as "check : package". Debian's names.
BUILD_NEEDS := "command -v gcc:gcc" "command -v pkg-config:pkg-config" "pkg-config --exists libzmq:libzmq3-dev"
TEST_NEEDS  := $(BUILD_NEEDS) "/usr/bin/python3 -c 'import zmq':python3-zmq" "command -v influxd:influxdb"

# Installs the packages whose check fails, or says in one line what to install.
define ensure
	@missing=; for need in $(1); do \
	  sh -c "$${need%:*}" >/dev/null 2>&1 || missing="$$missing $${need##*:}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || $$sudo true 2>/dev/null; }; then \
	  echo "installing:$$missing"; \
	  log=$$(mktemp); \
	  { $$sudo apt-get update && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y --no-install-recommends $$missing; } >"$$log" 2>&1 \
	    || { tail -n 20 "$$log"; rm -f "$$log"; echo "could not install; please run: apt-get install$$missing"; exit 1; }; \
	  rm -f "$$log"; \
	else \
	  echo "please install:$$missing (on Debian: sudo apt-get install$$missing)"; exit 1; \
	fi
endef

.PHONY: help deps deps-build build telegraf run test soak bench lint install clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Install what the build and the tests need (Debian packages), or say what is missing
	$(call ensure,$(TEST_NEEDS))

deps-build:
	$(call ensure,$(BUILD_NEEDS))

build: deps-build ## Build telegraf-chembus and chembus-colony to bin/
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN)/ ./cmd/...

telegraf: $(TELEGRAF) ## Build a real Telegraf to bin/telegraf, unless TELEGRAF= names one

$(BIN)/telegraf:
	GOBIN=$(BIN) $(GO) install -tags $(TELEGRAF_TAGS) github.com/influxdata/telegraf/cmd/telegraf@$(TELEGRAF_VERSION)

run: build telegraf ## Show it: a colony, a Telegraf, a kill (DURATION=30s; BUS=external: the environment's bus)
	@$(GO) build -o $(BIN)/demo ./testutil/demo
	@exec $(BIN)/demo -telegraf $(TELEGRAF) -plugins $(BIN) -duration $(DURATION) $(if $(filter external,$(BUS)),-external)

test: deps telegraf ## Run all tests, on real parts, with the race detector
	$(GO) vet ./...
	$(GO) test -race -parallel 8 -timeout 15m ./...

soak: build telegraf ## Run a campaign of N=100 random faults, SEED=1, and compare what was told with what happened
	$(GO) run ./testutil/soak -n $(N) -seed $(SEED) -telegraf $(TELEGRAF) -plugins $(BIN) -drop-in sample.conf

bench: deps build telegraf ## Measure CPU, memory, delay and overload beside a Python daemon (ONLY=receive,crowd,idle,delay,overload,growth)
	@$(GO) build -o $(BIN)/bench ./testutil/bench
	@exec $(BIN)/bench -telegraf $(TELEGRAF) -plugins $(BIN) -only "$(ONLY)"

lint: deps-build ## Check the code: gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) run $(LINTER) ./...

install: build ## Install telegraf-chembus to PREFIX/bin (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/telegraf-chembus $(DESTDIR)$(PREFIX)/bin/telegraf-chembus

clean: ## Remove what was built
	rm -rf $(BIN)
