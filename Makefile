# telegraf-chembus. "make" lists the targets.

GO          ?= go
BIN         := $(CURDIR)/bin
PREFIX      ?= /usr/local
DURATION    ?= 0s
N           ?= 100
SEED        ?= 1
STAGES      ?= 6
FLEET_TIME  ?= 10m
FLEET_BUSES ?= 1000
DIST        := $(CURDIR)/dist

# From the git tag, or without one from the number of commits.
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || \
  { n=$$(git rev-list --count HEAD 2>/dev/null) && echo "v0.0.0-$$n-g$$(git describe --always --dirty --exclude '*')"; } || echo devel)

# A real Telegraf, with the plugins that the drop-in, the documentation, the demo and the tests use.
TELEGRAF_VERSION := v1.39.3
TELEGRAF_TAGS    := custom,inputs.cpu,inputs.exec,inputs.execd,inputs.file,inputs.http_listener_v2,inputs.influxdb_listener,inputs.internal,inputs.mem,inputs.mqtt_consumer,inputs.nats_consumer,inputs.tail,processors.execd,processors.override,processors.starlark,processors.template,aggregators.final,outputs.execd,outputs.file,outputs.http,outputs.influxdb,outputs.mqtt,outputs.nats,outputs.prometheus_client,parsers.influx,parsers.json,parsers.json_v2,parsers.value,serializers.influx,serializers.json,serializers.template
# Name another with TELEGRAF=/path/to/telegraf.
TELEGRAF         ?= $(BIN)/telegraf
export TELEGRAF

# The versions that "make test-telegraf" runs the plugins under, and the end-to-end tests that it runs: a kill becomes a
# gap, in InfluxDB too; a restart with a gap open; killed plugins; and every test stops Telegraf, which must exit by itself.
TELEGRAF_VERSIONS ?= v1.26.3 v1.30.3 v1.34.4 $(TELEGRAF_VERSION)
TELEGRAF_TESTS    := ^Test(KilledComponent|RestartOfTelegraf|ProcessorIsKilled|OutputIsKilledBeforeTheAck|QuietLog)$$

# The last InfluxDB that is written in Go only. It answers Flux queries, unlike Debian's.
INFLUXDB_VERSION := v1.8.10
INFLUXD          ?= $(BIN)/influxd
export INFLUXD

NATS_VERSION := v2.15.3
NATS_SERVER  ?= $(BIN)/nats-server
export NATS_SERVER
# The program that manages its streams; the tests look for it beside the server.
NATSCLI_VERSION := v0.3.0

LINTER_VERSION := v2.15.0
LINTER         := $(BIN)/golangci-lint-$(LINTER_VERSION)

NFPM_VERSION := v2.43.4
NFPM         := $(BIN)/nfpm-$(NFPM_VERSION)

# The architecture of the packages, amd64 or arm64. If it is not this machine's, Debian's cross compiler is used.
HOST_ARCH    := $(shell $(GO) env GOHOSTARCH)
ARCH         ?= $(HOST_ARCH)
TRIPLE_amd64 := x86_64-linux-gnu
TRIPLE_arm64 := aarch64-linux-gnu
TRIPLE       := $(TRIPLE_$(ARCH))
ifneq ($(ARCH),$(HOST_ARCH))
CROSS := CC=$(TRIPLE)-gcc PKG_CONFIG_LIBDIR=/usr/lib/$(TRIPLE)/pkgconfig:/usr/share/pkgconfig
endif

# What the machine must have, each as "check:package", no colon in the check. Debian's names.
BUILD_NEEDS := "command -v gcc:gcc" "command -v pkg-config:pkg-config" "pkg-config --exists libzmq:libzmq3-dev"
TEST_NEEDS  := $(BUILD_NEEDS) "/usr/bin/python3 -c 'import zmq':python3-zmq" "command -v influxd:influxdb" "command -v chromium:chromium" "command -v promtool:prometheus" "command -v prometheus-alertmanager:prometheus-alertmanager"
LINT_NEEDS  := $(BUILD_NEEDS) "command -v mdl:ruby-mdl"
CROSS_NEEDS := "command -v $(TRIPLE)-gcc:gcc-$(subst _,-,$(TRIPLE))" "test -e /usr/lib/$(TRIPLE)/libzmq.so:libzmq3-dev:$(ARCH)"

# Installs the packages whose check fails, or says in one line what to install.
define ensure
	@missing=; for need in $(1); do \
	  sh -c "$${need%%:*}" >/dev/null 2>&1 || missing="$$missing $${need#*:}"; \
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

.PHONY: help deps deps-build deps-lint deps-package build build-liveness telegraf run test test-telegraf screenshots soak bench bench-fleet lint install package clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Install what the build and the tests need (Debian packages), or say what is missing
	$(call ensure,$(TEST_NEEDS))

deps-build:
	$(call ensure,$(BUILD_NEEDS))

deps-lint:
	$(call ensure,$(LINT_NEEDS))

deps-package: deps-build
	@[ -n "$(TRIPLE)" ] || { echo "ARCH=$(ARCH): there are packages for amd64 and arm64"; exit 1; }
ifdef CROSS
	@dpkg --print-foreign-architectures 2>/dev/null | grep -qx $(ARCH) || \
	  { echo "for $(ARCH)'s libzmq please run: sudo dpkg --add-architecture $(ARCH) (Debian only)"; exit 1; }
	$(call ensure,$(CROSS_NEEDS))
endif

build: deps-build ## Build telegraf-chembus and chembus-colony to bin/
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN)/ ./cmd/...

# What needs no libzmq, as static programs. The state file needs a Unix.
LIVENESS_FOR := linux_amd64 linux_arm64 darwin_arm64

build-liveness: $(addprefix liveness_,$(LIVENESS_FOR)) ## Build telegraf-chembus without libzmq to bin/liveness/: processors.liveness and the status page, static
liveness_%:
	CGO_ENABLED=0 GOOS=$(word 1,$(subst _, ,$*)) GOARCH=$(word 2,$(subst _, ,$*)) \
	  $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN)/liveness/telegraf-chembus_$* ./cmd/telegraf-chembus

telegraf: $(TELEGRAF) ## Build a real Telegraf to bin/telegraf, unless TELEGRAF= names one

# Built again when the list of its plugins above may have changed.
$(BIN)/telegraf: Makefile
	GOBIN=$(BIN) $(GO) install -tags $(TELEGRAF_TAGS) github.com/influxdata/telegraf/cmd/telegraf@$(TELEGRAF_VERSION)
	@touch $@ # also if go install had nothing to do

$(BIN)/telegraf-v%: Makefile
	GOBIN=$@.new $(GO) install -tags $(TELEGRAF_TAGS) github.com/influxdata/telegraf/cmd/telegraf@v$*
	mv $@.new/telegraf $@
	rmdir $@.new

$(BIN)/nats-server:
	GOBIN=$(BIN) $(GO) install github.com/nats-io/nats-server/v2@$(NATS_VERSION)

$(BIN)/nats:
	GOBIN=$(BIN) $(GO) install github.com/nats-io/natscli/nats@$(NATSCLI_VERSION)

$(BIN)/influxd:
	GOBIN=$(BIN) $(GO) install github.com/influxdata/influxdb/cmd/influxd@$(INFLUXDB_VERSION)

run: build telegraf $(if $(FLEET),$(NATS_SERVER) $(BIN)/nats) ## Run the demo: a colony, a Telegraf, a kill (DURATION=30s; BUS=external: the environment's bus; FLEET=1: three buses over NATS)
	@$(GO) build -o $(BIN)/demo ./testutil/demo
	@exec $(BIN)/demo -telegraf $(TELEGRAF) -plugins $(BIN) -duration $(DURATION) $(if $(filter external,$(BUS)),-external) \
	  $(if $(FLEET),-fleet cmd/telegraf-chembus/fleet -nats $(NATS_SERVER))

# One kind of build for all: else each dependency is compiled once more for the packages, and the Telegraf that the tests
# compile from a copy of its source is compiled anew each time. The tests that take longest come first: they mostly wait.
test: export GOFLAGS += -trimpath
test: deps telegraf $(INFLUXD) $(NATS_SERVER) $(BIN)/nats ## Run all tests, on real parts, with the race detector
	@[ "$$(id -u)" = 0 ] || echo "skipped, because it needs root: the test that installs and removes the Debian package"
	@! dpkg-query -W telegraf-chembus >/dev/null 2>&1 || echo "skipped, because the package is installed: the test of the Debian package"
	$(GO) vet -race ./...
	$(GO) test -race -p 3 -parallel 8 -timeout 15m ./testutil/e2e ./testutil/soak ./...

test-telegraf: deps $(TELEGRAF_VERSIONS:%=$(BIN)/telegraf-%) ## Run some end-to-end tests under older versions of Telegraf, too
	@for version in $(TELEGRAF_VERSIONS); do \
	  echo "Telegraf $$version"; \
	  TELEGRAF=$(BIN)/telegraf-$$version $(GO) test -count=1 -run '$(TELEGRAF_TESTS)' ./testutil/e2e || exit 1; \
	done

screenshots: deps ## Take pictures of the status page (light, dark, phone) with Chromium, to dist/
	@mkdir -p $(DIST)
	SCREENSHOTS=$(DIST) $(GO) test -count=1 -run TestScreenshots ./plugins/outputs/liveness

SOAK := $(BIN)/soak -seed $(SEED) -telegraf $(TELEGRAF) -plugins $(BIN) -drop-in sample.conf -scenario

soak: build telegraf $(NATS_SERVER) $(BIN)/nats ## Run all scenarios of testutil/soak in turn (N=100 random faults, SEED=1, STAGES=6 buses at the same time)
	@$(GO) build -o $(BIN)/soak ./testutil/soak
	$(SOAK) random -n $(N) -stages $(STAGES)
	$(SOAK) random -n $(N) -stages $(STAGES) -adaptive
	$(SOAK) monitors -n $$((2 * $(N)))
	$(SOAK) network -n $$((($(N) + 1) / 2))
	$(SOAK) killsignal -n $$((($(N) + 1) / 2))
	$(SOAK) maintenance
	$(SOAK) inphase
	$(SOAK) crashloop
	$(SOAK) fleet -nats $(NATS_SERVER) -n $$((($(N) + 9) / 10))

bench: deps build telegraf $(INFLUXD) ## Measure CPU, memory, delay and overload beside a Python daemon (ONLY=receive,scale,idle,delay,overload,growth,page,dashboards)
	@$(GO) build -o $(BIN)/bench ./testutil/bench
	@exec $(BIN)/bench -telegraf $(TELEGRAF) -plugins $(BIN) -influxd $(INFLUXD) -only "$(ONLY)"

bench-fleet: deps build telegraf $(NATS_SERVER) $(BIN)/nats ## Measure a central Telegraf with 1000 buses (FLEET_TIME=10m: how long it looks for false gaps; FLEET_BUSES=1000)
	@$(GO) build -o $(BIN)/bench ./testutil/bench
	@exec $(BIN)/bench -telegraf $(TELEGRAF) -plugins $(BIN) -nats $(NATS_SERVER) -only fleet -fleet-time $(FLEET_TIME) -fleet-buses $(FLEET_BUSES)

$(LINTER):
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER_VERSION)
	mv $(BIN)/golangci-lint $@

lint: deps-lint $(LINTER) ## Check the code (gofmt, golangci-lint) and the Markdown (mdl)
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(LINTER) run ./...
	@.ci/lint-markdown

install: build ## Install telegraf-chembus to PREFIX/bin (default /usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BIN)/telegraf-chembus $(DESTDIR)$(PREFIX)/bin/telegraf-chembus

$(NFPM):
	GOBIN=$(BIN) $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv $(BIN)/nfpm $@

package: deps-package $(NFPM) ## Build .deb, .rpm and .tar.gz to dist/ (ARCH=arm64: with Debian's cross compiler)
	GO="$(GO)" NFPM=$(NFPM) $(CROSS) .packaging/build "$(VERSION)" $(ARCH) $(DIST)

clean: ## Remove what was built
	rm -rf $(BIN) $(DIST)
