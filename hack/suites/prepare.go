package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/reservation"
	"github.com/openservicemesh/osm-operator/hack/internal/tool"
)

// need is a requirement of a suite.
type need string

const (
	// needPackages is the compiled product with its tests. Compiling takes minutes on a new machine, which do not count
	// for the suite.
	needPackages need = "compiled packages"
	// needRacePackages is the same, compiled for the race detector.
	needRacePackages need = "packages compiled for the race detector"
	// needLinter are the built linters.
	needLinter need = "linters"
	// needGenerators are the built code generators.
	needGenerators need = "generators"
	// needEnvoy is Envoy in two minor versions, in the variables ENVOY_BIN and EARLIER_ENVOY_BIN.
	needEnvoy need = "envoy"
	// needPrometheus is Prometheus, in the variable PROMETHEUS_BIN.
	needPrometheus need = "prometheus"
	// needPackagers are Helm and opm, in the variables HELM_BIN and OPM_BIN.
	needPackagers need = "packagers"
	// needAssets is the folder of an API server for tests, in the variable KUBEBUILDER_ASSETS.
	needAssets need = "assets"
	// needCluster is a local cluster, and the built images.
	needCluster need = "cluster"
)

// preparation fulfils each need of the suites once.
type preparation struct {
	checkout checkout
	out      io.Writer
	// env collects environment variables for the suites.
	env []string
	// tried maps each need to its error, or nil.
	tried map[need]error
	// started is true if the preparation started the cluster, and therefore has to stop it.
	started bool
	// reserved is the reservation of the local cluster, or nil.
	reserved *reservation.Reservation
}

// fulfil fulfils the needs of the suites in order. It continues after an error: only the suites with that need fail.
func (p *preparation) fulfil(ctx context.Context, desired []suite) error {
	var failed []error
	for _, s := range desired {
		for _, n := range s.needs {
			if _, tried := p.tried[n]; tried {
				continue
			}
			err := p.fulfilOne(ctx, n)
			if err != nil {
				err = fmt.Errorf("cannot prepare the %s for the suite %s: %w", n, s.name, err)
			}
			p.tried[n] = err
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// missing returns the errors of the suite's needs, or nil.
func (p *preparation) missing(s suite) error {
	var failed []error
	for _, n := range s.needs {
		failed = append(failed, p.tried[n])
	}
	return errors.Join(failed...)
}

func (p *preparation) fulfilOne(ctx context.Context, n need) error {
	switch n {
	case needPackages:
		return p.compile(ctx)
	case needRacePackages:
		return p.compile(ctx, "-race")
	case needLinter:
		return p.tools(ctx, "golangci-lint", "actionlint")
	case needGenerators:
		if err := p.tools(ctx, "controller-gen"); err != nil {
			return err
		}
		return p.variable(ctx, "KUBEBUILDER_ASSETS", "./cluster", "assets")
	case needEnvoy:
		if err := p.variable(ctx, "ENVOY_BIN", "./images", "envoy-path"); err != nil {
			return err
		}
		return p.variable(ctx, "EARLIER_ENVOY_BIN", "./images", "earlier-envoy-path")
	case needPrometheus:
		return p.variable(ctx, "PROMETHEUS_BIN", "./images", "prometheus-path")
	case needPackagers:
		return errors.Join(p.toolVariable(ctx, "HELM_BIN", "helm"), p.toolVariable(ctx, "OPM_BIN", "opm"))
	case needAssets:
		return p.variable(ctx, "KUBEBUILDER_ASSETS", "./cluster", "assets")
	case needCluster:
		return p.cluster(ctx)
	}
	return fmt.Errorf("unknown need %q", n)
}

// compile compiles all packages of the product and their tests into the go build cache, without linking.
func (p *preparation) compile(ctx context.Context, flags ...string) error {
	args := append([]string{"go", "list", "-export", "-test", "-deps", "-f", "{{/* nothing */}}"}, flags...)
	cmd := newCommand(ctx, command{dir: p.checkout.root, args: append(args, "./...")}, p.env)
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the product does not compile: %w", causeOf(ctx, err))
	}
	return nil
}

// tools builds developer tools.
func (p *preparation) tools(ctx context.Context, names ...string) error {
	box, err := tool.Open(p.out)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := box.Path(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// toolVariable builds a developer tool and sets an environment variable to its path. A value from the caller is kept.
func (p *preparation) toolVariable(ctx context.Context, variable, name string) error {
	if os.Getenv(variable) != "" {
		return nil
	}
	box, err := tool.Open(p.out)
	if err != nil {
		return err
	}
	program, err := box.Path(ctx, name)
	if err == nil {
		p.env = append(p.env, variable+"="+program)
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
	p.env = append(p.env, name+"="+value)
	return nil
}

// hack runs a program of the hack module and returns its standard output. Standard error is passed through.
func (p *preparation) hack(ctx context.Context, program ...string) (string, error) {
	cmd := newCommand(ctx, command{dir: p.checkout.hack(), args: append([]string{"go", "run"}, program...)}, p.env)
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
