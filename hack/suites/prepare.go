package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/reservation"
	"github.com/openservicemesh/osm-operator/hack/internal/tool"
)

// need is a requirement of a suite.
type need string

const (
	// needPackages is the compiled product with the tests that run without the race detector. Compiling takes minutes on a new machine, which do not
	// count for the suite.
	needPackages need = "compiled packages"
	// needRacePackages are the tests that run with the race detector, and what they import, compiled for it.
	needRacePackages need = "packages compiled for the race detector"
	// needLinter are the built linters.
	needLinter need = "linters"
	// needGenerators are the built code generators.
	needGenerators need = "generators"
	// needEnvoy is Envoy in two minor versions and the oldest one, in the variables ENVOY_BIN, EARLIER_ENVOY_BIN and OLDEST_ENVOY_BIN.
	needEnvoy need = "envoy"
	// needPrometheus is Prometheus, in the variable PROMETHEUS_BIN.
	needPrometheus need = "prometheus"
	// needPackagers are Helm and opm, in the variables HELM_BIN and OPM_BIN.
	needPackagers need = "packagers"
	// needAssets is the folder of an API server for tests, in the variable KUBEBUILDER_ASSETS.
	needAssets need = "assets"
	// needCluster is a local cluster, and the built images.
	needCluster need = "cluster"
	// needConformance are the built conformance suite of the Gateway API and its servers.
	needConformance need = "conformance suite"
)

// preparation fulfils each need of the suites once.
type preparation struct {
	checkout checkout
	out      io.Writer
	// mu guards env and tried.
	mu sync.Mutex
	// env collects environment variables for the suites.
	env []string
	// tried maps each need to its error, or nil.
	tried map[need]error
	// started is true if the preparation started the cluster, and therefore has to stop it.
	started bool
	// reserved is the reservation of the local cluster, or nil.
	reserved *reservation.Reservation
}

// atOnce is the number of needs that are fulfilled at the same time: while one downloads or links, another one compiles.
const atOnce = 2

// fulfil fulfils the needs of the suites, starting in their order. It continues after an error: only the suites with that need fail.
func (p *preparation) fulfil(ctx context.Context, desired []suite) error {
	var running errgroup.Group
	running.SetLimit(atOnce)
	var started []need
	for _, s := range desired {
		for _, n := range s.needs {
			if !slices.Contains(started, n) {
				started = append(started, n)
				running.Go(func() error { p.try(ctx, n, s.name); return nil })
			}
		}
	}
	_ = running.Wait() // the errors are in tried
	return p.failures(started)
}

// try fulfils one need and records its error.
func (p *preparation) try(ctx context.Context, n need, suite string) {
	begin := time.Now()
	err := p.fulfilOne(ctx, n)
	fmt.Fprintf(p.out, "  %-40s  %.1fs\n", n, time.Since(begin).Seconds())
	if err != nil {
		err = fmt.Errorf("cannot prepare the %s for the suite %s: %w", n, suite, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried[n] = err
}

// set adds an environment variable for the suites.
func (p *preparation) set(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = append(p.env, name+"="+value)
}

// environment returns the variables so far.
func (p *preparation) environment() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.env)
}

// missing returns the errors of the suite's needs, or nil.
func (p *preparation) missing(s suite) error {
	return p.failures(s.needs)
}

func (p *preparation) failures(needs []need) error {
	var failed []error
	for _, n := range needs {
		failed = append(failed, p.tried[n])
	}
	return errors.Join(failed...)
}

func (p *preparation) fulfilOne(ctx context.Context, n need) error {
	switch n {
	case needPackages:
		return errors.Join(p.compile(ctx, []string{"./..."}), p.compileTests(ctx, false))
	case needRacePackages:
		return p.compileTests(ctx, true)
	case needLinter:
		return p.tools(ctx, "golangci-lint", "actionlint")
	case needGenerators:
		return errors.Join(p.tools(ctx, "controller-gen"), p.variable(ctx, "KUBEBUILDER_ASSETS", "./cluster", "assets"))
	case needEnvoy:
		return errors.Join(p.variable(ctx, "ENVOY_BIN", "./images", "envoy-path"), p.variable(ctx, "EARLIER_ENVOY_BIN", "./images", "earlier-envoy-path"),
			p.variable(ctx, "OLDEST_ENVOY_BIN", "./images", "oldest-envoy-path"))
	case needPrometheus:
		return p.variable(ctx, "PROMETHEUS_BIN", "./images", "prometheus-path")
	case needPackagers:
		return errors.Join(p.toolVariable(ctx, "HELM_BIN", "helm"), p.toolVariable(ctx, "OPM_BIN", "opm"))
	case needAssets:
		return p.variable(ctx, "KUBEBUILDER_ASSETS", "./cluster", "assets")
	case needCluster:
		return p.cluster(ctx)
	case needConformance:
		p.conformance(ctx)
		return nil
	}
	return fmt.Errorf("unknown need %q", n)
}

// compileTests compiles the tests that run with the race detector, or those that run without it.
func (p *preparation) compileTests(ctx context.Context, race bool) error {
	packages, err := findPackages(p.checkout.root)
	if err != nil {
		return err
	}
	if race {
		return p.compile(ctx, selectDirs(packages, p.checkout.races), "-test", "-race")
	}
	return p.compile(ctx, selectDirs(packages, func(t testPackage) bool { return !p.checkout.races(t) || t.golden }), "-test")
}

// compile compiles packages of the product, with those that they import, into the go build cache, without linking.
func (p *preparation) compile(ctx context.Context, packages []string, flags ...string) error {
	args := append([]string{"go", "list", "-export", "-deps", "-f", "{{/* nothing */}}"}, flags...)
	cmd := newCommand(ctx, command{dir: p.checkout.root, args: append(args, packages...), env: build.CompilerEnv()}, p.environment())
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the product does not compile: %w", causeOf(ctx, err))
	}
	return nil
}

// tools builds developer tools.
func (p *preparation) tools(ctx context.Context, names ...string) error {
	for _, name := range names {
		if _, err := p.tool(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// tool builds a developer tool and returns its path.
func (p *preparation) tool(ctx context.Context, name string) (string, error) {
	box, err := tool.Open(p.out)
	if err != nil {
		return "", err
	}
	return box.Path(ctx, name)
}

// toolVariable builds a developer tool and sets an environment variable to its path. A value from the caller is kept.
func (p *preparation) toolVariable(ctx context.Context, variable, name string) error {
	if os.Getenv(variable) != "" {
		return nil
	}
	program, err := p.tool(ctx, name)
	if err == nil {
		p.set(variable, program)
	}
	return err
}

// variable sets an environment variable to the last line printed by a program of the hack module. A value from the
// caller is kept.
func (p *preparation) variable(ctx context.Context, name string, program ...string) error {
	if os.Getenv(name) != "" {
		return nil
	}
	text, err := p.hack(ctx, program...)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	value := strings.TrimSpace(lines[len(lines)-1])
	if value == "" {
		return errors.New("`go run " + strings.Join(program, " ") + "` printed nothing")
	}
	p.set(name, value)
	return nil
}

// hack runs a program of the hack module and returns its standard output. Standard error is passed through.
func (p *preparation) hack(ctx context.Context, program ...string) (string, error) {
	cmd := newCommand(ctx, command{dir: p.checkout.hack(), args: append([]string{"go", "run"}, program...)}, p.environment())
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, p.out
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			fmt.Fprint(p.out, stdout.String())
		}
		return "", fmt.Errorf("`go run %s` failed: %w", strings.Join(program, " "), causeOf(ctx, err))
	}
	return stdout.String(), nil
}

// stopTimeout is the time limit for stopping the cluster.
const stopTimeout = 2 * time.Minute

// cluster builds the images and starts the local cluster, unless it is running. The tests load the images themselves.
// With CLUSTER=current the kubeconfig's cluster counts as running.
func (p *preparation) cluster(ctx context.Context) error {
	if err := p.reserve(ctx); err != nil {
		return err
	}
	_, notRunning := p.hack(ctx, "./cluster", "status")
	if _, err := p.hack(ctx, "./images"); err != nil {
		return err
	}
	// The certificate tests install cert-manager.
	if _, err := p.hack(ctx, "./cluster", "cert-manager", "build"); err != nil {
		return err
	}
	p.started = notRunning != nil
	if _, err := p.hack(ctx, "./cluster", "up"); err != nil || os.Getenv("CLUSTER") == "current" {
		return err
	}
	// Upgrade tests start from a recorded version. Building it takes minutes once, and counts as preparation. A clone
	// without history cannot build it; then only the upgrade tests fail.
	if _, err := p.hack(ctx, "./cluster", "load-version"); err != nil {
		fmt.Fprintf(p.out, "the upgrade tests will fail: %v\n", err)
	}
	return nil
}

// conformance builds the conformance suite of the Gateway API and its servers. Without them, only one test fails.
func (p *preparation) conformance(ctx context.Context) {
	if os.Getenv("CLUSTER") == "current" {
		return // its nodes pull the images, and the test builds the suite
	}
	if _, err := p.hack(ctx, "./conformance", "build"); err != nil {
		fmt.Fprintf(p.out, "the conformance test will fail: %v\n", err)
	}
}

// reserve reserves the local cluster until the run ends, so that no other run takes it away from the tests.
func (p *preparation) reserve(ctx context.Context) error {
	if os.Getenv("CLUSTER") == "current" {
		return nil
	}
	held, err := reservation.Acquire(ctx, reservation.File, reservation.Describe("make test", time.Now()), os.Getenv(reservation.Variable), func(holder string) {
		fmt.Fprintf(p.out, "waiting: the local cluster is in use by %s\n", holder)
	})
	if err != nil {
		return err
	}
	p.reserved = held
	p.set(reservation.Variable, held.ID)
	return nil
}

// stop stops the cluster if the preparation started it, and ends its reservation.
func (p *preparation) stop() {
	if p.reserved != nil {
		defer p.reserved.Release()
	}
	if !p.started {
		return
	}
	// The cluster is stopped even when the run's context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if _, err := p.hack(ctx, "./cluster", "down"); err != nil {
		fmt.Fprintf(p.out, "cannot stop the cluster, it is still running: %v\n", err)
	}
}
