# Every recipe is one command or two, implemented by Go programs. The programs build and download what they need. The only
# requirements are Go, make and, for the local cluster, root.
.DEFAULT_GOAL := help

HACK = go run -C hack

# Programs, images and tests are compiled with the same flags. The build cache then serves all of them, in each checkout.
export GOFLAGS := $(GOFLAGS) -trimpath
export CGO_ENABLED ?= 0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: ## Build all programs into bin/
	$(HACK) ./images programs

.PHONY: osm
osm: ## Build the osm command into bin/
	$(HACK) ./images programs osm

.PHONY: images
images: ## Build all container images into bin/images/
	$(HACK) ./images

.PHONY: generate
generate: ## Generate Go code
	$(HACK) ./generate code

.PHONY: manifests
manifests: ## Generate the CRDs and dist/install.yaml
	$(HACK) ./generate manifests

.PHONY: docs
docs: ## Generate the references of osm commands, CRD fields and analysis messages
	$(HACK) ./generate docs

.PHONY: docs-site
docs-site: ## Build the documentation as a site into bin/site; broken links fail
	$(HACK) ./docssite

.PHONY: fmt
fmt: ## Format all Go code
	$(HACK) ./tool golangci-lint fmt
	$(HACK) ./tool -C . golangci-lint fmt

##@ Check

.PHONY: check
check: ## Run linters, and the unit tests that changes since main can affect; SINCE=HEAD~3 compares with another commit
	$(HACK) ./suites -changed $(if $(SINCE),-since $(SINCE))

.PHONY: lint
lint: ## Run all linters
	$(HACK) ./suites lint

.PHONY: drift
drift: ## Fail when a generated file is out of date
	$(HACK) ./suites drift

.PHONY: test-unit
test-unit: ## Run unit tests, with the race detector where packages have goroutines
	$(HACK) ./suites realtime unit

.PHONY: test-golden
test-golden: ## Compare the generated Envoy configuration with golden files, and validate it with Envoy
	$(HACK) ./suites golden

.PHONY: test-envtest
test-envtest: ## Test reconcilers and validation against a real API server
	$(HACK) ./suites envtest

.PHONY: test-e2e
test-e2e: ## Run end-to-end tests on a local cluster
	$(HACK) ./suites e2e

.PHONY: test
test: ## Run all suites, within the time limits of hack/budget.yaml
	$(HACK) ./suites

.PHONY: test-full
test-full: ## Run all tests, as before a release; SHARD=2/6 runs one of six parts, each of at most 75 minutes
	$(HACK) ./suites -full $(if $(SHARD),-shard $(SHARD))

.PHONY: test-full-whole
test-full-whole: ## Say whether the recorded parts of make test-full add up to a whole run of this checkout
	$(HACK) ./suites -whole

.PHONY: conformance
conformance: ## Run the conformance suite of the Gateway API on the local cluster, with its report in bin/conformance
	OSM_TEST_FULL=true go test -count=1 -timeout=60m -v ./e2e/gatewayapi

.PHONY: nightly
nightly: verdict-nightly verdict-recorded outage-nightly soak ## Run tests that are too long for every change, in about 90 minutes

.PHONY: envoy-patch
envoy-patch: ## Pin, verify and build the patch release of Envoy that VERSION names, in about seven minutes
	$(HACK) ./envoypatch $(VERSION)

.PHONY: outage-nightly
outage-nightly: ## Stop the API server for ten minutes, in real time
	KUBEBUILDER_ASSETS=$$($(HACK) ./cluster assets | tail -n 1) go test -count=1 -timeout=0 -v ./controllers/controlplane/apioutage -outage.time=10m

.PHONY: verdict-nightly
verdict-nightly: ## Test 100,000 pairs of an edit and a request with real sidecars, and 2,000 requests with a real gateway, in about 40 minutes
	ENVOY_BIN=$$($(HACK) ./images envoy-path | tail -n 1) EARLIER_ENVOY_BIN=$$($(HACK) ./images earlier-envoy-path | tail -n 1) OLDEST_ENVOY_BIN=$$($(HACK) ./images oldest-envoy-path | tail -n 1) go test -count=1 -timeout=0 -v ./internal/testing/verdict -verdict.pairs=100000 -verdict.gateway=2000

.PHONY: verdict-recorded
verdict-recorded: ## Test 20,000 pairs with new sidecars and the previous control plane, in about ten minutes
	ENVOY_BIN=$$($(HACK) ./images envoy-path | tail -n 1) $(HACK) ./verdict -pairs 20000

.PHONY: bench
bench: ## Measure the propagation of a change to sidecars, and its limits, in about three minutes
	go test -run '^$$' -bench 'Questions|Renewal|Mesh/policy|Mesh/(visible|ondemand)/^100$$' -benchtime 1x -timeout 30m ./internal/testing/largemesh ./internal/testing/bench

.PHONY: bench-datapath
bench-datapath: ## Measure what a pair of sidecars adds to requests, and the memory of a sidecar, in about eighteen minutes
	ENVOY_BIN=$$($(HACK) ./images envoy-path | tail -n 1) go test -run '^$$' -bench . -skip Parts -benchtime 15000x -timeout 30m ./internal/testing/datapath

.PHONY: bench-endtoend
bench-endtoend: ## Measure changes from a real API server to the sidecars of the real osm-controller, in about five minutes; ROUTES=3000 measures those of HTTPRoutes
	KUBEBUILDER_ASSETS=$$($(HACK) ./cluster assets | tail -n 1) go test -run '^$$' -bench $(if $(ROUTES),Routes,Changes) -benchtime 1x -timeout 60m ./internal/testing/bench/endtoend $(if $(ROUTES),-routes $(ROUTES))

.PHONY: bench-operator
bench-operator: ## Measure what events of a mesh with 10,000 pods cost the real osm-operator, in about 15 minutes
	KUBEBUILDER_ASSETS=$$($(HACK) ./cluster assets | tail -n 1) go test -run '^$$' -bench Operator -benchtime 1x -timeout 60m ./internal/testing/bench/endtoend

.PHONY: bench-check
bench-check: bench-growth ## Fail if a cost is worse than the best one recorded, or grows much more than linearly
	go test -count=1 -run 'GoldenCosts|SmallMeshes' ./internal/testing/bench

.PHONY: bench-growth
bench-growth: ## Measure how costs grow with large policies, and fail if one grows much more than linearly, in about a minute
	go test -run '^$$' -bench Linear -benchtime 5x ./internal/mesh/authz ./internal/mesh/catalog ./internal/mesh/envoy ./internal/mesh/gateway

.PHONY: soak
soak: ## Change a mesh once per second for 30 minutes with 10,000 reconnects, and check for leaks
	go test -count=1 -timeout=0 -v ./internal/testing/soak -soak.time=30m -soak.reconnects=10000

.PHONY: mutation
mutation: ## Change the code of PKG, such as PKG=internal/mesh/authz, and list the changes that its tests do not notice; FLAGS="-n 100" samples them
	$(HACK) ./mutation $(FLAGS) "$(PKG)"

##@ Try

.PHONY: cluster-up
cluster-up: ## Start a local Kubernetes cluster
	$(HACK) ./cluster up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and remove everything it created
	$(HACK) ./cluster down

.PHONY: demo
demo: ## Run the bookstore in a mesh on the local cluster; WITH=observability adds Prometheus and Jaeger, CLUSTER=current uses your cluster
	@$(HACK) ./compile bin/demo ./e2e/demo
	bin/demo up --with=$(WITH) --registry=$(REGISTRY) $(if $(YES),--yes)

.PHONY: demo-report
demo-report: ## Print the bookstore's table again
	go run ./e2e/demo report

.PHONY: demo-down
demo-down: ## Remove the bookstore, its mesh and the cluster; with CLUSTER=current only what the demo has created
	go run ./e2e/demo down

##@ Release

.PHONY: release
release: ## Build everything of the version in the file VERSION into bin/release/, signed with KEY=FILE, and record the version
	$(HACK) ./release -key "$(abspath $(KEY))"

.PHONY: release-cli
release-cli: ## Build the osm archives for all platforms into bin/release/
	$(HACK) ./releasecli

.PHONY: begin-version
begin-version: ## Begin the version NEXT, such as v0.3.0, after make release has recorded the present one
	$(HACK) ./beginversion "$(NEXT)"
	$(MAKE) manifests
