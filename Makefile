# Every recipe is one command; what it does is in the Go program it calls. Those programs build and fetch what they
# need: Go, make and root rights for the local cluster are all that must be there.
.DEFAULT_GOAL := help

HACK = go run -C hack

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build

.PHONY: build
build: ## Build all programs into bin/
	go build -trimpath -o bin/ -ldflags "-X github.com/openservicemesh/osm-operator/internal/version.Version=$$(cat VERSION)" ./cmd/...

.PHONY: images
images: ## Build all container images into bin/images/
	$(HACK) ./images

.PHONY: generate
generate: ## Generate Go code
	$(HACK) ./generate code

.PHONY: manifests
manifests: ## Generate the definitions of our kinds and dist/install.yaml
	$(HACK) ./generate manifests

.PHONY: docs
docs: ## Generate the reference of the osm command line
	$(HACK) ./generate docs

.PHONY: fmt
fmt: ## Format all Go code
	$(HACK) ./tool golangci-lint fmt
	$(HACK) ./tool -C . golangci-lint fmt

##@ Check

.PHONY: lint
lint: ## Read the code with all linters
	$(HACK) ./suites lint

.PHONY: drift
drift: ## Fail when a generated file is out of date
	$(HACK) ./suites drift

.PHONY: test-unit
test-unit: ## Test single packages, with the race detector
	$(HACK) ./suites unit

.PHONY: test-golden
test-golden: ## Compare generated Envoy configuration with what it should be, and let Envoy read it
	$(HACK) ./suites golden

.PHONY: test-envtest
test-envtest: ## Test reconcilers and validation against a real API server
	$(HACK) ./suites envtest

.PHONY: test-e2e
test-e2e: ## Test users' journeys on a local cluster
	$(HACK) ./suites e2e

.PHONY: test
test: ## Run all of the above, within the seconds of hack/budget.yaml
	$(HACK) ./suites

.PHONY: test-full
test-full: ## Run everything there is, as before a release
	$(HACK) ./suites -full

.PHONY: nightly
nightly: verdict-nightly verdict-recorded away-nightly soak ## Run what takes too long for every change, in about an hour and a half

.PHONY: away-nightly
away-nightly: ## Take the API server away for ten minutes, in real time
	KUBEBUILDER_ASSETS=$$($(HACK) ./cluster assets | tail -n 1) go test -count=1 -timeout=0 -v ./internal/testing/away -away.time=10m

.PHONY: verdict-nightly
verdict-nightly: ## Try 100,000 pairs of an edit and a request with real sidecars, in about 40 minutes
	ENVOY_BIN=$$($(HACK) ./images envoy-path | tail -n 1) EARLIER_ENVOY_BIN=$$($(HACK) ./images earlier-envoy-path | tail -n 1) go test -count=1 -timeout=0 -v ./internal/testing/verdict -verdict.pairs=100000

.PHONY: verdict-recorded
verdict-recorded: ## Try 20,000 pairs where sidecars of this version meet the control plane of the one before, in about ten minutes
	ENVOY_BIN=$$($(HACK) ./images envoy-path | tail -n 1) $(HACK) ./verdict -pairs 20000 v0.1.0

.PHONY: bench
bench: ## Measure the way of a change to the sidecars, and what limits it; in less than two minutes
	go run ./internal/testing/bench

.PHONY: bench-check
bench-check: ## Do the same, and fail when a ratio to the other control planes has become 30% worse
	go run ./internal/testing/bench -check

.PHONY: scale
scale: ## Measure one replica by the size of the mesh and of its part, and extrapolate to 100,000 sidecars; in some minutes
	go run ./internal/testing/bench -scale -out bin/scale

.PHONY: soak
soak: ## Change a mesh once a second for 30 minutes, let 10,000 sidecars come and go, and see whether anything grows
	go test -count=1 -timeout=0 -v ./internal/testing/soak -soak.time=30m -soak.reconnects=10000

##@ Try

.PHONY: cluster-up
cluster-up: ## Start a local Kubernetes cluster
	$(HACK) ./cluster up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster and remove what it left
	$(HACK) ./cluster down

.PHONY: demo
demo: ## Run the bookstore in a mesh on the local cluster, and show who may call whom
	go run ./e2e/demo up

.PHONY: demo-report
demo-report: ## Show the bookstore's table again
	go run ./e2e/demo report

.PHONY: demo-down
demo-down: ## Remove the bookstore, its mesh and the cluster
	go run ./e2e/demo down

##@ Release

.PHONY: release
release: ## Write down the images and manifests of the version in the file VERSION
	$(HACK) ./release

.PHONY: release-cli
release-cli: ## Build the archives of the osm command line for all platforms into bin/release/
	$(HACK) ./releasecli
